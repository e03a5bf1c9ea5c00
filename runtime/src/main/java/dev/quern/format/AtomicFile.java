package dev.quern.format;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * A file that exists complete or not at all: written as {@code <name>.part}, forced to disk,
 * renamed, and the directory forced. What is closed before {@link #commit} is deleted.
 */
public final class AtomicFile implements Closeable {
  public static final String PART_SUFFIX = ".part";

  /**
   * What is handed to the system at once, and a multiple of where: Linux keeps a file in memory in
   * pieces as large as they were written, and maps those of 2 MiB as huge pages.
   */
  private static final int PIECE_BYTES = 2 << 20;

  private final Path file;
  private final Path part;
  private final FileChannel channel;
  private final Arena arena = Arena.ofShared();
  private ByteBuffer piece = ByteBuffer.allocate(0);
  private boolean committed;

  private AtomicFile(Path file, Path part, FileChannel channel) {
    this.file = file;
    this.part = part;
    this.channel = channel;
  }

  /** Begins a file; a part that a killed process left is overwritten. */
  public static AtomicFile create(Path file) throws IOException {
    Path part = file.resolveSibling(file.getFileName() + PART_SUFFIX);
    FileChannel channel =
        FileChannel.open(
            part,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE);
    return new AtomicFile(file, part, channel);
  }

  public Path file() {
    return file;
  }

  /** Appends all that remains in the buffer. */
  public void write(ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      ByteBuffer to = piece();
      int count = Math.min(bytes.remaining(), to.remaining());
      to.put(bytes.slice(bytes.position(), count));
      bytes.position(bytes.position() + count);
    }
  }

  /** Appends [offset, offset + bytes) of another file. */
  void copy(FileChannel source, long offset, long bytes) throws IOException {
    long end = offset + bytes;
    for (long at = offset; at < end; ) {
      ByteBuffer to = piece();
      to.limit(to.position() + (int) Math.min(to.remaining(), end - at));
      int read = source.read(to, at);
      to.limit(to.capacity());
      if (read <= 0) {
        throw new EOFException("source ends at byte " + at + ", expected " + end);
      }
      at += read;
    }
  }

  /** Writes all that remains in the buffer over what was appended from a position on. */
  void overwrite(long position, ByteBuffer bytes) throws IOException {
    flush();
    for (long at = position; bytes.hasRemaining(); ) {
      at += channel.write(bytes, at);
    }
  }

  /** With room for a byte or more. */
  private ByteBuffer piece() throws IOException {
    if (piece.capacity() == 0) {
      piece = arena.allocate(PIECE_BYTES).asByteBuffer();
    } else if (!piece.hasRemaining()) {
      flush();
    }
    return piece;
  }

  private void flush() throws IOException {
    piece.flip();
    while (piece.hasRemaining()) {
      channel.write(piece);
    }
    piece.clear();
  }

  /** Makes the file appear under its name, replacing one that was there. */
  public void commit() throws IOException {
    flush();
    channel.force(true);
    channel.close();
    Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    committed = true;
    forceDirectory(file.toAbsolutePath().getParent());
  }

  /** Deletes the part unless committed. */
  @Override
  public void close() throws IOException {
    channel.close();
    if (arena.scope().isAlive()) {
      arena.close();
    }
    if (!committed) {
      Files.deleteIfExists(part);
    }
  }

  public static void write(Path file, byte[] bytes) throws IOException {
    try (AtomicFile out = create(file)) {
      out.overwrite(0, ByteBuffer.wrap(bytes)); // without a piece
      out.commit();
    }
  }

  /** As UTF-8. */
  public static void writeText(Path file, String text) throws IOException {
    write(file, text.getBytes(StandardCharsets.UTF_8));
  }

  /** Makes renames in a directory survive a power cut, where the system can open directories. */
  public static void forceDirectory(Path directory) throws IOException {
    FileChannel channel;
    try {
      channel = FileChannel.open(directory, StandardOpenOption.READ);
    } catch (IOException e) {
      return; // Windows cannot open a directory, and its renames are journaled.
    }
    try (channel) {
      channel.force(true);
    }
  }
}
