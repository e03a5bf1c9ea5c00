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
  }

  private boolean mayLeave(int key) {
    return resident[key] && neededAt[key] != visit;
  }

  /**
   * @param shape of the trace, with the capacity that the policy was made for
   */
  public static Outcome run(
      RoutingTrace trace, CacheShape shape, CachePolicy policy, Predictions predictions) {
    return new Replay(trace, shape, policy, predictions).run();
  }

  private Outcome run() {
    long hits = 0;
    long uses = 0;
    for (int token = 0; token < trace.tokens(); token++) {
      for (int layer = 0; layer < trace.layers(); layer++) {
        visit++;
        route(token, layer);
        for (int expert : experts) {
          if (expert >= 0) {
            int key = shape.key(layer, expert);
            neededAt[key] = visit;
            uses++;
            hits += resident[key] ? 1 : 0;
          }
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
