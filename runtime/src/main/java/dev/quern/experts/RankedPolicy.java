package dev.quern.experts;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * Gives up the resident expert of least value. Layers share the capacity evenly, to within one
 * expert: the victim is of the incoming expert's layer unless another layer holds more. One pool
 * for all layers would not do: they are visited in turns, so by mere recency the layer visited next
 * would hold the oldest experts, and values of different layers would have to be comparable.
 *
 * <p>Time is counted per layer, in tokens that passed it. A victim costs one pass over the
 * residents of one layer; nothing is allocated after the constructor.
 */
abstract class RankedPolicy implements CachePolicy {
  protected final CacheShape shape;
  private final long[] now; // per layer, tokens that have passed it
  private final int[] residents; // [numLayers, numExperts] keys; of each layer the first counts
  private final int[] counts; // residents per layer
  private final int[] place; // of each key among its layer's residents; −1 if not resident

  RankedPolicy(CacheShape shape) {
    this.shape = shape;
    now = new long[shape.numLayers()];
    residents = new int[shape.keys()];
    counts = new int[shape.numLayers()];
    place = new int[shape.keys()];
    Arrays.fill(place, -1);
  }

  /** What a resident is worth; the least is given up, of equals the lowest key. */
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

  @Override
  public void routed(RoutedTokens routed) {
    int layer = routed.layer();
    int topK = routed.topK();
    int[] experts = routed.experts();
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
    }
  }

  @Override
  public int victim(int incoming, IntPredicate mayLeave) {
    int home = shape.layer(incoming);
    int most = 0;
    for (int layer = 0; layer < counts.length; layer++) {
      most = Math.max(most, counts[layer] + (layer == home ? 1 : 0));
    }
    for (int size = most; size > 0; size--) { // mostly done after the first
      int victim = counts[home] + 1 == size ? leastOf(home, mayLeave) : -1;
      for (int layer = 0; layer < counts.length; layer++) {
        if (layer != home && counts[layer] == size) {
          victim = victim < 0 ? leastOf(layer, mayLeave) : victim;
        }
      }
      if (victim >= 0) {
        return victim;
      }
    }
    throw new IllegalArgumentException("no expert may leave for " + incoming);
  }

  private int leastOf(int layer, IntPredicate mayLeave) {
    int from = layer * shape.numExperts();
    int least = -1;
    double leastValue = Double.POSITIVE_INFINITY;
    for (int i = from; i < from + counts[layer]; i++) {
      int key = residents[i];
      double value = value(key);
      boolean less = value < leastValue || (value == leastValue && key < least);
      if ((less || least < 0) && mayLeave.test(key)) {
        least = key;
        leastValue = value;
      }
    }
    return least;
  }
}
