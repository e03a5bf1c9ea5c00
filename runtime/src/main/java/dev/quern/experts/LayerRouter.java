package dev.quern.experts;

import dev.quern.kernels.Kernels;
import java.util.Arrays;

/**
 * What a predictor knows of a layer's router: logits = W (norm ∘ x / rms(x)) + bias.
 *
 * @param norm [hiddenSize], the factors of the norm before the router
 * @param weights [numExperts, hiddenSize]
 * @param bias [numExperts], added to the logits; empty without one
 */
public record LayerRouter(float[] norm, float[] weights, float[] bias) {
  public LayerRouter {
    int experts = norm.length == 0 ? 0 : weights.length / norm.length;
    boolean whole = experts > 0 && weights.length == (long) experts * norm.length;
    if (!whole || bias.length != 0 && bias.length != experts) {
      throw new IllegalArgumentException(
          "router: a norm of %d, %d weights and %d biases do not fit"
              .formatted(norm.length, weights.length, bias.length));
    }
  }

  public int hiddenSize() {
    return norm.length;
  }

  public int numExperts() {
    return weights.length / norm.length;
  }

  /**
   * @param input [hiddenSize], normed as this router reads it
   * @param logits [numExperts], written
   */
  void logits(Kernels kernels, float[] input, float[] logits) {
    int hidden = norm.length;
    for (int e = 0; e < logits.length; e++) {
      float sum = kernels.dot(weights, e * hidden, input, 0, hidden);
      logits[e] = bias.length == 0 ? sum : sum + bias[e];
    }
  }

  /** The indices of the largest values, best first; the lower of equal ones. */
  static int[] best(float[] values, int count) {
    int[] best = new int[count];
    boolean[] taken = new boolean[values.length];
    for (int k = 0; k < count; k++) {
      int at = -1;
      for (int i = 0; i < values.length; i++) {
        if (!taken[i] && (at < 0 || values[i] > values[at])) {
          at = i;
        }
      }
      taken[at] = true;
      best[k] = at;
    }
    return best;
  }

  /** Turns logits into probabilities of being one of topK: topK times the softmax, at most 1. */
  static void spread(Kernels kernels, float[] logits, int topK) {
    kernels.softmax(logits, 0, logits.length);
    for (int e = 0; e < logits.length; e++) {
      logits[e] = Math.min(1, topK * logits[e]);
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof LayerRouter(float[] n, float[] w, float[] b)
        && Arrays.equals(norm, n)
        && Arrays.equals(weights, w)
        && Arrays.equals(bias, b);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(weights);
  }

  @Override
  public String toString() {
    return "router of %d experts on %d".formatted(numExperts(), hiddenSize());
  }
}
