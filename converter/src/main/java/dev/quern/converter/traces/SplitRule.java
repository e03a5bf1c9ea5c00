package dev.quern.converter.traces;

import dev.quern.quant.CounterRandom;
import java.util.List;

/** To which split a document belongs: a function of its number alone. */
public sealed interface SplitRule {

  Split of(int document);

  /** All documents in one, for texts that were split before. */
  record Whole(Split split) implements SplitRule {
    @Override
    public Split of(int document) {
      return split;
    }
  }

  /**
   * Drawn by the number of the document: word {@code document} of the seed's stream, see {@link
   * CounterRandom#uniform}, compared with the running sums of the shares.
   *
   * @param shares of train, valid and test; they sum to 1
   */
  record Shares(List<Double> shares, long seed) implements SplitRule {
    private static final double SUM_TOLERANCE = 1e-6; // of decimals that people write

    public Shares {
      shares = List.copyOf(shares);
      double sum = shares.stream().mapToDouble(Double::doubleValue).sum();
      boolean inRange = shares.stream().allMatch(share -> share >= 0 && share <= 1);
      if (shares.size() != Split.values().length
          || !inRange
          || !(Math.abs(sum - 1) <= SUM_TOLERANCE)) {
        throw new IllegalArgumentException(
            "split: expected three shares of 0 to 1 that sum to 1, found " + shares);
      }
    }

    @Override
    public Split of(int document) {
      double drawn = CounterRandom.uniform(seed, document);
      double sum = 0;
      Split last = Split.TRAIN;
      for (Split split : Split.values()) {
        double share = shares.get(split.ordinal());
        sum += share;
        if (share > 0) {
          last = split;
          if (drawn <= sum) {
            return split;
          }
        }
      }
      return last; // The sum may stay below 1 by a rounding.
    }
  }
}
