package dev.quern.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** Texts given on the command line. */
final class Input {
  private static final String STDIN = "-";

  private Input() {}

  /** The text itself; for {@code -} standard input as UTF-8, without its final line break. */
  static String text(String argument) throws IOException {
    if (!argument.equals(STDIN)) {
      return argument;
    }
    String text = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
    return text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
  }
}
