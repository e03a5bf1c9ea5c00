package dev.quern.bench.speed;

import dev.quern.bench.report.Machine;
import java.util.List;
import java.util.OptionalDouble;

/**
 * One test of one subject, with everything needed to repeat it.
 *
 * @param test its name is written too, for readers of the JSON
 * @param samples tokens per second of each repetition, in the order in which they were made
 * @param allocatedPerToken bytes from the heap in the last repetition, by all threads
 * @param warmUp how the engine was warmed up
 * @param vectorBits of the widest vectors that this JVM uses
 * @param ceilings of the machine, measured in the same run
 * @param commit of quern, which drove the measurement
 */
public record SpeedRecord(
    SpeedSubject subject,
    SpeedTest test,
    String testName,
    List<Double> samples,
    double mean,
    double deviation,
    double median,
    SpeedCost cost,
    OptionalDouble allocatedPerToken,
    String warmUp,
    Machine machine,
    int vectorBits,
    Ceilings ceilings,
    String commit,
    String command) {
  public SpeedRecord {
    samples = List.copyOf(samples);
    if (samples.isEmpty() || samples.stream().anyMatch(s -> !(s > 0) || s.isInfinite())) {
      throw new IllegalArgumentException("%s: samples %s".formatted(testName, samples));
    }
  }

  /**
   * Where and by what records were made.
   *
   * @param vectorBits of the widest vectors that this JVM uses
   */
  public record Origin(
      Machine machine, int vectorBits, Ceilings ceilings, String commit, String command) {}

  /** A record whose figures follow from the samples. */
  public static SpeedRecord of(
      SpeedSubject subject,
      SpeedTest test,
      List<Double> samples,
      SpeedCost cost,
      OptionalDouble allocatedPerToken,
      String warmUp,
      Origin origin) {
    return new SpeedRecord(
        subject,
        test,
        test.name(),
        samples,
        mean(samples),
        deviation(samples),
        Throughput.median(samples),
        cost,
        allocatedPerToken,
        warmUp,
        origin.machine(),
        origin.vectorBits(),
        origin.ceilings(),
        origin.commit(),
        origin.command());
  }

  static double mean(List<Double> samples) {
    return samples.stream().mapToDouble(Double::doubleValue).average().orElse(Double.NaN);
  }

  /** Standard deviation of the samples, with n − 1; 0 for a single one. */
  static double deviation(List<Double> samples) {
    if (samples.size() < 2) {
      return 0;
    }
    double mean = mean(samples);
    double squares = samples.stream().mapToDouble(s -> (s - mean) * (s - mean)).sum();
    return Math.sqrt(squares / (samples.size() - 1));
  }

  /** Billions of operations per second that the median reached. */
  public double gigaOperationsPerSecond() {
    return median * cost.operations() / 1e9;
  }
}
