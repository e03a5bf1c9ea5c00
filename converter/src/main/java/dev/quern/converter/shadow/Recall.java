package dev.quern.converter.shadow;

import java.util.Arrays;

/** Share of the experts used that are among the best predicted. */
final class Recall {
  private final int topK;
  private long rows;
  private long hitsTopK;
  private long hitsTwice;
  private boolean[] taken = {};

  Recall(int topK) {
    this.topK = topK;
  }

  /**
   * Counts one prediction; of equal values the lower expert is taken.
   *
   * @param predicted [numExperts] from at on, the higher the likelier
   * @param experts those used, topK from usedAt on
   */
  void add(float[] predicted, int at, int numExperts, short[] experts, int usedAt) {
    if (taken.length < numExperts) {
      taken = new boolean[numExperts];
    }
    int wanted = Math.min(2 * topK, numExperts);
    for (int k = 0; k < wanted; k++) {
      int best = -1;
      for (int e = 0; e < numExperts; e++) {
        if (!taken[e] && (best < 0 || predicted[at + e] > predicted[at + best])) {
          best = e;
        }
      }
      taken[best] = true;
      for (int u = usedAt; u < usedAt + topK; u++) {
        if (experts[u] == best) {
          hitsTopK += k < topK ? 1 : 0;
          hitsTwice++;
        }
      }
    }
    Arrays.fill(taken, false);
    rows++;
  }

  long rows() {
    return rows;
  }

  /** Recall among as many as are used. */
  double atTopK() {
    return rows == 0 ? Double.NaN : (double) hitsTopK / rows / topK;
  }

  /** Recall among twice as many. */
  double atTwiceTopK() {
    return rows == 0 ? Double.NaN : (double) hitsTwice / rows / topK;
  }
}
