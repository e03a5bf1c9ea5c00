package dev.quern.experts;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * Gives up the resident expert of least value. Time is counted per layer, in tokens that passed it:
 * layers are visited in turns, so by any common clock the layer visited next would hold the oldest
 * experts. A victim costs a look at each layer and a pass over the residents of one or two; nothing
 * is allocated after the constructor.
 */
abstract class RankedPolicy implements CachePolicy {
  /** Which experts compete for room. */
  enum Pool {
    /**
     * Layers share the capacity by their weights, to within one expert: the victim is of the
     * incoming expert's layer unless another layer is fuller. For values that say nothing across
     * layers; from a common pool, layers would take each other's experts just before they are
     * needed, which costs half the misses of a visit (measured on uniform routing: 0.234 instead of
     * 0.25).
     */
    SHARES,
    /** All experts of all layers. Of equals one goes whose layer is visited last. */
    ONE
  }

  protected static final IntPredicate ANY = key -> true;

  protected final CacheShape shape;
  private final Pool pool;
  private final long[] now; // per layer, tokens that have passed it
  private final int[] residents; // [numLayers, numExperts] keys; of each layer the first counts
  private final int[] counts; // residents per layer
  private final int[] place; // of each key among its layer's residents; −1 if not resident
  private final int[] least; // per layer, the key of least value; −1 if not known
  private final boolean[] asked; // per layer, in the search for a victim
  private int current; // the layer routed last
  private int layersSeen; // that have experts
  private int capacity;

  RankedPolicy(CacheShape shape, Pool pool) {
    this.shape = shape;
    this.pool = pool;
    capacity = shape.capacity();
    now = new long[shape.numLayers()];
    residents = new int[shape.keys()];
    counts = new int[shape.numLayers()];
    place = new int[shape.keys()];
    Arrays.fill(place, -1);
    least = new int[shape.numLayers()];
    Arrays.fill(least, -1);
    asked = new boolean[shape.numLayers()];
  }

  /** How much room a layer gets relative to others, of a pool with shares. */
  protected double weight(int layer) {
    return 1;
  }

  /** What a resident is worth; the least is given up, of equals in a layer the lowest key. */
  protected abstract double value(int key);

  /**
   * A token uses an expert.
   *
   * @param time the token's number in the layer, from 1
   */
  protected abstract void used(int key, long time);

  /** Tokens that have passed a layer. */
  protected final long now(int layer) {
    return now[layer];
  }

  protected final boolean isResident(int key) {
    return place[key] >= 0;
  }

  /** The layer routed last. */
  protected final int current() {
    return current;
  }

  /** An even share of the capacity, at least 1. */
  protected final int share() {
    return Math.max(1, capacity / Math.max(1, layersSeen));
  }

  /** Values of a layer have changed. */
  protected final void changed(int layer) {
    least[layer] = -1;
  }

  @Override
  public void routed(RoutedTokens routed) {
    int layer = routed.layer();
    int topK = routed.topK();
    int[] experts = routed.experts();
    layersSeen += now[layer] == 0 ? 1 : 0;
    current = layer;
    changed(layer);
    for (int t = 0; t < routed.tokens(); t++) {
      now[layer]++;
      for (int k = t * topK; k < (t + 1) * topK; k++) {
        if (experts[k] >= 0) { // −1: dropped
          used(shape.key(layer, experts[k]), now[layer]);
        }
      }
    }
  }

  @Override
  public void admitted(int key) {
    if (place[key] < 0) {
      int layer = shape.layer(key);
      place[key] = counts[layer];
      residents[layer * shape.numExperts() + counts[layer]++] = key;
      changed(layer);
    }
  }

  @Override
  public void removed(int key) {
    if (place[key] >= 0) {
      int layer = shape.layer(key);
      int last = residents[layer * shape.numExperts() + --counts[layer]];
      residents[layer * shape.numExperts() + place[key]] = last;
      place[last] = place[key];
      place[key] = -1;
      changed(layer);
    }
  }

  @Override
  public void resize(int newCapacity) {
    capacity = newCapacity;
  }

  @Override
  public int victim(int incoming, IntPredicate mayLeave) {
    int home = incoming < 0 ? -1 : shape.layer(incoming); // −1: the cache shrinks
    int victim =
        switch (pool) {
          case SHARES -> ofFullestLayer(home, mayLeave);
          case ONE -> ofAll(mayLeave);
        };
    if (victim < 0) {
      throw new IllegalArgumentException("no expert may leave for " + incoming);
    }
    return victim;
  }

  private int ofFullestLayer(int home, IntPredicate mayLeave) {
    Arrays.fill(asked, false);
    for (int tries = 0; tries < counts.length; tries++) { // mostly the first answers
      int fullest = -1;
      double most = 0;
      for (int layer = 0; layer < counts.length; layer++) {
        double full = (counts[layer] + (layer == home ? 1 : 0)) / weight(layer);
        if (!asked[layer] && (full > most || (full == most && layer == home))) {
          fullest = layer;
          most = full;
        }
      }
      int victim = fullest < 0 ? -1 : leastOf(fullest, mayLeave);
      if (fullest < 0 || victim >= 0) {
        return victim;
      }
      asked[fullest] = true;
    }
    return -1;
  }

  private int ofAll(IntPredicate mayLeave) {
    int victim = -1;
    double leastValue = Double.POSITIVE_INFINITY;
    for (int i = 0; i < counts.length; i++) { // from the layer visited last backwards
      int layer = Math.floorMod(current - i, counts.length);
      int key = leastOf(layer, mayLeave);
      if (key >= 0 && (victim < 0 || value(key) < leastValue)) {
        victim = key;
        leastValue = value(key);
      }
    }
    return victim;
  }

  /** The key of least value in a layer that may leave; −1 if none. */
  protected int leastOf(int layer, IntPredicate mayLeave) {
    if (least[layer] < 0) {
      least[layer] = scan(layer, ANY);
    }
    return least[layer] < 0 || mayLeave.test(least[layer]) ? least[layer] : scan(layer, mayLeave);
  }

  private int scan(int layer, IntPredicate mayLeave) {
    int from = layer * shape.numExperts();
    int found = -1;
    double foundValue = Double.POSITIVE_INFINITY;
    for (int i = from; i < from + counts[layer]; i++) {
      int key = residents[i];
      double value = value(key);
      boolean less = value < foundValue || (value == foundValue && key < found);
      if ((less || found < 0) && mayLeave.test(key)) {
        found = key;
        foundValue = value;
      }
    }
    return found;
  }
}
