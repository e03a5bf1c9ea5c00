package dev.quern.bench.quality;

import dev.quern.format.FormatException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Reads the text of an evaluation. */
public final class Texts {
  private static final long MAX_BYTES = 256L << 20; // tokens of all of it are held in memory

  private Texts() {}

  /**
   * A file, or the *.txt of a folder in the order of their names, one after the other.
   *
   * @throws FormatException if there is no text, too much of it, or it is not UTF-8
   */
  public static String read(Path fileOrFolder) throws IOException {
    if (!Files.exists(fileOrFolder)) {
      throw new NoSuchFileException(fileOrFolder.toString());
    }
    List<Path> files = List.of(fileOrFolder);
    if (Files.isDirectory(fileOrFolder)) {
      try (Stream<Path> found = Files.list(fileOrFolder)) {
        files = found.filter(path -> path.toString().endsWith(".txt")).sorted().toList();
      }
    }
    StringBuilder text = new StringBuilder();
    long bytes = 0;
    for (Path file : files) {
      bytes += Files.size(file);
      if (bytes > MAX_BYTES) {
        throw FormatException.of(
            file, "the file", "text so far in bytes", "at most " + MAX_BYTES, bytes, "Split it");
      }
      try {
        text.append(Files.readString(file));
      } catch (CharacterCodingException e) {
        throw new FormatException(file.getFileName() + ": not UTF-8. Is it a text file?", e);
      }
    }
    if (text.isEmpty()) {
      throw new FormatException(fileOrFolder + ": no text. A folder needs *.txt files");
    }
    return text.toString();
  }
}
