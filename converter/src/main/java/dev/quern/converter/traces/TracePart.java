package dev.quern.converter.traces;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The piece of work of one task: some documents of one split, and one file per layer.
 *
 * @param number in its split, from 0
 * @param firstWindow number of the first window, of continuous traces; else 0
 * @param slices tokens in the order of the text
 */
record TracePart(Split split, int number, int firstWindow, List<Slice> slices)
    implements Serializable {

  /**
   * Consecutive tokens of one document.
   *
   * @param offset of the first in the file of all tokens, in tokens
   */
  record Slice(int document, long offset, int tokens) implements Serializable {}

  /** Tokens that pass the model together, of one document or of several. */
  record Window(int number, List<Slice> slices) {
    int tokens() {
      return slices.stream().mapToInt(Slice::tokens).sum();
    }
  }

  TracePart {
    slices = List.copyOf(slices);
  }

  long tokens() {
    return slices.stream().mapToLong(Slice::tokens).sum();
  }

  /** Path of the file of a layer below the folder of the traces. */
  static String path(Split split, int layer, int part) {
    return String.format(
        Locale.ROOT, "%s/layer=%05d/part-%05d.parquet", split.folder(), layer, part);
  }

  /**
   * @param tokens longest window
   * @param continuous whether windows go on over the ends of documents
   */
  List<Window> windows(int tokens, boolean continuous) {
    List<Window> windows = new ArrayList<>();
    if (continuous) {
      cut(slices, tokens, firstWindow, windows);
    } else {
      slices.forEach(slice -> cut(List.of(slice), tokens, 0, windows));
    }
    return windows;
  }

  private static void cut(List<Slice> text, int tokens, int first, List<Window> windows) {
    int number = first;
    List<Slice> open = new ArrayList<>();
    int room = tokens;
    for (Slice slice : text) {
      for (int from = 0; from < slice.tokens(); ) {
        int taken = Math.min(room, slice.tokens() - from);
        open.add(new Slice(slice.document(), slice.offset() + from, taken));
        from += taken;
        room -= taken;
        if (room == 0) {
          windows.add(new Window(number++, List.copyOf(open)));
          open.clear();
          room = tokens;
        }
      }
    }
    if (!open.isEmpty()) {
      windows.add(new Window(number, List.copyOf(open)));
    }
  }
}
