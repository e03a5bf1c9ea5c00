package dev.quern.bench.cache;

import dev.quern.experts.CacheShape;
import dev.quern.experts.ExpertProfile;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.commons.math3.distribution.NormalDistribution;

/**
 * Which experts a text used, in memory. Layers without experts are left out, so layers here are
 * numbered among those that have some.
 *
 * @param name for titles
 * @param experts [layers][tokens, topK] ids; −1 where an expert was dropped
 * @param scores [layers][tokens, numExperts]; of length 0 if not known
 */
public record RoutingTrace(
    String name, int numExperts, int topK, int tokens, List<int[]> experts, List<float[]> scores) {

  /**
   * Spread of the logarithms of popularity, with which LRU hits about as often as with the routing
   * of datasets/tiny-moe: 0.30 and 0.57 of the experts when a quarter and half of them fit, there
   * 0.31 and 0.56.
   */
  private static final double FITTED_SPREAD = 0.47;

  private static final int FITTED_LAYERS = 4;
  private static final int FITTED_TOKENS = 3000;

  public RoutingTrace {
    experts = List.copyOf(experts);
    scores = List.copyOf(scores);
    if (experts.isEmpty() || experts.size() != scores.size() || tokens < 1) {
      throw new IllegalArgumentException(
          "trace of %d layers, %d tokens".formatted(experts.size(), tokens));
    }
    for (int layer = 0; layer < experts.size(); layer++) {
      long scored = scores.get(layer).length;
      if (experts.get(layer).length != Math.multiplyExact(tokens, topK)
          || (scored != 0 && scored != (long) tokens * numExperts)) {
        throw new IllegalArgumentException(
            "trace, layer %d: %d experts and %d scores of %d tokens"
                .formatted(layer, experts.get(layer).length, scored, tokens));
      }
      for (int expert : experts.get(layer)) {
        if (expert < -1 || expert >= numExperts) {
          throw new IllegalArgumentException("trace, layer " + layer + ": expert " + expert);
        }
      }
    }
  }

  public int layers() {
    return experts.size();
  }

  public CacheShape shape(int capacity) {
    return new CacheShape(layers(), numExperts, topK, capacity);
  }

  /**
   * Experts that a share of all of them is, at least those of one token and layer.
   *
   * @param percent 1 to 100
   */
  public int capacity(int percent) {
    if (percent < 1 || percent > 100) {
      throw new IllegalArgumentException("capacity: expected 1 to 100 %, found " + percent);
    }
    return Math.max(topK, Math.round(percent / 100f * layers() * numExperts));
  }

  /** How often each expert was used by the first tokens. */
  public ExpertProfile profile(int firstTokens) {
    int counted = Math.min(tokens, firstTokens);
    long[] counts = new long[layers() * numExperts];
    for (int layer = 0; layer < layers(); layer++) {
      for (int i = 0; i < counted * topK; i++) {
        int expert = experts.get(layer)[i];
        if (expert >= 0) {
          counts[layer * numExperts + expert]++;
        }
      }
    }
    return new ExpertProfile(layers(), numExperts, counted, counts);
  }

  /**
   * Independent uniform routing: every token takes any topK experts. Scores are random, too,
   * highest for those taken. No policy can beat capacity / experts on it, and none should fall
   * below.
   */
  public static RoutingTrace uniform(int layers, int numExperts, int topK, int tokens, long seed) {
    Random random = new Random(seed);
    List<int[]> experts = new ArrayList<>();
    List<float[]> scores = new ArrayList<>();
    int[] order = new int[numExperts];
    for (int e = 0; e < numExperts; e++) {
      order[e] = e;
    }
    for (int layer = 0; layer < layers; layer++) {
      int[] chosen = new int[tokens * topK];
      float[] scored = new float[tokens * numExperts];
      for (int t = 0; t < tokens; t++) {
        for (int k = 0; k < topK; k++) { // the first steps of a shuffle
          int other = k + random.nextInt(numExperts - k);
          int swapped = order[k];
          order[k] = order[other];
          order[other] = swapped;
          chosen[t * topK + k] = order[k];
        }
        float sum = 0;
        for (int k = 0; k < numExperts; k++) {
          float score = random.nextFloat() + (k < topK ? 1 : 0);
          scored[t * numExperts + order[k]] = score;
          sum += score;
        }
        for (int e = 0; e < numExperts; e++) {
          scored[t * numExperts + e] /= sum;
        }
      }
      experts.add(chosen);
      scores.add(scored);
    }
    return new RoutingTrace("uniform routing", numExperts, topK, tokens, experts, scores);
  }

  /**
   * A trace by chance for a model of which none is recorded: the logarithms of the popularity of a
   * layer's experts are the quantiles of a normal variable, and every token takes topK different
   * ones independently of those before it. Locality is then popularity alone, which a cache by
   * recency or by frequency finds; see {@link #FITTED_SPREAD}.
   */
  public static RoutingTrace fitted(int numExperts, int topK) {
    Random random = new Random(0);
    List<int[]> experts = new ArrayList<>();
    List<float[]> unknown = new ArrayList<>();
    double[] logits = new double[numExperts];
    double[] drawn = new double[numExperts];
    NormalDistribution normal = new NormalDistribution(null, 0, FITTED_SPREAD);
    for (int e = 0; e < numExperts; e++) {
      logits[e] = normal.inverseCumulativeProbability((e + 0.5) / numExperts);
    }
    for (int layer = 0; layer < FITTED_LAYERS; layer++) {
      int[] used = new int[FITTED_TOKENS * topK];
      for (int t = 0; t < FITTED_TOKENS; t++) {
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
      experts.add(used);
      unknown.add(new float[0]);
    }
    return new RoutingTrace("fitted", numExperts, topK, FITTED_TOKENS, experts, unknown);
  }
}
