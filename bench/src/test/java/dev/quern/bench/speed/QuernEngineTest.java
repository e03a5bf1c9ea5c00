package dev.quern.bench.speed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.bench.report.Machine;
import dev.quern.bench.synth.PackCache;
import dev.quern.bench.synth.SyntheticPack;
import dev.quern.format.FormatException;
import dev.quern.model.GoldenModel;
import dev.quern.model.HuggingFaceConfig;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalDouble;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The engine itself asserts that a run ends where its test does. */
class QuernEngineTest {
  private static final SpeedRecord.Origin ORIGIN =
      new SpeedRecord.Origin(
          Machine.detect(1, 0), 512, new Ceilings(1, 39, 39, 250, 250), "abc", "./quern bench");

  /** A model with recurrent layers too, whose contexts cannot just be cut back. */
  @TempDir private static Path pack;

  private static ModelConfig config;

  @BeforeAll
  static void write() throws IOException {
    config =
        HuggingFaceConfig.read(GoldenModel.DIR.resolve("qwen3_next").resolve("hf/config.json"));
    new SyntheticPack(config, PackCache.everything(4), 1).write(pack, "tiny", bytes -> {});
  }

  private static QuernEngine open() throws IOException {
    return QuernEngine.open(
        pack,
        new QuernEngine.Label("tiny", "turbo 4 bits", true, OptionalDouble.empty()),
        new ModelOptions(1),
        0,
        1);
  }

  @Test
  void everyTestIsWarmedUpAndRepeatedAtItsDepth() throws IOException {
    List<SpeedRecord> records;
    try (QuernEngine engine = open()) {
      List<SpeedTest> tests = SpeedTest.of(4, 2, List.of(0, 4));
      records = new SpeedRun(List.of(engine), 2, line -> {}).measure(tests, ORIGIN);
    }
    assertEquals(
        List.of("pp4", "tg2", "pp4 @ d4", "tg2 @ d4"),
        records.stream().map(SpeedRecord::testName).toList());
    for (SpeedRecord record : records) {
      assertEquals(2, record.samples().size(), record.testName());
      assertTrue(record.allocatedPerToken().orElseThrow() >= 0, record.testName());
      String runs = record.testName().startsWith("pp") ? "2" : "3";
      assertTrue(
          record
              .warmUp()
              .matches(
                  "warmed up by \\d+ runs, [1-9]\\.\\d s, until (settled|time was up) .*; of a"
                      + " repetition's "
                      + runs
                      + " the last"),
          record.warmUp());
    }
  }

  @Test
  void whatIsMeasuredIsCountedInTheModel() throws IOException {
    try (QuernEngine engine = open()) {
      SpeedSubject subject = engine.subject();
      assertEquals(config.totalParameters(), subject.weights());
      long unread = (config.vocabSize() - 1L) * config.hiddenSize(); // of the embedding a row
      assertEquals(config.activeParameters() - unread, subject.touchedWeights());
      double bits = 8.0 * subject.touchedBytes() / subject.touchedWeights();
      assertEquals(bits, subject.touchedBitsPerWeight(), 1e-9);
      assertTrue(bits > 4 && bits < 6, "norms and routers keep their 16 or 32: " + bits);
    }
  }

  @Test
  void aContextLongerThanTheModelsIsRefused() throws IOException {
    try (QuernEngine engine = open()) {
      SpeedTest test = new SpeedTest(SpeedTest.Kind.PREFILL, 4, config.maxPositions());
      FormatException e = assertThrows(FormatException.class, () -> engine.warmUp(test));
      assertTrue(e.getMessage().contains("--n-depth"), e.getMessage());
    }
  }
}
