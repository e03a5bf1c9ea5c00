package dev.quern.bench.plan;

import dev.quern.experts.CachePolicy;
import dev.quern.experts.CachePolicyKind;
import dev.quern.experts.CacheShape;
import dev.quern.experts.RoutedTokens;
import java.util.Arrays;
import java.util.Optional;

/** Runs a trace through a cache policy and counts how many experts each visit misses. */
final class Replay {
  private static final float[] NO_INPUT = {};
  private static final int[] NO_IDS = {0};

  private final RoutingTrace trace;
  private final CacheShape shape;
  private final CachePolicy policy;
  private final boolean[] resident;
  private final boolean[] inUse;
  private int residents;

  private Replay(RoutingTrace trace, CacheShape shape, CachePolicyKind kind) {
    this.trace = trace;
    this.shape = shape;
    policy = kind.create(shape, Optional.empty());
    resident = new boolean[shape.keys()];
    inUse = new boolean[shape.keys()];
  }

  /**
   * @param share of all experts that fit, 0 to 1; at least the experts of one visit do
   */
  static MissCounts misses(RoutingTrace trace, CachePolicyKind kind, double share) {
    int layers = trace.experts().length;
    int all = layers * trace.numExperts();
    int capacity = (int) Math.clamp(Math.round(share * all), trace.topK(), all);
    if (capacity == all) {
      return MissCounts.none(trace.topK());
    }
    CacheShape shape = new CacheShape(layers, trace.numExperts(), trace.topK(), capacity);
    return new Replay(trace, shape, kind).run();
  }

  /** The first fifth of the tokens fills the cache and is not counted. */
  private MissCounts run() {
    int topK = trace.topK();
    double[] counts = new double[topK + 1];
    RoutedTokens routed = new RoutedTokens();
    float[] scores = new float[trace.numExperts()]; // unknown: 0 tells policies nothing
    int[] used = new int[topK];
    float[] weights = new float[topK];
    int counted = 0;
    for (int t = 0; t < trace.tokens(); t++) {
      for (int layer = 0; layer < trace.experts().length; layer++) {
        System.arraycopy(trace.experts()[layer], t * topK, used, 0, topK);
        routed.set(
            layer, t, 1, NO_IDS, 0, NO_INPUT, 0, scores, trace.numExperts(), used, weights, topK);
        policy.routed(routed);
        int missed = visit(layer, used);
        if (t >= trace.tokens() / 5) {
          counts[missed]++;
          counted++;
        }
      }
    }
    int visits = counted;
    return new MissCounts(Arrays.stream(counts).map(count -> count / visits).toArray());
  }

  private int visit(int layer, int[] used) {
    for (int expert : used) {
      inUse[shape.key(layer, expert)] = true;
    }
    int missed = 0;
    for (int expert : used) {
      int key = shape.key(layer, expert);
      if (!resident[key]) {
        missed++;
        if (residents == shape.capacity()) {
          int victim = policy.victim(key, k -> resident[k] && !inUse[k]);
          resident[victim] = false;
          residents--;
          policy.removed(victim);
        }
        resident[key] = true;
        residents++;
        policy.admitted(key);
      }
    }
    for (int expert : used) {
      inUse[shape.key(layer, expert)] = false;
    }
    return missed;
  }
}
