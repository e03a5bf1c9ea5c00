package dev.quern.model;

import dev.quern.kernels.Kernels;

/**
 * Turns a router's logits into experts and weights, as {@link Routing} says. Sources: arXiv
 * 2405.04434, 2.2.2; arXiv 2412.19437, 2.1.2; Hugging Face transformers, models/deepseek_v3.
 *
 * <p>Keeps scratch space: one per thread.
 */
final class Router {
  /** Added to the sum that weights are divided by, so that scores of 0 stay 0. */
  private static final float MIN_SUM = 1e-20f;

  /** In place of what can no longer be chosen: no comparison with it holds. */
  private static final float OUT = Float.NaN;

  private final Kernels kernels;
  private final int numExperts;
  private final int topK;
  private final Routing routing;
  private final ExpertSelection selection;
  private final float[] ranks;
  private final float[] groupRanks;
  private long dropped;

  Router(Kernels kernels, FeedForward.Experts experts, ExpertSelection selection) {
    this.kernels = kernels;
    this.selection = selection;
    this.numExperts = experts.numExperts();
    this.topK = experts.topK();
    this.routing = experts.routing();
    ranks = new float[numExperts];
    groupRanks = new float[routing.groups()];
  }

  /**
   * Chooses the experts of one token.
   *
   * @param moe gives the biases
   * @param logits overwritten in [at, at + numExperts), by the scores
   * @param experts written in [out, out + topK), in the order of their scores with the selection
   *     bias, highest first; ties go to the lower id; −1 where the selection left one out
   * @param weights written at the same places
   * @throws IllegalArgumentException if a score is not a finite number
   */
  void choose(Weights.MoeMlp moe, float[] logits, int at, int[] experts, float[] weights, int out) {
    if (routing.bias()) {
      kernels.axpy(1, moe.routerBias(), 0, logits, at, numExperts);
    }
    score(logits, at);
    System.arraycopy(logits, at, ranks, 0, numExperts);
    if (routing.selectionBias()) {
      kernels.axpy(1, moe.selectionBias(), 0, ranks, 0, numExperts);
    }
    checkNumbers();
    if (routing.groupsUsed() < routing.groups()) {
      excludeGroups();
    }
    float sum = MIN_SUM;
    for (int k = 0; k < topK; k++) {
      int best = takeBest(ranks);
      experts[out + k] = best;
      weights[out + k] = logits[at + best];
      sum += logits[at + best];
    }
    for (int k = out; k < out + topK; k++) {
      weights[k] = (routing.normalise() ? weights[k] / sum : weights[k]) * routing.scale();
    }
    dropped += selection.apply(experts, weights, out, topK, routing.normalise());
  }

  /** Experts that the selection has left out so far. */
  long dropped() {
    return dropped;
  }

  private void score(float[] logits, int at) {
    switch (routing.score()) {
      case SOFTMAX -> kernels.softmax(logits, at, numExperts);
      case SIGMOID -> {
        for (int e = at; e < at + numExperts; e++) {
          logits[e] = sigmoid(logits[e]);
        }
      }
    }
  }

  static float sigmoid(float x) {
    return (float) (1 / (1 + Math.exp(-x)));
  }

  private void checkNumbers() {
    for (float rank : ranks) {
      if (!Float.isFinite(rank)) {
        throw new IllegalArgumentException(
            "router: expected probabilities, found " + rank + "; are the weights damaged?");
      }
    }
  }

  /** Leaves the experts of the best groups. */
  private void excludeGroups() {
    int size = numExperts / routing.groups();
    for (int group = 0; group < groupRanks.length; group++) {
      groupRanks[group] = groupRank(group * size, size);
    }
    for (int used = 0; used < routing.groupsUsed(); used++) {
      takeBest(groupRanks);
    }
    for (int e = 0; e < numExperts; e++) {
      boolean groupTaken = Float.isNaN(groupRanks[e / size]);
      ranks[e] = groupTaken ? ranks[e] : OUT;
    }
  }

  private float groupRank(int first, int size) {
    float best = Float.NEGATIVE_INFINITY;
    float second = Float.NEGATIVE_INFINITY;
    for (int e = first; e < first + size; e++) {
      second = Math.max(second, Math.min(best, ranks[e]));
      best = Math.max(best, ranks[e]);
    }
    return switch (routing.groupScore()) {
      case BEST -> best;
      case SUM_OF_TWO_BEST -> size == 1 ? best : best + second;
    };
  }

  /** The index of the largest value, which becomes {@link #OUT}; the lowest of equal ones. */
  private static int takeBest(float[] values) {
    int best = 0;
    while (Float.isNaN(values[best])) {
      best++;
    }
    for (int i = best + 1; i < values.length; i++) {
      if (values[i] > values[best]) {
        best = i;
      }
    }
    values[best] = OUT;
    return best;
  }
}
