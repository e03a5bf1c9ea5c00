package dev.quern.experts;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * Which experts a predictor expects in visits to come, and which of them are still to be read
 * ahead. Visits are numbered in steps of the layers: see {@link #upcoming}. Not for several
 * threads.
 */
final class Predictions {
  private final int numLayers;
  private final long[] due; // of each key, the visit that is expected to use it; 0 if none
  private int[] keys = new int[16]; // those with a due visit, by probability within a visit
  private boolean[] untried = new boolean[16]; // whether it may be read ahead
  private int size;
  private long now = -1;
  private long cancelled;

  Predictions(CacheShape shape) {
    numLayers = shape.numLayers();
    due = new long[shape.keys()];
  }

  /** The number of the next visit of a layer: the least above the present one's, by layers. */
  long upcoming(int layer) {
    return now + 1 + Math.floorMod(layer - (now + 1), numLayers);
  }

  /** A visit begins: what was expected until now is past. */
  void begin(int layer) {
    now = upcoming(layer);
    keep(Long.MIN_VALUE);
  }

  /**
   * The experts of a visit, most probable first; replaces what was expected of it before. An expert
   * that two visits are expected to use counts for the nearer.
   *
   * @param present keys that are in memory or being read
   */
  void expect(long visit, int[] newKeys, int count, IntPredicate present) {
    if (visit <= now) {
      return; // the model was faster than the predictor
    }
    keep(visit);
    for (int i = 0; i < count; i++) {
      add(visit, newKeys[i], present);
    }
  }

  /** An expert that may be used again, later than any visit that is predicted. */
  void wish(int layer, int key, IntPredicate present) {
    add(upcoming(layer) + 2L * numLayers, key, present);
  }

  private void add(long visit, int key, IntPredicate present) {
    if (due[key] != 0) {
      due[key] = Math.min(due[key], visit);
      return;
    }
    if (size == keys.length) {
      keys = Arrays.copyOf(keys, 2 * size);
      untried = Arrays.copyOf(untried, 2 * size);
    }
    keys[size] = key;
    untried[size++] = !present.test(key);
    due[key] = visit;
  }

  /** Drops what is past, and what was expected of one visit. */
  private void keep(long butVisit) {
    int kept = 0;
    for (int i = 0; i < size; i++) {
      long visit = due[keys[i]];
      if (visit <= now || visit == butVisit) {
        due[keys[i]] = 0;
        cancelled += untried[i] ? 1 : 0;
      } else {
        keys[kept] = keys[i];
        untried[kept++] = untried[i];
      }
    }
    size = kept;
  }

  int size() {
    return size;
  }

  int key(int i) {
    return keys[i];
  }

  /**
   * The experts of a visit, most probable first.
   *
   * @param found keys are written from 0 on, as many as there is room for
   * @return how many
   */
  int of(long visit, int[] found, int room) {
    int count = 0;
    for (int i = 0; i < size && count < room; i++) {
      if (due[keys[i]] == visit) {
        found[count++] = keys[i];
      }
    }
    return count;
  }

  /** The visit that is expected to use an expert; 0 if none is. */
  long due(int key) {
    return due[key];
  }

  /**
   * The next to be read ahead, nearest visit first: an index, or −1.
   *
   * @param present keys that are in memory or being read; they are not wanted any more
   */
  int next(IntPredicate present) {
    int nearest = -1;
    for (int i = 0; i < size; i++) {
      if (untried[i] && present.test(keys[i])) {
        untried[i] = false;
      }
      if (untried[i] && (nearest < 0 || due[keys[i]] < due[keys[nearest]])) {
        nearest = i;
      }
    }
    return nearest;
  }

  /** One that {@link #next} gave is being read. */
  void tried(int i) {
    untried[i] = false;
  }

  long cancelled() {
    return cancelled;
  }
}
