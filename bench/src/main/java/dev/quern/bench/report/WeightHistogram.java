package dev.quern.bench.report;

import java.util.Arrays;
import java.util.List;

/**
 * Distribution of the weights of one tensor, in units of their standard deviation.
 *
 * @param label such as {@code before rotation}
 * @param tensor name of the tensor
 * @param kurtosis excess kurtosis; 0 for a normal distribution
 * @param low left end of the first bin
 * @param binWidth of every bin
 * @param density of each bin: share of the weights / binWidth. Weights beyond the ends count in no
 *     bin
 */
public record WeightHistogram(
    String label,
    String tensor,
    double kurtosis,
    double low,
    double binWidth,
    List<Double> density) {
  private static final double RANGE = 6;
  private static final int BINS = 96;

  public WeightHistogram {
    density = List.copyOf(density);
    if (!(binWidth > 0)) {
      throw new IllegalArgumentException("histogram '%s': bin width %s".formatted(label, binWidth));
    }
  }

  /**
   * Counts weights in 96 bins from −6 to 6 standard deviations.
   *
   * @param weights at least two different values; not modified
   * @throws IllegalArgumentException if all weights are equal
   */
  public static WeightHistogram of(String label, String tensor, float[] weights) {
    double mean = 0;
    for (float w : weights) {
      mean += w;
    }
    mean /= weights.length;
    double second = 0;
    double fourth = 0;
    for (float w : weights) {
      double square = (w - mean) * (w - mean);
      second += square;
      fourth += square * square;
    }
    double variance = second / weights.length;
    if (!(variance > 0)) {
      throw new IllegalArgumentException("histogram of equal weights: " + tensor);
    }
    double deviation = Math.sqrt(variance);
    double binWidth = 2 * RANGE / BINS;
    double[] density = new double[BINS];
    for (float w : weights) {
      double bin = Math.floor(((w - mean) / deviation + RANGE) / binWidth);
      if (bin >= 0 && bin < BINS) {
        density[(int) bin] += 1 / (weights.length * binWidth);
      }
    }
    double kurtosis = fourth / weights.length / (variance * variance) - 3;
    List<Double> values = Arrays.stream(density).boxed().toList();
    return new WeightHistogram(label, tensor, kurtosis, -RANGE, binWidth, values);
  }

  public double center(int bin) {
    return low + (bin + 0.5) * binWidth;
  }
}
