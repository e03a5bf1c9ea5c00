package dev.quern.experts;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * Adaptive replacement: per layer a list of experts used once and one of experts used again, each
 * with a list of those that have lately left it. A use of one that has left list 1 lets list 1
 * grow, of one that has left list 2, list 2. Layers share the capacity evenly.
 *
 * <p>Source: Megiddo, Modha, "ARC: a self-tuning, low overhead replacement cache", FAST 2003,
 * figure 4. Deviations: experts in use cannot leave, so the other list is asked when one has none;
 * an expert that was prefetched is the oldest of list 1 until its first use makes it the newest.
 */
final class ArcPolicy extends RankedPolicy {
  /** Where a key is listed: T1, T2 in memory, B1, B2 gone. */
  enum Place {
    NOWHERE,
    T1,
    T2,
    B1,
    B2
  }

  private static final Place[] PLACES = Place.values();
  private static final double OLDEST = 0x1p51; // more than any time
  private static final double OTHER_LIST = 2 * OLDEST;

  private final Place[] places; // per key
  private final long[] stamps; // per key, when it came to the end of its list
  private final boolean[] awaited; // per key not in memory: was used, and has not come since
  private final boolean[] again; // per key not in memory: goes to T2 when it comes
  private final boolean[] unusedAhead; // per key in memory: prefetched and not used yet
  private final int[] sizes; // [numLayers, places]
  private final double[] target; // per layer, p: the size that T1 should have
  private final boolean[] fromB2; // per key, whether it was in B2 when used last
  private long stamp;
  private boolean preferFirst; // T1 gives up the next victim
  private boolean incomingFromB2;

  ArcPolicy(CacheShape shape) {
    super(shape, Pool.SHARES);
    places = new Place[shape.keys()];
    Arrays.fill(places, Place.NOWHERE);
    stamps = new long[shape.keys()];
    awaited = new boolean[shape.keys()];
    again = new boolean[shape.keys()];
    unusedAhead = new boolean[shape.keys()];
    fromB2 = new boolean[shape.keys()];
    sizes = new int[shape.numLayers() * PLACES.length];
    target = new double[shape.numLayers()];
  }

  int size(int layer, Place place) {
    return sizes[layer * PLACES.length + place.ordinal()];
  }

  double target(int layer) {
    return target[layer];
  }

  @Override
  protected void used(int key, long time) {
    int layer = shape.layer(key);
    double b1 = size(layer, Place.B1);
    double b2 = size(layer, Place.B2);
    fromB2[key] = places[key] == Place.B2;
    awaited[key] = !isResident(key);
    switch (places[key]) {
      case NOWHERE -> {}
      case T1, T2 -> {
        move(key, unusedAhead[key] ? Place.T1 : Place.T2);
        unusedAhead[key] = false;
      }
      case B1 -> {
        target[layer] = Math.min(share(), target[layer] + Math.max(1, b2 / b1));
        again[key] = true;
      }
      case B2 -> {
        target[layer] = Math.max(0, target[layer] - Math.max(1, b1 / b2));
        again[key] = true;
      }
    }
  }

  @Override
  public void admitted(int key) {
    super.admitted(key);
    move(key, again[key] ? Place.T2 : Place.T1);
    unusedAhead[key] = !awaited[key];
    again[key] = false;
    awaited[key] = false;
    trim(shape.layer(key));
  }

  @Override
  public void removed(int key) {
    super.removed(key);
    switch (places[key]) {
      case T1 -> move(key, Place.B1);
      case T2 -> move(key, Place.B2);
      case NOWHERE, B1, B2 -> {}
    }
    trim(shape.layer(key));
  }

  /** Forgets the oldest that have left: T1 and B1 hold at most c keys, all lists at most 2c. */
  private void trim(int layer) {
    int c = share();
    while (size(layer, Place.T1) + size(layer, Place.B1) > c && size(layer, Place.B1) > 0) {
      move(oldest(layer, Place.B1), Place.NOWHERE);
    }
    int in = size(layer, Place.T1) + size(layer, Place.T2);
    while (in + size(layer, Place.B1) + size(layer, Place.B2) > 2 * c
        && size(layer, Place.B2) > 0) {
      move(oldest(layer, Place.B2), Place.NOWHERE);
    }
  }

  private int oldest(int layer, Place place) {
    int from = shape.key(layer, 0);
    int found = -1;
    for (int key = from; key < from + shape.numExperts(); key++) {
      if (places[key] == place && (found < 0 || stamps[key] < stamps[found])) {
        found = key;
      }
    }
    return found;
  }

  private void move(int key, Place to) {
    int base = shape.layer(key) * PLACES.length;
    sizes[base + places[key].ordinal()]--;
    sizes[base + to.ordinal()]++;
    places[key] = to;
    stamps[key] = ++stamp;
  }

  @Override
  public int victim(int incoming, IntPredicate mayLeave) {
    incomingFromB2 = incoming >= 0 && fromB2[incoming];
    return super.victim(incoming, mayLeave);
  }

  /** REPLACE of the paper, by values that put one list before the other. */
  @Override
  protected int leastOf(int layer, IntPredicate mayLeave) {
    int first = size(layer, Place.T1);
    preferFirst = first > target[layer] || (incomingFromB2 && first == target[layer]);
    changed(layer);
    return super.leastOf(layer, mayLeave);
  }

  @Override
  protected double value(int key) {
    boolean preferred = (places[key] == Place.T1) == preferFirst;
    double stamp = unusedAhead[key] ? stamps[key] - OLDEST : stamps[key];
    return preferred ? stamp : stamp + OTHER_LIST;
  }
}
