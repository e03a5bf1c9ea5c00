package dev.quern.bench.cache;

import dev.quern.experts.CachePolicy;
import dev.quern.experts.CacheShape;
import dev.quern.experts.RoutedTokens;
import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * Replays a trace token by token and layer by layer through a policy, as the expert store asks it
 * without prefetch. A use is a hit if the expert was in memory when its layer was routed; experts
 * of the present token and layer cannot leave. The cache begins empty and goes on over the ends of
 * windows and documents.
 */
public final class Replay {
  /** What a predictor says after a layer was routed. */
  @FunctionalInterface
  public interface Predictions {
    /**
     * @return [numExperts] for {@link CachePolicy#expect} with tokensAhead 1, or an empty array
     */
    float[] nextUse(int token, int layer);

    /** Layers that {@link #ahead} looks ahead. */
    default int maxDistance() {
      return 0;
    }

    /**
     * @param distance layers ahead, 1 to {@link #maxDistance}
     * @return [numExperts] for {@link CachePolicy#expect} with tokensAhead 0, or an empty array
     */
    default float[] ahead(int token, int layer, int distance) {
      return new float[0];
    }

    /** No predictor. */
    static Predictions none() {
      float[] nothing = {};
      return (token, layer) -> nothing;
    }
  }

  /**
   * What came of it.
   *
   * @param uses of experts, all layers together
   */
  public record Outcome(long hits, long uses) {
    public double hitRate() {
      return (double) hits / uses;
    }
  }

  private final RoutingTrace trace;
  private final CacheShape shape;
  private final CachePolicy policy;
  private final Predictions predictions;
  private final boolean[] resident;
  private final long[] neededAt; // per key, the visit that uses it
  private final RoutedTokens view = new RoutedTokens();
  private final int[] experts;
  private final float[] scores;
  private final long[] visitsByMisses; // from a token on
  private long visit;
  private int residents;
  private final IntPredicate mayLeave = this::mayLeave;

  private Replay(
      RoutingTrace trace, CacheShape shape, CachePolicy policy, Predictions predictions) {
    this.trace = trace;
    this.shape = shape;
    this.policy = policy;
    this.predictions = predictions;
    resident = new boolean[shape.keys()];
    neededAt = new long[shape.keys()];
    experts = new int[trace.topK()];
    scores = new float[trace.numExperts()];
    visitsByMisses = new long[trace.topK() + 1];
  }

  private boolean mayLeave(int key) {
    return resident[key] && neededAt[key] != visit;
  }

  /**
   * @param shape of the trace, with the capacity that the policy was made for
   */
  public static Outcome run(
      RoutingTrace trace, CacheShape shape, CachePolicy policy, Predictions predictions) {
    return new Replay(trace, shape, policy, predictions).run(trace.tokens());
  }

  /**
   * How many experts are missing when a layer is visited.
   *
   * @param fromToken the first that is counted, when the cache has filled
   * @return [topK + 1] visits, by the experts that they missed
   */
  public static long[] visitsByMisses(
      RoutingTrace trace, CacheShape shape, CachePolicy policy, int fromToken) {
    Replay replay = new Replay(trace, shape, policy, Predictions.none());
    replay.run(fromToken);
    return replay.visitsByMisses;
  }

  private Outcome run(int countedFrom) {
    long hits = 0;
    long uses = 0;
    for (int token = 0; token < trace.tokens(); token++) {
      for (int layer = 0; layer < trace.layers(); layer++) {
        visit++;
        route(token, layer);
        int missed = 0;
        for (int expert : experts) {
          if (expert >= 0) {
            int key = shape.key(layer, expert);
            neededAt[key] = visit;
            uses++;
            missed += resident[key] ? 0 : 1;
            hits += resident[key] ? 1 : 0;
          }
        }
        if (token >= countedFrom) {
          visitsByMisses[missed]++;
        }
        for (int expert : experts) {
          if (expert >= 0 && !resident[shape.key(layer, expert)]) {
            admit(shape.key(layer, expert));
          }
        }
      }
    }
    return new Outcome(hits, uses);
  }

  private void route(int token, int layer) {
    int topK = trace.topK();
    System.arraycopy(trace.experts().get(layer), token * topK, experts, 0, topK);
    float[] known = trace.scores().get(layer);
    if (known.length > 0) {
      System.arraycopy(known, token * trace.numExperts(), scores, 0, trace.numExperts());
    } else {
      Arrays.fill(scores, 0);
      for (int expert : experts) {
        if (expert >= 0) {
          scores[expert] = 1f / topK;
        }
      }
    }
    view.set(
        layer,
        token,
        1,
        new int[1],
        0,
        new float[0],
        0,
        scores,
        trace.numExperts(),
        experts,
        new float[topK],
        topK);
    policy.routed(view);
    int last = Math.min(predictions.maxDistance(), trace.layers() - 1 - layer);
    for (int distance = 1; distance <= last; distance++) {
      float[] soon = predictions.ahead(token, layer, distance);
      if (soon.length > 0) {
        policy.expect(layer + distance, 0, soon);
      }
    }
    float[] predicted = predictions.nextUse(token, layer);
    if (predicted.length > 0) {
      policy.expect(layer, 1, predicted);
    }
  }

  private void admit(int key) {
    if (residents == shape.capacity()) {
      int victim = policy.victim(key, mayLeave);
      if (!mayLeave(victim)) {
        throw new IllegalStateException("expert " + victim + " may not leave");
      }
      resident[victim] = false;
      residents--;
      policy.removed(victim);
    }
    resident[key] = true;
    residents++;
    policy.admitted(key);
  }
}
