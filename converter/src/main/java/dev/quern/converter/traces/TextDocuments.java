package dev.quern.converter.traces;

import dev.quern.format.FormatException;
import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;

/**
 * The documents of a dataset, one after the other: a text file, cut at the text of the end token,
 * or a folder of such files in the order of their names. Files whose names end in {@code .gz} are
 * unpacked. What is blank between two end tokens is no document.
 */
final class TextDocuments implements Closeable {
  /** A document is held as a whole. */
  private static final int MAX_CHARACTERS = 256 << 20;

  private static final int BUFFER = 1 << 16;
  private static final String GZIP = ".gz";

  private final List<Path> files;
  private final boolean folder;
  private final String endToken;
  private final MessageDigest whole = sha256();
  private final StringBuilder text = new StringBuilder();
  private final char[] buffer = new char[BUFFER];
  private int next; // of files
  private int searched; // of text: no end token begins before
  private MessageDigest digest; // of the present file
  private String checksum = ""; // of the only file
  private Reader reader;

  private TextDocuments(List<Path> files, boolean folder, String endToken) {
    this.files = files;
    this.folder = folder;
    this.endToken = endToken;
  }

  /**
   * @throws FormatException if there is no such dataset
   */
  static TextDocuments open(Path dataset, String endToken) throws IOException {
    if (endToken.isEmpty()) {
      throw new IllegalArgumentException("end token: expected text, found none");
    }
    if (!Files.exists(dataset)) {
      throw new FormatException(dataset + ": no such file or folder. Check --dataset");
    }
    if (!Files.isDirectory(dataset)) {
      return new TextDocuments(List.of(dataset), false, endToken);
    }
    try (Stream<Path> entries = Files.list(dataset)) {
      List<Path> files =
          entries
              .filter(
                  file -> file.toString().endsWith(".txt") || file.toString().endsWith(".txt.gz"))
              .sorted()
              .toList();
      if (files.isEmpty()) {
        throw new FormatException(
            dataset + ": expected .txt or .txt.gz files, found none. Check --dataset");
      }
      return new TextDocuments(files, true, endToken);
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  /**
   * The text of the next document, without its end token; empty after the last.
   *
   * @throws FormatException if a file is no text in UTF-8 or a document is too long
   */
  Optional<String> next() throws IOException {
    while (true) {
      if (reader == null) {
        if (next == files.size()) {
          return Optional.empty();
        }
        open(files.get(next++));
      }
      String document = read();
      if (!document.isBlank()) {
        return Optional.of(document);
      }
    }
  }

  /** Up to the next end token or the end of the file. */
  private String read() throws IOException {
    while (true) {
      int end = text.indexOf(endToken, searched);
      if (end >= 0) {
        String document = text.substring(0, end);
        text.delete(0, end + endToken.length());
        searched = 0;
        return document;
      }
      searched = Math.max(0, text.length() - endToken.length() + 1);
      if (!fill()) {
        String document = text.toString();
        text.setLength(0);
        searched = 0;
        closeFile();
        return document;
      }
    }
  }

  private boolean fill() throws IOException {
    Path file = files.get(next - 1);
    int read;
    try {
      read = reader.read(buffer);
    } catch (CharacterCodingException e) {
      throw new FormatException(file + ": not UTF-8. Convert it first", e);
    } catch (IOException e) {
      throw new FormatException(
          file + ": not readable: " + FormatException.quote(e.getMessage()), e);
    }
    if (read < 0) {
      return false;
    }
    if (text.length() + read > MAX_CHARACTERS) {
      throw new FormatException(
          "%s: document: expected at most %d characters between two '%s', found more"
              .formatted(file, MAX_CHARACTERS, endToken));
    }
    text.append(buffer, 0, read);
    return true;
  }

  private void open(Path file) throws IOException {
    digest = sha256();
    InputStream in = new BufferedInputStream(Files.newInputStream(file), BUFFER);
    try {
      InputStream unpacked = file.toString().endsWith(GZIP) ? new GZIPInputStream(in, BUFFER) : in;
      reader =
          new InputStreamReader(
              new DigestInputStream(unpacked, digest),
              StandardCharsets.UTF_8
                  .newDecoder()
                  .onMalformedInput(CodingErrorAction.REPORT)
                  .onUnmappableCharacter(CodingErrorAction.REPORT));
    } catch (IOException e) {
      in.close();
      throw new FormatException(
          file + ": not readable: " + FormatException.quote(e.getMessage()), e);
    }
  }

  private void closeFile() throws IOException {
    reader.close();
    reader = null;
    byte[] sum = digest.digest();
    if (folder) {
      whole.update(files.get(next - 1).getFileName().toString().getBytes(StandardCharsets.UTF_8));
      whole.update((byte) 0);
      whole.update(sum);
    } else {
      checksum = HexFormat.of().formatHex(sum);
    }
  }

  /**
   * SHA-256, in hexadecimal digits, of what was read: after the last document, of the unpacked
   * file; of a folder, over each file's name, a zero byte and the 32 bytes of its own sum.
   */
  String checksum() {
    return folder ? HexFormat.of().formatHex(whole.digest()) : checksum;
  }

  @Override
  public void close() throws IOException {
    if (reader != null) {
      reader.close();
    }
  }
}
