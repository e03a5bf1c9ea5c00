package dev.quern.bench.peers;

import static dev.quern.bench.speed.SampleRecords.DECODE;
import static dev.quern.bench.speed.SampleRecords.PREFILL;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.bench.report.BarChart;
import dev.quern.bench.speed.SampleRecords;
import dev.quern.bench.speed.SpeedRecord;
import dev.quern.bench.speed.SpeedTest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PeerRatioTest {
  @TempDir private Path folder;

  private static SpeedRecord record(String engine, SpeedTest test, Double... samples) {
    return SampleRecords.record(SampleRecords.subject(engine, "m", 100), test, samples);
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

  /** Two packs of one shape and one of another, each beside the file of its shape. */
  @Test
  void shapesAreNotMixedAndModelsAreNamedWhereThereAreSeveral() throws IOException {
    PeerReport report =
        new PeerReport(
            List.of(
                SampleRecords.record(SampleRecords.subject("quern", "a-3", 100), DECODE, 120.0),
                SampleRecords.record(SampleRecords.subject("quern", "a-4", 100), DECODE, 150.0),
                SampleRecords.record(SampleRecords.subject("quern", "b", 200), DECODE, 60.0),
                SampleRecords.record(SampleRecords.subject("peer", "a.gguf", 100), DECODE, 100.0),
                SampleRecords.record(SampleRecords.subject("peer", "b.gguf", 200), DECODE, 80.0)));
    assertEquals(
        List.of(
            "| tg64 | quern a-3 Q, 4.25 b/w | peer a.gguf Q, 4.25 b/w | 1.20 (1.20 to 1.20) |",
            "| tg64 | quern a-4 Q, 4.25 b/w | peer a.gguf Q, 4.25 b/w | 1.50 (1.50 to 1.50) |",
            "| tg64 | quern b Q, 4.25 b/w | peer b.gguf Q, 4.25 b/w | 0.75 (0.75 to 0.75) |"),
        report.markdown().lines().skip(2).toList());
    assertEquals(
        List.of(List.of(120.0, 150.0, Double.NaN), List.of(Double.NaN, Double.NaN, 75.0)),
        report.bars().stream().map(BarChart.Bars::values).toList());
    report.write(folder);
    assertTrue(Files.size(folder.resolve("peers.svg")) > 0);
  }
}
