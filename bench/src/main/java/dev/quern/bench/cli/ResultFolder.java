package dev.quern.bench.cli;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Where results of long work go at its end, made and tried at its beginning. Closing it deletes
 * what was made if nothing was written there.
 */
final class ResultFolder implements AutoCloseable {
  private final List<Path> made = new ArrayList<>(); // outermost first

  private ResultFolder() {}

  /**
   * @param folder made if missing, with those that it lies in
   * @throws IOException if it cannot be made, is no folder, or cannot be written to
   */
  static ResultFolder open(Path folder) throws IOException {
    ResultFolder opened = new ResultFolder();
    try {
      opened.make(folder.toAbsolutePath());
      if (!Files.isDirectory(folder)) {
        throw new NotDirectoryException(folder.toString());
      }
      if (!Files.isWritable(folder)) {
        throw new AccessDeniedException(folder.toString());
      }
    } catch (Throwable e) {
      opened.close();
      throw e;
    }
    return opened;
  }

  private void make(Path folder) throws IOException {
    Deque<Path> missing = new ArrayDeque<>();
    for (Path path = folder; path != null && !Files.exists(path); path = path.getParent()) {
      missing.push(path);
    }
    for (Path path : missing) {
      Files.createDirectory(path);
      made.add(path);
    }
  }

  @Override
  public void close() throws IOException {
    try {
      for (Path path : made.reversed()) {
        Files.deleteIfExists(path);
      }
    } catch (DirectoryNotEmptyException e) {
      // it has results
    }
  }
}
