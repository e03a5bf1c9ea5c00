package dev.quern.bench.plan;

import java.util.Random;
import org.apache.commons.math3.distribution.NormalDistribution;

/**
 * Which experts tokens used, layer by layer.
 *
 * @param experts per layer with experts, [tokens, topK] ids
 */
record RoutingTrace(int[][] experts, int numExperts, int topK) {
  /**
   * Spread of the logarithms of popularity, with which LRU hits about as often as with the routing
   * of datasets/tiny-moe: 0.30 and 0.57 of the experts when a quarter and half of them fit, there
   * 0.31 and 0.56.
   */
  static final double SPREAD = 0.47;

  private static final int LAYERS = 4;
  private static final int TOKENS = 3000;

  RoutingTrace {
    if (experts.length == 0 || topK < 1 || topK > numExperts) {
      throw new IllegalArgumentException(
          "trace of %d layers, %d experts, top %d".formatted(experts.length, numExperts, topK));
    }
    for (int[] layer : experts) {
      if (layer.length == 0 || layer.length % topK != 0 || layer.length != experts[0].length) {
        throw new IllegalArgumentException("a layer of " + layer.length + " experts used");
      }
    }
  }

  int tokens() {
    return experts[0].length / topK;
  }

  /**
   * A trace by chance for a model of which none is recorded: the logarithms of the popularity of a
   * layer's experts are the quantiles of a normal variable, and every token takes topK different
   * ones independently of those before it. Locality is then popularity alone, which a cache by
   * recency or by frequency finds; see {@link #SPREAD}.
   */
  static RoutingTrace fitted(int numExperts, int topK) {
    Random random = new Random(0);
    int[][] experts = new int[LAYERS][];
    double[] logits = new double[numExperts];
    double[] drawn = new double[numExperts];
    NormalDistribution normal = new NormalDistribution(null, 0, SPREAD);
    for (int e = 0; e < numExperts; e++) {
      logits[e] = normal.inverseCumulativeProbability((e + 0.5) / numExperts);
    }
    for (int layer = 0; layer < LAYERS; layer++) {
      int[] used = new int[TOKENS * topK];
      for (int t = 0; t < TOKENS; t++) {
        for (int e = 0; e < numExperts; e++) {
          // The topK largest of logits with Gumbel noise are a draw without replacement.
          drawn[e] = logits[e] - Math.log(-Math.log(1 - random.nextDouble()));
        }
        for (int k = 0; k < topK; k++) {
          int largest = 0;
          for (int e = 1; e < numExperts; e++) {
            largest = drawn[e] > drawn[largest] ? e : largest;
          }
          used[t * topK + k] = largest;
          drawn[largest] = Double.NEGATIVE_INFINITY;
        }
      }
      experts[layer] = used;
    }
    return new RoutingTrace(experts, numExperts, topK);
  }
}
