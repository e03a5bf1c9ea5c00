package dev.quern.format;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
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

  private final Path file;
  private final Path part;
  private final FileChannel channel;
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

  public FileChannel channel() {
    return channel;
  }

  /** Writes all that remains in the buffer at the channel's position. */
  public void write(ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /** Copies [offset, offset + bytes) of another file to the channel's position. */
  void copy(FileChannel source, long offset, long bytes) throws IOException {
    long end = offset + bytes;
    for (long at = offset; at < end; ) {
      long copied = source.transferTo(at, end - at, channel);
      if (copied <= 0) {
        throw new EOFException("source ends at byte " + at + ", expected " + end);
      }
      at += copied;
    }
  }

  /** Makes the file appear under its name, replacing one that was there. */
  public void commit() throws IOException {
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
    if (!committed) {
      Files.deleteIfExists(part);
    }
  }

  public static void write(Path file, byte[] bytes) throws IOException {
    try (AtomicFile out = create(file)) {
      out.write(ByteBuffer.wrap(bytes));
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
