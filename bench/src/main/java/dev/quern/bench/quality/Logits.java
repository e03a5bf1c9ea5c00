package dev.quern.bench.quality;

import dev.quern.kernels.Kernels;

/**
 * Probabilities of logits x[offset .. offset + n), in nats. Exponentials and sums are those of the
 * float32 kernels, which leaves about 1e-6 in a logarithm: a thousandth of the smallest divergence
 * of interest. Not for several threads.
 */
final class Logits {
  private final Kernels kernels;
  private final int n;
  private final float[] probabilities;
  private final float[] differences;

  /**
   * @param n size of the vocabulary
   */
  Logits(Kernels kernels, int n) {
    this.kernels = kernels;
    this.n = n;
    probabilities = new float[n];
    differences = new float[n];
  }

  /** The first index of the largest, relative to offset. */
  int argmax(float[] x, int offset) {
    int best = 0;
    for (int i = 1; i < n; i++) {
      if (x[offset + i] > x[offset + best]) {
        best = i;
      }
    }
    return best;
  }

  /**
   * ln Σ exp(x).
   *
   * @param argmax of the same logits
   */
  double logSumExp(float[] x, int offset, int argmax) {
    softmax(x, offset);
    return x[offset + argmax] - Math.log(probabilities[argmax]); // p = exp(x) / Σ
  }

  /**
   * KL(p ‖ q) = Σ p (ln p − ln q).
   *
   * @param a logits of p; aNorm is their logSumExp
   * @param b logits of q; bNorm is their logSumExp
   */
  double divergence(float[] a, int aOffset, double aNorm, float[] b, int bOffset, double bNorm) {
    softmax(a, aOffset);
    // Differences first: dot products of the logits themselves would cancel most of their digits.
    System.arraycopy(a, aOffset, differences, 0, n);
    kernels.axpy(-1, b, bOffset, differences, 0, n);
    return kernels.dot(probabilities, 0, differences, 0, n) - (aNorm - bNorm);
  }

  private void softmax(float[] x, int offset) {
    System.arraycopy(x, offset, probabilities, 0, n);
    kernels.softmax(probabilities, 0, n);
  }
}
