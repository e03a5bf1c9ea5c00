package dev.quern.text;

import java.util.List;

/**
 * Cuts a stream of text at the first stop string, wherever the chunks fall: text that may yet turn
 * out to be the beginning of a stop string is held back, everything else passes at once.
 *
 * <p>The first stop string to be complete wins; of two complete at the same character, the longer.
 * The stop string itself is not part of the output. Not for several threads.
 */
public final class StopStrings {
  private final List<String> stops;
  private final StringBuilder held = new StringBuilder();
  private boolean stopped;

  /**
   * @throws IllegalArgumentException if a stop string is empty
   */
  public StopStrings(List<String> stops) {
    if (stops.contains("")) {
      throw new IllegalArgumentException(
          "stop string: expected at least one character, found none");
    }
    this.stops = List.copyOf(stops);
  }

  /** Adds text; returns what is certain to precede every stop string. Empty once stopped. */
  public String push(String text) {
    if (stopped) {
      return "";
    }
    for (int i = 0; i < text.length(); i++) {
      held.append(text.charAt(i));
      int longest = 0;
      for (String stop : stops) {
        if (stop.length() > longest && endsWith(stop, stop.length())) {
          longest = stop.length();
        }
      }
      if (longest > 0) {
        stopped = true;
        String before = held.substring(0, held.length() - longest);
        held.setLength(0);
        return before;
      }
    }
    int safe = held.length() - undecided();
    String out = held.substring(0, safe);
    held.delete(0, safe);
    return out;
  }

  /** Whether a stop string has been seen. */
  public boolean stopped() {
    return stopped;
  }

  /** Ends the text: what was held back was no stop string after all. */
  public String finish() {
    String rest = held.toString();
    held.setLength(0);
    return rest;
  }

  /** Length of the longest end of {@code held} that begins a stop string. */
  private int undecided() {
    int longest = 0;
    for (String stop : stops) {
      int length = Math.min(held.length(), stop.length() - 1);
      while (length > longest && !endsWith(stop, length)) {
        length--;
      }
      longest = Math.max(longest, length);
    }
    return longest;
  }

  /** Whether {@code held} ends with the first {@code length} characters of {@code stop}. */
  private boolean endsWith(String stop, int length) {
    int start = held.length() - length;
    if (start < 0) {
      return false;
    }
    for (int i = 0; i < length; i++) {
      if (held.charAt(start + i) != stop.charAt(i)) {
        return false;
      }
    }
    return true;
  }
}
