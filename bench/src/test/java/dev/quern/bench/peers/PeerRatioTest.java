package dev.quern.bench.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.bench.report.Machine;
import dev.quern.bench.speed.Ceilings;
import dev.quern.bench.speed.SpeedCost;
import dev.quern.bench.speed.SpeedRecord;
import dev.quern.bench.speed.SpeedSubject;
import dev.quern.bench.speed.SpeedTest;
import java.util.List;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;

class PeerRatioTest {
  private static final SpeedTest DECODE = new SpeedTest(SpeedTest.Kind.DECODE, 64, 0);
  private static final SpeedTest PREFILL = new SpeedTest(SpeedTest.Kind.PREFILL, 512, 0);

  private static SpeedRecord record(String engine, SpeedTest test, Double... samples) {
    SpeedSubject subject =
        new SpeedSubject(
            engine, "v", "m", "Q", 2, 4.5, 4.25, 100, 10, 5, true, OptionalDouble.empty());
    SpeedRecord.Origin origin =
        new SpeedRecord.Origin(
            Machine.detect(2, 1e9), 512, new Ceilings(2, 39, 42, 250, 500), "commit", "command");
    return SpeedRecord.of(subject, test, List.of(samples), new SpeedCost(1, 1), "", origin);
  }

  /** The machine halves its speed in the second round: the ratio does not move with it. */
  @Test
  void ratiosAreTakenRoundByRound() {
    List<PeerRatio> ratios =
        PeerRatio.of(
            List.of(
                record("quern", DECODE, 120.0, 60.0, 132.0),
                record("peer", DECODE, 100.0, 50.0, 100.0),
                record("quern", PREFILL, 300.0, 300.0, 300.0)));
    assertEquals(1, ratios.size());
    PeerRatio ratio = ratios.getFirst();
    assertEquals("tg64", ratio.test());
    assertEquals(1.2, ratio.median(), 1e-12);
    assertEquals(1.2, ratio.lowest(), 1e-12);
    assertEquals(1.32, ratio.highest(), 1e-12);
  }

  @Test
  void theTableNamesBothWithTheirBits() {
    String table =
        new PeerReport(
                List.of(record("quern", DECODE, 120.0, 90.0), record("peer", DECODE, 100.0, 100.0)))
            .markdown();
    assertTrue(
        table.endsWith("| tg64 | quern Q, 4.25 b/w | peer Q, 4.25 b/w | 1.05 (0.90 to 1.20) |\n"),
        table);
  }
}
