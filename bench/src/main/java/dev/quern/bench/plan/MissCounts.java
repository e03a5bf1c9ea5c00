package dev.quern.bench.plan;

import java.util.Arrays;

/**
 * How many of a visit's experts are missing: a visit is one token in one layer.
 *
 * @param shares [topK + 1], of all visits those with so many misses; they sum to 1
 */
public record MissCounts(double[] shares) {
  public MissCounts {
    shares = shares.clone();
    double sum = Arrays.stream(shares).sum();
    if (shares.length < 2 || Math.abs(sum - 1) > 1e-6) {
      throw new IllegalArgumentException("shares of misses: " + Arrays.toString(shares));
    }
  }

  @Override
  public double[] shares() {
    return shares.clone();
  }

  /** Nothing is ever missing. */
  static MissCounts none(int topK) {
    double[] shares = new double[topK + 1];
    shares[0] = 1;
    return new MissCounts(shares);
  }

  int topK() {
    return shares.length - 1;
  }

  double share(int misses) {
    return shares[misses];
  }

  /** Of the experts used, those that were in memory. */
  public double hitRate() {
    double misses = 0;
    for (int m = 0; m < shares.length; m++) {
      misses += m * shares[m];
    }
    return 1 - misses / topK();
  }
}
