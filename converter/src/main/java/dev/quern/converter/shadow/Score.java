package dev.quern.converter.shadow;

import java.util.List;

/**
 * How good one predictor is for one layer and distance.
 *
 * @param layer whose router's input is read
 * @param distance layers ahead; 0 for the next token in the layer itself
 * @param rows tokens scored
 * @param recall share of the experts used that are among the topK likeliest
 * @param recallTwice the same among twice as many
 * @param bins reliability, by predicted probability from 0 to 1
 */
public record Score(
    String predictor,
    int layer,
    int distance,
    long rows,
    double recall,
    double recallTwice,
    List<Bin> bins) {
  public Score {
    bins = List.copyOf(bins);
  }

  /**
   * Predictions of about the same probability.
   *
   * @param predicted their mean
   * @param observed share of them that came true; for the next token the mean of the discounted
   *     next use, see {@link LayerRows#target}
   */
  public record Bin(long count, double predicted, double observed) {}

  /** Mean distance between what was predicted and what was observed, over all experts. */
  public double calibrationError() {
    long count = bins.stream().mapToLong(Bin::count).sum();
    return bins.stream()
            .mapToDouble(bin -> bin.count * Math.abs(bin.predicted - bin.observed))
            .sum()
        / Math.max(1, count);
  }
}
