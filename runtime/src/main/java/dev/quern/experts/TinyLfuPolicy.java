package dev.quern.experts;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * W-TinyLFU: newcomers pass a small window; whoever leaves it is kept only if it was used more
 * often lately than the expert that would go for it. The main part is a segmented LRU: on probation
 * until used again, then protected. Layers share the capacity evenly.
 *
 * <p>Source: Einziger, Friedman, Manes, "TinyLFU: a highly efficient cache admission policy", ACM
 * ToS 2017. Deviations: uses are counted exactly, as experts are few, not in a sketch; the window
 * holds the experts of one token instead of 1 %, as they come together and cannot leave at once.
 */
final class TinyLfuPolicy extends RankedPolicy {
  /** Part of a layer's cache. */
  enum Segment {
    OUTSIDE,
    WINDOW,
    PROBATION,
    PROTECTED
  }

  private static final Segment[] SEGMENTS = Segment.values();
  private static final double PROTECTED_SHARE = 0.8; // of the main part
  private static final int SAMPLE = 10; // uses per expert of the share until counts are halved

  private final Segment[] segments; // per key
  private final long[] stamps; // per key, when it was used last or came
  private final int[] uses; // per key, halved now and then
  private final int[] sizes; // [numLayers, segments]
  private final int[] sampled; // per layer, uses since counts were halved
  private long stamp;

  TinyLfuPolicy(CacheShape shape) {
    super(shape, Pool.SHARES);
    segments = new Segment[shape.keys()];
    Arrays.fill(segments, Segment.OUTSIDE);
    stamps = new long[shape.keys()];
    uses = new int[shape.keys()];
    sizes = new int[shape.numLayers() * SEGMENTS.length];
    sampled = new int[shape.numLayers()];
  }

  Segment segment(int key) {
    return segments[key];
  }

  int uses(int key) {
    return uses[key];
  }

  private int size(int layer, Segment segment) {
    return sizes[layer * SEGMENTS.length + segment.ordinal()];
  }

  @Override
  protected void used(int key, long time) {
    int layer = shape.layer(key);
    uses[key]++;
    if (++sampled[layer] >= SAMPLE * Math.max(share(), shape.topK())) {
      halve(layer);
    }
    stamps[key] = ++stamp;
    if (segments[key] == Segment.PROBATION) {
      move(key, Segment.PROTECTED);
      int main = share() - Math.min(share(), shape.topK());
      if (size(layer, Segment.PROTECTED) > PROTECTED_SHARE * main) {
        move(oldest(layer, Segment.PROTECTED, ANY), Segment.PROBATION);
      }
    }
  }

  private void halve(int layer) {
    int from = shape.key(layer, 0);
    for (int key = from; key < from + shape.numExperts(); key++) {
      uses[key] /= 2;
    }
    sampled[layer] /= 2;
  }

  @Override
  public void admitted(int key) {
    super.admitted(key);
    stamps[key] = ++stamp;
    move(key, Segment.WINDOW);
  }

  @Override
  public void removed(int key) {
    super.removed(key);
    move(key, Segment.OUTSIDE);
  }

  private void move(int key, Segment to) {
    int base = shape.layer(key) * SEGMENTS.length;
    sizes[base + segments[key].ordinal()]--;
    sizes[base + to.ordinal()]++;
    segments[key] = to;
  }

  private int oldest(int layer, Segment segment, IntPredicate mayLeave) {
    int from = shape.key(layer, 0);
    int found = -1;
    for (int key = from; key < from + shape.numExperts(); key++) {
      if (segments[key] == segment
          && (found < 0 || stamps[key] < stamps[found])
          && mayLeave.test(key)) {
        found = key;
      }
    }
    return found;
  }

  @Override
  protected int leastOf(int layer, IntPredicate mayLeave) {
    int room = share() - shape.topK() - size(layer, Segment.PROBATION);
    room -= size(layer, Segment.PROTECTED);
    for (; room > 0 && size(layer, Segment.WINDOW) > 0; room--) {
      move(oldest(layer, Segment.WINDOW, ANY), Segment.PROBATION);
    }
    int candidate = oldest(layer, Segment.WINDOW, mayLeave);
    int main = oldest(layer, Segment.PROBATION, mayLeave);
    main = main < 0 ? oldest(layer, Segment.PROTECTED, mayLeave) : main;
    if (candidate < 0 || main < 0) {
      return Math.max(candidate, main);
    }
    if (uses[candidate] > uses[main]) {
      move(candidate, Segment.PROBATION);
      return main;
    }
    return candidate;
  }

  @Override
  protected double value(int key) {
    return uses[key];
  }
}
