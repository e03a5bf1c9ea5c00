package dev.quern.bench.quality;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Cuts a text's tokens into windows. */
public final class Windows {
  private Windows() {}

  /**
   * Consecutive windows without overlap; the last one may be shorter. A window of one token
   * predicts nothing and is left out.
   *
   * @param length tokens of a window, at least 2
   */
  public static List<int[]> cut(int[] ids, int length) {
    if (length < 2) {
      throw new IllegalArgumentException("windows of " + length + " tokens predict nothing");
    }
    List<int[]> windows = new ArrayList<>();
    for (int from = 0; from + 1 < ids.length; from += length) {
      windows.add(Arrays.copyOfRange(ids, from, Math.min(ids.length, from + length)));
    }
    return windows;
  }

  /**
   * Evenly spaced windows, the first one included; all of them if count is not smaller than their
   * number. (The first few would all be of the first document.)
   *
   * @param count at least 1
   */
  public static List<int[]> choose(List<int[]> windows, int count) {
    if (count < 1) {
      throw new IllegalArgumentException("number of windows: expected at least 1, found " + count);
    }
    if (count >= windows.size()) {
      return windows;
    }
    List<int[]> chosen = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      chosen.add(windows.get((int) ((long) i * windows.size() / count)));
    }
    return chosen;
  }
}
