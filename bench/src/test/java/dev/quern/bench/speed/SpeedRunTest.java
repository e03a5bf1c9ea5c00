package dev.quern.bench.speed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.bench.report.Machine;
import dev.quern.bench.synth.PublishedModel;
import dev.quern.model.ModelConfig;
import dev.quern.model.TensorRole.Component;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class SpeedRunTest {
  private static final SpeedTest PROMPT = new SpeedTest(SpeedTest.Kind.PREFILL, 512, 0);
  private static final SpeedTest DEEP = new SpeedTest(SpeedTest.Kind.DECODE, 64, 4096);
  private static final SpeedRecord.Origin ORIGIN =
      new SpeedRecord.Origin(
          Machine.detect(2, 0), 512, new Ceilings(2, 39, 44, 250, 490), "abc", "./quern bench");

  /** Says which of several engines was asked, and answers with rates that grow. */
  private static final class Fake implements SpeedEngine {
    private final String name;
    private final List<String> log;
    private double rate = 10;

    Fake(String name, List<String> log) {
      this.name = name;
      this.log = log;
    }

    @Override
    public SpeedSubject subject() {
      return new SpeedSubject(
          name, "1", "a \"model\"", "Q4", 2, 4.5, 4.6, 100, 20, 12, true, OptionalDouble.empty());
    }

    @Override
    public SpeedCost cost(SpeedTest test) {
      return new SpeedCost(40, 12);
    }

    @Override
    public String warmUp(SpeedTest test) {
      log.add("warm " + name + " " + test.name());
      return "none";
    }

    @Override
    public double repetition(SpeedTest test) {
      log.add(name);
      return rate++;
    }

    @Override
    public void close() {}
  }

  @Test
  void repetitionsTakeTurnsAndNobodyIsAlwaysFirst() throws IOException {
    List<String> log = new ArrayList<>();
    SpeedRun run = new SpeedRun(List.of(new Fake("a", log), new Fake("b", log)), 3, line -> {});
    List<SpeedRecord> records = run.measure(List.of(PROMPT, DEEP), ORIGIN);
    List<String> turns = List.of("a", "b", "b", "a", "a", "b");
    List<String> expected = new ArrayList<>(List.of("warm a pp512", "warm b pp512"));
    expected.addAll(turns);
    expected.addAll(List.of("warm a tg64 @ d4096", "warm b tg64 @ d4096"));
    expected.addAll(turns);
    assertEquals(expected, log);
    assertEquals(
        List.of("a pp512", "b pp512", "a tg64 @ d4096", "b tg64 @ d4096"),
        records.stream().map(r -> r.subject().engine() + " " + r.testName()).toList());
    assertEquals(List.of(10.0, 11.0, 12.0), records.getFirst().samples());
    assertEquals(11, records.getFirst().mean());
    assertEquals(1, records.getFirst().deviation());
    assertEquals(11, records.getFirst().median());
  }

  @Test
  void reportsHoldWhatIsNeededToRepeatThem() throws IOException {
    SpeedRun run = new SpeedRun(List.of(new Fake("a", new ArrayList<>())), 2, line -> {});
    SpeedReport report = new SpeedReport(run.measure(List.of(DEEP), ORIGIN));
    List<String> table = report.render(SpeedReport.Format.MD).lines().toList();
    assertEquals(3, table.size());
    assertTrue(table.get(2).contains("| 10.50 ± 0.71"), table.get(2));
    assertTrue(table.get(2).contains("random weights"), table.get(2));
    List<String> csv = report.render(SpeedReport.Format.CSV).lines().toList();
    assertTrue(csv.get(1).contains("\"a \"\"model\"\"\",\"Q4\",\"4.5000\""), csv.get(1));
    assertTrue(csv.get(1).contains("\"10.0000 11.0000\""), csv.get(1));
    List<String> columns = List.of(csv.get(0).split(",", -1));
    String row = csv.get(1);
    List<String> values = List.of(row.substring(1, row.length() - 1).split("\",\"", -1));
    assertEquals(columns.size(), values.size());
    Map<String, String> expected =
        Map.of(
            "memory_bytes", Long.toString(ORIGIN.machine().memoryBytes()),
            "os", ORIGIN.machine().os(),
            "read_one_gb_s", "39.0",
            "read_gb_s", "44.0",
            "peak_one_gflop_s", "250.0",
            "peak_gflop_s", "490.0",
            "build_commit", "abc",
            "command", "./quern bench");
    expected.forEach(
        (column, value) -> assertEquals(value, values.get(columns.indexOf(column)), column));
    String json = report.render(SpeedReport.Format.JSON);
    for (String part :
        List.of("\"testName\" : \"tg64 @ d4096\"", "\"commit\" : \"abc\"", "\"jvmFlags\"")) {
      assertTrue(json.contains(part), json);
    }
  }

  @Test
  void costsAreThoseOfTheShape() throws IOException {
    ModelConfig config =
        PublishedModel.QWEN3_30B_A3B.config(OptionalInt.of(8), OptionalInt.of(32_768));
    Map<Component, Long> bytes =
        Map.of(Component.EXPERTS, 800L, Component.ATTENTION, 100L, Component.HEAD, 50L);
    SpeedCost decode = SpeedCost.of(config, bytes, 64, new SpeedTest(SpeedTest.Kind.DECODE, 1, 0));
    long weights = SpeedCost.touchedWeights(config);
    // per layer the products of 32 heads of 128 with one key and one value
    assertEquals(2.0 * weights + 8 * 2 * 2 * 4096, decode.operations(), 1);
    assertEquals(950 + 64, decode.bytes(), 1e-6);

    SpeedCost prompt = SpeedCost.of(config, bytes, 64, PROMPT);
    double head = 32_768.0 * 2048;
    // The last layer's queries, their norm, output, router, 8 experts and their norm: of two
    // tokens,
    // which see 511 and 512 positions.
    double last = 2.0 * 4096 * 2048 + 128 + 128 * 2048 + 8 * 3 * 768 * 2048 + 2048;
    double attention = 2 * 2 * 4096 * (7 * 256.5 + 511.5 * 2 / 512);
    assertEquals(
        2 * (weights - head * 511 / 512 - last * 510 / 512) + attention, prompt.operations(), 1);
    // 512 tokens with 8 of 128 experts each use all of them, two in the last layer 15.5.
    double experts = 800 * (7 * 16 + 15.5 / 8) / 8;
    assertEquals((150 + experts) / 512 + 64 * 256.5 / 512, prompt.bytes(), 1e-3);
  }

  @Test
  void aPromptOfOneTokenCostsWhatDecodingItDoes() throws IOException {
    Map<Component, Long> bytes = Map.of(Component.EXPERTS, 800L, Component.ATTENTION, 100L);
    for (PublishedModel model : PublishedModel.values()) {
      ModelConfig config = model.config();
      SpeedCost decode =
          SpeedCost.of(config, bytes, 64, new SpeedTest(SpeedTest.Kind.DECODE, 1, 100));
      SpeedCost prompt =
          SpeedCost.of(config, bytes, 64, new SpeedTest(SpeedTest.Kind.PREFILL, 1, 100));
      assertEquals(decode, prompt, model.label());
    }
  }

  @Test
  void testsAreNamedAsLlamaBenchNamesThem() {
    assertEquals(
        List.of("pp512", "tg64", "pp512 @ d4096", "tg64 @ d4096"),
        SpeedTest.of(512, 64, List.of(0, 4096)).stream().map(SpeedTest::name).toList());
    assertEquals(
        List.of("tg64"), SpeedTest.of(0, 64, List.of(0)).stream().map(SpeedTest::name).toList());
  }

  @Test
  void testsOfNothingAreRefused() {
    assertEquals(
        "nothing to measure: --n-prompt 0, --n-gen 0 at depths [0]", refusal(0, 0, List.of(0)));
    assertEquals(
        "nothing to measure: --n-prompt 512, --n-gen 64 at depths []", refusal(512, 64, List.of()));
    assertEquals("--n-prompt: expected at least 0, found -1", refusal(-1, 64, List.of(0)));
    assertEquals("--n-gen: expected at least 0, found -64", refusal(512, -64, List.of(0)));
    assertEquals(
        "speed test of 512 tokens at depth -1: expected at least 1 and 0",
        refusal(512, 64, List.of(-1)));
    assertEquals(
        "speed test of 512 tokens at depth 2147483647: expected at most 2147483647 positions",
        refusal(512, 0, List.of(Integer.MAX_VALUE)));
  }

  private static String refusal(int prompt, int generated, List<Integer> depths) {
    return assertThrows(
            IllegalArgumentException.class, () -> SpeedTest.of(prompt, generated, depths))
        .getMessage();
  }
}
