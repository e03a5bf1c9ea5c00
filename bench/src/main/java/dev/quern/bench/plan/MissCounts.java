package dev.quern.bench.plan;

import dev.quern.bench.cache.Replay;
import dev.quern.bench.cache.RoutingTrace;
import dev.quern.experts.CachePolicy;
import dev.quern.experts.CachePolicyKind;
import dev.quern.experts.CacheShape;
import java.util.Arrays;
import java.util.Optional;

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

  /**
   * Of a trace, with so much of its experts in memory; its first fifth fills the cache and is not
   * counted.
   *
   * @param share of all experts that fit, 0 to 1; at least those of one visit do
   */
  static MissCounts of(RoutingTrace trace, CachePolicyKind kind, double share) {
    int all = trace.layers() * trace.numExperts();
    int capacity = (int) Math.clamp(Math.round(share * all), trace.topK(), all);
    if (capacity == all) {
      return none(trace.topK());
    }
    CacheShape shape = trace.shape(capacity);
    CachePolicy policy = kind.create(shape, Optional.empty());
    long[] counts = Replay.visitsByMisses(trace, shape, policy, trace.tokens() / 5);
    double visits = Arrays.stream(counts).sum();
    return new MissCounts(Arrays.stream(counts).mapToDouble(count -> count / visits).toArray());
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
