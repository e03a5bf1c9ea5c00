package dev.quern.format;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;
import java.util.zip.Checksum;

/**
 * Reads a binary file front to back, little-endian, and knows where it is when something is wrong.
 */
public final class FileCursor implements Closeable {
  private static final int CHUNK_BYTES = 1 << 16;

  private final Path file;
  private final FileChannel channel;
  private final long fileBytes;
  private final ByteBuffer buffer = ByteBuffer.allocate(8192).order(ByteOrder.LITTLE_ENDIAN);
  private long loaded; // bytes taken from the channel: asking it is a system call

  private FileCursor(Path file, FileChannel channel) throws IOException {
    this.file = file;
    this.channel = channel;
    this.fileBytes = channel.size();
    buffer.limit(0);
  }

  public static FileCursor open(Path file) throws IOException {
    if (Files.isDirectory(file)) { // reading would fail without the name
      throw new FormatException(file + ": a folder, expected a file");
    }
    FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
    try {
      return new FileCursor(file, channel);
    } catch (Throwable e) {
      channel.close();
      throw e;
    }
  }

  public long fileBytes() {
    return fileBytes;
  }

  /** Of the next byte to read. */
  public long position() {
    return loaded - buffer.remaining();
  }

  public long remaining() {
    return fileBytes - position();
  }

  public int readUnsignedByte() throws IOException {
    require(Byte.BYTES);
    return Byte.toUnsignedInt(buffer.get());
  }

  public int readInt() throws IOException {
    require(Integer.BYTES);
    return buffer.getInt();
  }

  public long readLong() throws IOException {
    require(Long.BYTES);
    return buffer.getLong();
  }

  public float readFloat() throws IOException {
    require(Float.BYTES);
    return buffer.getFloat();
  }

  /**
   * The caller has compared n with {@link #remaining}: no more than the file holds is allocated.
   */
  public byte[] readBytes(int n) throws IOException {
    if (n > remaining()) {
      throw truncated(n);
    }
    byte[] bytes = new byte[n];
    int buffered = Math.min(n, buffer.remaining());
    buffer.get(bytes, 0, buffered);
    ByteBuffer rest = ByteBuffer.wrap(bytes, buffered, n - buffered);
    while (rest.hasRemaining()) {
      load(rest, n);
    }
    return bytes;
  }

  private void require(int n) throws IOException {
    if (buffer.remaining() >= n) {
      return;
    }
    if (n > remaining()) {
      throw truncated(n);
    }
    buffer.compact();
    while (buffer.position() < n) {
      load(buffer, n);
    }
    buffer.flip();
  }

  /** The file was long enough when it was opened: that it ends here means that it shrank. */
  private void load(ByteBuffer into, int n) throws IOException {
    int read = channel.read(into);
    if (read < 0) {
      throw failure(
          loaded, "file length", "at least " + (loaded + n), channel.size(), "Is it complete?");
    }
    loaded += read;
  }

  private FormatException truncated(int n) {
    return failure(
        position(), "file length", "at least " + (position() + n), fileBytes, "Is it complete?");
  }

  /** The integer at byte {@code at}, which the file holds, wherever the cursor is. */
  int intAt(long at) throws IOException {
    return bytesAt(at, Integer.BYTES).getInt(0);
  }

  /** Bytes [at, at + n), which the file holds, wherever the cursor is. */
  ByteBuffer bytesAt(long at, int n) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(n).order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining()) {
      if (channel.read(bytes, at + bytes.position()) < 0) {
        throw truncated(n);
      }
    }
    return bytes.flip();
  }

  /** CRC32C of bytes [from, from + length), wherever the cursor is. */
  int crc32c(long from, long length) throws IOException {
    CRC32C crc = new CRC32C();
    update(crc, channel, file, from, length);
    return (int) crc.getValue();
  }

  /** Feeds bytes [from, from + length) of a channel to a checksum. */
  static void update(Checksum crc, FileChannel channel, Path file, long from, long length)
      throws IOException {
    ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(CHUNK_BYTES, Math.max(length, 1)));
    long end = from + length;
    for (long at = from; at < end; ) {
      chunk.clear().limit((int) Math.min(chunk.capacity(), end - at));
      int read = channel.read(chunk, at);
      if (read < 0) {
        throw FormatException.of(
            file, "byte " + at, "file length", "at least " + end, at, "Is it complete?");
      }
      crc.update(chunk.array(), 0, read);
      at += read;
    }
  }

  public FormatException failure(
      long at, String what, Object expected, Object found, String advice) {
    return FormatException.of(file, "byte " + at, what, expected, found, advice);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
