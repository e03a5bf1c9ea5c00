package dev.quern.system;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;

/** A small file that the system writes anew for every reading, kept open. */
final class StatusFile {
  private static final int MAX_BYTES = 1 << 14;

  private final RandomAccessFile file;
  private final byte[] bytes = new byte[MAX_BYTES];

  private StatusFile(RandomAccessFile file) {
    this.file = file;
  }

  /** Empty if there is no such file, or no right to read it. */
  static Optional<StatusFile> open(Path path) {
    try {
      return Optional.of(new StatusFile(new RandomAccessFile(path.toFile(), "r")));
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /** The number that is all it holds; {@link Long#MAX_VALUE} for another word. */
  long number() throws IOException {
    int length = load();
    return length > 0 && isDigit(bytes[0]) ? digits(0, length) : Long.MAX_VALUE;
  }

  /** The number after a word at the beginning of a line; −1 if there is no such line. */
  long number(String key) throws IOException {
    byte[] word = (key + " ").getBytes(StandardCharsets.US_ASCII);
    int length = load();
    for (int line = 0; line < length; ) {
      if (startsWith(line, length, word)) {
        int at = line + word.length;
        while (at < length && bytes[at] == ' ') {
          at++;
        }
        return digits(at, length);
      }
      while (line < length && bytes[line] != '\n') {
        line++;
      }
      line++;
    }
    return -1;
  }

  private boolean startsWith(int from, int length, byte[] word) {
    if (from + word.length > length) {
      return false;
    }
    for (int i = 0; i < word.length; i++) {
      if (bytes[from + i] != word[i]) {
        return false;
      }
    }
    return true;
  }

  private int load() throws IOException {
    file.seek(0);
    int length = 0;
    int read;
    while (length < bytes.length && (read = file.read(bytes, length, bytes.length - length)) > 0) {
      length += read;
    }
    return length;
  }

  private long digits(int from, int length) {
    long value = 0;
    for (int at = from; at < length && isDigit(bytes[at]); at++) {
      if (value > (Long.MAX_VALUE - 9) / 10) {
        return Long.MAX_VALUE;
      }
      value = 10 * value + (bytes[at] - '0');
    }
    return value;
  }

  private static boolean isDigit(byte b) {
    return b >= '0' && b <= '9';
  }

  void close() {
    try {
      file.close();
    } catch (IOException e) {
      // it was only read: nothing can be lost
    }
  }
}
