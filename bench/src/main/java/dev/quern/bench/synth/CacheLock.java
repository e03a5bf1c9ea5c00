package dev.quern.bench.synth;

import dev.quern.format.FormatException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Keeps other processes from writing the same file or folder of a cache. */
public final class CacheLock implements Closeable {
  private static final String SUFFIX = ".lock";

  private final FileChannel channel;

  private CacheLock(FileChannel channel) {
    this.channel = channel;
  }

  /**
   * @param target what will be written; its parent exists
   * @throws FormatException if somebody is writing it
   */
  public static CacheLock of(Path target) throws IOException {
    FileChannel channel =
        FileChannel.open(
            target.resolveSibling(target.getFileName() + SUFFIX),
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE);
    try {
      FileLock lock = channel.tryLock(); // released when the channel closes
      if (lock == null) {
        throw new FormatException(
            target + ": another process is writing it. Wait for it, or choose another --work");
      }
      return new CacheLock(channel);
    } catch (OverlappingFileLockException e) {
      channel.close();
      throw new FormatException(target + ": this process is writing it already", e);
    } catch (Throwable e) {
      channel.close();
      throw e;
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
