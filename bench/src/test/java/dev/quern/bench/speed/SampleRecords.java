package dev.quern.bench.speed;

import dev.quern.bench.report.Machine;
import java.util.List;
import java.util.OptionalDouble;

/** Records of runs that did not take place, for charts and comparisons. */
public final class SampleRecords {
  public static final SpeedTest PREFILL = new SpeedTest(SpeedTest.Kind.PREFILL, 512, 0);
  public static final SpeedTest DECODE = new SpeedTest(SpeedTest.Kind.DECODE, 64, 0);

  private static final SpeedRecord.Origin ORIGIN =
      new SpeedRecord.Origin(
          Machine.detect(2, 1e9), 512, new Ceilings(2, 39, 42, 250, 500), "commit", "command");

  private SampleRecords() {}

  /** Of random weights at 4.25 bits. */
  public static SpeedSubject subject(String engine, String model, long weights) {
    return new SpeedSubject(
        engine, "v", model, "Q", 2, 4.5, 4.25, weights, 10, 5, true, OptionalDouble.empty());
  }

  public static SpeedRecord record(SpeedSubject subject, SpeedTest test, Double... samples) {
    return SpeedRecord.of(
        subject, test, List.of(samples), new SpeedCost(1, 1), OptionalDouble.empty(), "", ORIGIN);
  }
}
