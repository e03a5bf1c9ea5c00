package dev.quern.converter.traces;

import dev.quern.format.AtomicFile;
import dev.quern.format.FormatException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.stream.Stream;

/**
 * A folder of traces in the making: under the name {@code <out>.part} until it is complete. What a
 * killed run leaves there, the next one deletes.
 */
final class TraceFolder implements AutoCloseable {
  private static final String LOCK_NAME = "collecting.lock";
  private static final String WORK_NAME = "work";

  private final Path out;
  private final Path part;
  private final FileChannel lock;
  private boolean finished;

  private TraceFolder(Path out, Path part, FileChannel lock) {
    this.out = out;
    this.part = part;
    this.lock = lock;
  }

  /**
   * @param out not there yet, or an empty folder
   * @throws FormatException if something is there, or another run is writing it
   */
  static TraceFolder open(Path out) throws IOException {
    checkFree(out);
    Path whole = out.toAbsolutePath().normalize();
    Path part = whole.resolveSibling(whole.getFileName() + AtomicFile.PART_SUFFIX);
    if (Files.exists(part) && !Files.exists(part.resolve(LOCK_NAME)) && !isEmpty(part)) {
      throw new FormatException(
          part + ": not of an earlier collect-traces. Remove it or choose another --out");
    }
    Files.createDirectories(part);
    FileChannel channel =
        FileChannel.open(
            part.resolve(LOCK_NAME), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      lock(out, channel);
      TraceFolder folder = new TraceFolder(whole, part, channel);
      folder.deleteAll(false);
      Files.createDirectories(folder.work());
      return folder;
    } catch (Throwable e) {
      channel.close();
      throw e;
    }
  }

  private static void checkFree(Path out) throws IOException {
    if (Files.exists(out) && !Files.isDirectory(out)) {
      throw new FormatException(out + ": not a folder. Choose another --out");
    }
    if (Files.exists(out) && !isEmpty(out)) {
      throw new FormatException(out + ": not empty. Choose another --out, or remove it");
    }
  }

  private static boolean isEmpty(Path folder) throws IOException {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.findAny().isEmpty();
    }
  }

  private static void lock(Path out, FileChannel channel) throws IOException {
    FileLock lock;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException e) {
      throw inUse(out, e);
    }
    if (lock == null) {
      throw inUse(out, null);
    }
  }

  private static FormatException inUse(Path out, Throwable cause) {
    return new FormatException(
        out + ": another run is collecting into it. Wait for it or choose another --out", cause);
  }

  /** Where the files of the traces are written. */
  Path path() {
    return part;
  }

  /** For what is not part of the traces. */
  Path work() {
    return part.resolve(WORK_NAME);
  }

  /** Writes the manifest, last, and gives the folder its name. */
  void finish(TraceManifest manifest) throws IOException {
    delete(work());
    manifest.write(part);
    checkFree(out);
    Files.deleteIfExists(out);
    Files.deleteIfExists(part.resolve(LOCK_NAME));
    Files.move(part, out, StandardCopyOption.ATOMIC_MOVE);
    finished = true;
    AtomicFile.forceDirectory(out.getParent());
  }

  private void deleteAll(boolean withLock) throws IOException {
    try (Stream<Path> entries = Files.list(part)) {
      for (Path entry : (Iterable<Path>) entries::iterator) {
        if (withLock || !entry.getFileName().toString().equals(LOCK_NAME)) {
          delete(entry);
        }
      }
    }
  }

  private static void delete(Path path) throws IOException {
    if (!Files.exists(path)) {
      return;
    }
    Files.walkFileTree(
        path,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path folder, IOException e) throws IOException {
            if (e != null) {
              throw e;
            }
            Files.delete(folder);
            return FileVisitResult.CONTINUE;
          }
        });
  }

  /** Deletes everything unless finished. */
  @Override
  public void close() throws IOException {
    try (lock) {
      if (!finished && Files.exists(part)) {
        deleteAll(true);
        Files.deleteIfExists(part);
      }
    }
  }
}
