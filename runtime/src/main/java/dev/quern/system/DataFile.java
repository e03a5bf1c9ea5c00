package dev.quern.system;

import com.sun.nio.file.ExtendedOpenOption;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/**
 * A file that several threads read at positions of their own. An interrupted thread's read is done
 * again: the file stays open for the others.
 */
public final class DataFile implements AutoCloseable {
  private static final int MAX_READ_BYTES = 1 << 30; // a buffer holds less than 2 GiB

  private final Path path;
  private final boolean direct;
  private final Optional<String> note;
  private final int descriptor; // for advice to the page cache; −1 if there is none
  private volatile FileChannel channel;
  private boolean closed;

  private DataFile(Path path, FileChannel channel, boolean direct, Optional<String> note) {
    this.path = path;
    this.channel = channel;
    this.direct = direct;
    this.note = note;
    this.descriptor = Posix.calls().map(calls -> calls.open(path.toString())).orElse(-1);
  }

  /**
   * Opens a file. Where the file system refuses direct reads they go through the page cache, and
   * {@link #note} says so.
   *
   * @param mode {@link IoMode#MMAP} is opened as {@link IoMode#BUFFERED}
   */
  public static DataFile open(Path path, IoMode mode) throws IOException {
    if (mode != IoMode.DIRECT) {
      return new DataFile(path, buffered(path), false, Optional.empty());
    }
    String reason;
    long block = Files.getFileStore(path).getBlockSize();
    if (block > PageMemory.PAGE_BYTES) {
      reason = "blocks of %d bytes".formatted(block);
    } else {
      try {
        FileChannel channel =
            FileChannel.open(path, StandardOpenOption.READ, ExtendedOpenOption.DIRECT);
        return new DataFile(path, channel, true, Optional.empty());
      } catch (IOException | UnsupportedOperationException e) {
        reason = e.getMessage();
      }
    }
    FileChannel channel = buffered(path); // if the file cannot be opened at all, this tells
    String note =
        "%s: direct reads are refused here (%s), reading through the page cache"
            .formatted(path.getFileName(), reason);
    return new DataFile(path, channel, false, Optional.of(note));
  }

  private static FileChannel buffered(Path path) throws IOException {
    return FileChannel.open(path, StandardOpenOption.READ);
  }

  /** Why it is read otherwise than asked for, one line. */
  public Optional<String> note() {
    return note;
  }

  /** Whether reads pass the page cache by. */
  public boolean direct() {
    return direct;
  }

  /** Its length now. */
  public long bytes() throws IOException {
    return uninterrupted(FileChannel::size);
  }

  /**
   * Reads as many bytes as fit, or up to the end of the file. For direct reads position, address
   * and length are multiples of {@link PageMemory#PAGE_BYTES}.
   *
   * @param into written from its beginning
   * @return bytes read
   */
  public long read(MemorySegment into, long position) throws IOException {
    long done = 0;
    while (done < into.byteSize()) {
      long at = done;
      MemorySegment rest = into.asSlice(at, Math.min(MAX_READ_BYTES, into.byteSize() - at));
      long read = uninterrupted(open -> open.read(rest.asByteBuffer(), position + at));
      if (read < 0) {
        break;
      }
      done += read;
      if (direct && done % PageMemory.PAGE_BYTES != 0) {
        break; // the end of the file; reading on would not be aligned
      }
    }
    return done;
  }

  /** What is done with an open channel. */
  @FunctionalInterface
  private interface Action {
    long on(FileChannel open) throws IOException;
  }

  /** An interrupt closes the channel under whoever uses it. */
  private long uninterrupted(Action action) throws IOException {
    boolean interrupted = false;
    try {
      while (true) {
        FileChannel now = channel;
        try {
          return action.on(now);
        } catch (ClosedChannelException e) {
          interrupted |= Thread.interrupted();
          reopen(now, e);
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private synchronized void reopen(FileChannel lost, ClosedChannelException reason)
      throws IOException {
    if (closed) {
      throw reason;
    }
    if (channel == lost) {
      channel =
          direct
              ? FileChannel.open(path, StandardOpenOption.READ, ExtendedOpenOption.DIRECT)
              : buffered(path);
    }
  }

  /** Bytes that the page cache need not keep; those that are mapped somewhere stay. */
  public void forget(long position, long length) {
    if (descriptor >= 0) {
      Posix.calls().ifPresent(calls -> calls.forget(descriptor, position, length));
    }
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      if (descriptor >= 0) {
        Posix.calls().ifPresent(calls -> calls.close(descriptor));
      }
      try {
        channel.close();
      } catch (IOException e) {
        // it was only read: nothing can be lost
      }
    }
  }
}
