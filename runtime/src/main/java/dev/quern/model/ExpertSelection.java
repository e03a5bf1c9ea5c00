package dev.quern.model;

/**
 * Lossy shortcuts: which of the experts that a router chose are left out or replaced. Where some
 * are left out, the rest is weighted up to the old sum if the family normalises its weights. Off
 * unless asked for.
 *
 * <p>Decoding is the reading of a token alone, be it a prompt of one; what is left over of a longer
 * prompt does not count.
 *
 * @param perToken experts that a token keeps, the most heavily weighted; 0 for all
 * @param half keeps half of them, rounded down, instead
 * @param adaptive drops experts whose weight, this many times, is below the highest of the token; 0
 *     for none, else above 1
 * @param skipMissing while decoding, experts that are not in memory are left out and read for
 *     later; a token's most heavily weighted expert is always waited for
 * @param standInBits while decoding, copies at so many bits answer for experts that are not in
 *     memory, which are read for later; 0 for none
 */
public record ExpertSelection(
    int perToken, boolean half, double adaptive, boolean skipMissing, int standInBits) {
  /** Everything the router chose. */
  public static final ExpertSelection ALL = new ExpertSelection(0, false, 0, false, 0);

  public ExpertSelection {
    if (perToken < 0) {
      throw new IllegalArgumentException(
          "experts per token: expected at least 1, found " + perToken);
    }
    if (half && perToken > 0) {
      throw new IllegalArgumentException(
          "experts per token: expected either half or a number, found both");
    }
    if (adaptive != 0 && !(adaptive > 1 && Double.isFinite(adaptive))) {
      throw new IllegalArgumentException(
          "adaptive experts: expected a factor above 1, found " + adaptive);
    }
    if (standInBits != 0 && (standInBits < 2 || standInBits > 4)) {
      throw new IllegalArgumentException(
          "stand-ins: expected 2, 3 or 4 bits, found " + standInBits);
    }
    if (standInBits > 0 && skipMissing) {
      throw new IllegalArgumentException(
          "experts that are not in memory: expected either to skip them or stand-ins, found both");
    }
  }

  public ExpertSelection(int perToken, boolean half, double adaptive, boolean skipMissing) {
    this(perToken, half, adaptive, skipMissing, 0);
  }

  public boolean standIns() {
    return standInBits > 0;
  }

  /** Whether results depend on what is in memory. */
  public boolean dependsOnCache() {
    return skipMissing || standIns();
  }

  public boolean isLossy() {
    return !equals(ALL);
  }

  /**
   * Experts that a token keeps of those the model was trained to use.
   *
   * @throws IllegalArgumentException if the model does not use as many
   */
  int limit(int topK) {
    if (perToken > topK) {
      throw new IllegalArgumentException(
          "experts per token: expected at most %d, the model's, found %d"
              .formatted(topK, perToken));
    }
    return half ? Math.max(1, topK / 2) : perToken > 0 ? perToken : topK;
  }

  /**
   * Leaves out what perToken and adaptive say: ids become −1.
   *
   * @param experts of one token in [at, at + topK), modified
   * @param weights at the same places, modified
   * @param normalise whether the rest is weighted up
   * @return how many were left out
   */
  int apply(int[] experts, float[] weights, int at, int topK, boolean normalise) {
    float highest = 0;
    for (int k = at; k < at + topK; k++) {
      highest = Math.max(highest, weights[k]);
    }
    int dropped = 0;
    int limit = limit(topK);
    float before = 0;
    for (int k = at; k < at + topK; k++) {
      before += weights[k];
      boolean many = limit < topK && heavier(weights, at, topK, k) >= limit;
      boolean light = adaptive > 0 && weights[k] * adaptive < highest;
      if (many || light) {
        experts[k] = -1;
        dropped++;
      }
    }
    if (dropped > 0) {
      reweigh(experts, weights, at, topK, normalise ? before : 0);
    }
    return dropped;
  }

  /** Experts of the token with a higher weight, or the same and a place before k. */
  private static int heavier(float[] weights, int at, int topK, int k) {
    int count = 0;
    for (int other = at; other < at + topK; other++) {
      boolean first = weights[other] > weights[k] || weights[other] == weights[k] && other < k;
      count += first ? 1 : 0;
    }
    return count;
  }

  /**
   * Sets the weights of what was left out to 0.
   *
   * @param sum that the others are weighted up to; 0 to leave them
   */
  static void reweigh(int[] experts, float[] weights, int at, int topK, float sum) {
    float kept = 0;
    for (int k = at; k < at + topK; k++) {
      weights[k] = experts[k] < 0 ? 0 : weights[k];
      kept += weights[k];
    }
    if (sum > 0 && kept > 0) {
      for (int k = at; k < at + topK; k++) {
        weights[k] = weights[k] / kept * sum;
      }
    }
  }
}
