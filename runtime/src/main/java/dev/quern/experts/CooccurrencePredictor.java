package dev.quern.experts;

import dev.quern.kernels.Kernels;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Predicts from the experts that the token uses in the present layer: how often did expert j of the
 * coming layer follow expert i of this one. The present experts are those its router ranks first.
 */
public final class CooccurrencePredictor implements ExpertPredictor {

  /** Which counts a prediction over several layers uses. */
  public enum Hops {
    /** Those of exactly the two layers. */
    ONE,
    /** Those of neighbours, one after the other; the topK best survive each step. At most three. */
    CHAINED
  }

  private static final int MAX_CHAIN = 3;

  private final List<Optional<LayerRouter>> routers;
  private final Counts counts;
  private final int topK;
  private final Hops hops;
  private final Kernels kernels = Kernels.best();
  private final float[] present;
  private final float[] coming;

  /** Counts of pairs of experts that one token used. */
  public static final class Counts {
    private final int numExperts;
    private final int maxDistance;
    private final int[][][] pairs; // [layer][distance − 1][i · numExperts + j]
    private final int[][] used; // [layer][i]

    public Counts(int numLayers, int numExperts, int maxDistance) {
      this.numExperts = numExperts;
      this.maxDistance = maxDistance;
      pairs = new int[numLayers][maxDistance][numExperts * numExperts];
      used = new int[numLayers][numExperts];
    }

    /**
     * A token used these experts.
     *
     * @param experts of layer, at [at, at + topK)
     * @param later of layer + distance, at the same places
     */
    public void add(int layer, int distance, short[] experts, short[] later, int at, int topK) {
      int[] table = pairs[layer][distance - 1];
      for (int a = at; a < at + topK; a++) {
        if (distance == 1) {
          used[layer][experts[a]]++;
        }
        for (int b = at; b < at + topK; b++) {
          table[experts[a] * numExperts + later[b]]++;
        }
      }
    }

    private float share(int layer, int distance, int i, int j) {
      int count = pairs[layer][distance - 1][i * numExperts + j];
      return (float) count / Math.max(1, used[layer][i]);
    }
  }

  /**
   * @param routers of all layers; empty for layers without experts
   */
  public CooccurrencePredictor(
      List<Optional<LayerRouter>> routers, Counts counts, int topK, Hops hops) {
    this.routers = List.copyOf(routers);
    this.counts = counts;
    this.topK = topK;
    this.hops = hops;
    present = new float[counts.numExperts];
    coming = new float[counts.numExperts];
  }

  @Override
  public int maxDistance() {
    return switch (hops) {
      case ONE -> counts.maxDistance;
      case CHAINED -> MAX_CHAIN;
    };
  }

  @Override
  public boolean predictsNextToken() {
    return false;
  }

  @Override
  public boolean predict(
      int layer, int distance, float[] input, int tokenId, float[] probabilities) {
    int target = layer + distance;
    if (distance < 1
        || distance > maxDistance()
        || target >= routers.size()
        || routers.get(layer).isEmpty()
        || routers.get(target).isEmpty()) {
      return false;
    }
    routers.get(layer).get().logits(kernels, input, present);
    keepBest(present);
    switch (hops) {
      case ONE -> hop(layer, distance, present, probabilities);
      case CHAINED -> {
        for (int hop = 1; hop < distance; hop++) {
          hop(layer + hop - 1, 1, present, coming);
          System.arraycopy(coming, 0, present, 0, present.length);
          keepBest(present);
        }
        hop(target - 1, 1, present, probabilities);
      }
    }
    return true;
  }

  /** 1 / topK for the best, 0 for the others. */
  private void keepBest(float[] values) {
    int[] best = LayerRouter.best(values, topK);
    Arrays.fill(values, 0);
    for (int expert : best) {
      values[expert] = 1f / topK;
    }
  }

  /** The mean share over the experts in use: what follows one of them by chance. */
  private void hop(int layer, int distance, float[] from, float[] to) {
    Arrays.fill(to, 0);
    for (int i = 0; i < from.length; i++) {
      if (from[i] > 0) {
        for (int j = 0; j < to.length; j++) {
          to[j] += from[i] * counts.share(layer, distance, i, j);
        }
      }
    }
  }

  @Override
  public boolean predictNextToken(int layer, float[] input, int tokenId, float[] probabilities) {
    return false;
  }

  @Override
  public ExpertPredictor copy() {
    return new CooccurrencePredictor(routers, counts, topK, hops);
  }
}
