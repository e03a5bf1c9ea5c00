package dev.quern.bench.plan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.bench.cache.RoutingTrace;
import dev.quern.bench.plan.StreamingPlan.Point;
import dev.quern.bench.plan.StreamingPlan.Variant;
import dev.quern.experts.CachePolicyKind;
import dev.quern.format.FormatException;
import dev.quern.kv.KvType;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelSource;
import dev.quern.model.RunMemory;
import dev.quern.model.WeightSizes;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StreamingPlanTest {
  private static final Path TINY = Path.of("../datasets/tiny-moe/model");

  /** 2 layers of 10 ms dense and 4 experts of 1 ms; 5 ms beside them. */
  private static final DecodeCost COST = new DecodeCost(0.005, 0.010, 0.001, 2, 4);

  /** 2 ms per record of 2 MB, the first half a millisecond later. */
  private static final DiskRate DISK = new DiskRate(1e9, 0.0005);

  private static final long RECORD = 2_000_000;

  private static final double EXACT = 1e-12; // sums of a few doubles

  @TempDir private Path folder;

  @Test
  void whatIsInMemoryIsComputedWhileTheRestIsRead() {
    TokenTime time = new TokenTime(COST, DISK, RECORD, 0);
    assertEquals(0.004, time.visitSeconds(0), EXACT);
    // 3 ms of hits; the record is there after 2.5 ms, and takes 1 ms.
    assertEquals(0.004, time.visitSeconds(1), EXACT);
    // 2 ms of hits; records at 2.5 and 4.5 ms, the last is computed until 5.5 ms.
    assertEquals(0.0055, time.visitSeconds(2), EXACT);
    assertEquals(0.0095, time.visitSeconds(4), EXACT);
  }

  @Test
  void readingAheadHidesReadsBehindTheDensePart() {
    TokenTime half = new TokenTime(COST, DISK, RECORD, 0.5);
    // Two of four are there long before; the others come at 2.5 and 4.5 ms.
    assertEquals(0.0055, half.visitSeconds(4), EXACT);
    TokenTime all = new TokenTime(COST, DISK, RECORD, 1);
    assertEquals(0.004, all.visitSeconds(4), EXACT);
    // A disk that cannot keep up: four records of 5 ms from −11 ms on.
    TokenTime slow = new TokenTime(COST, new DiskRate(4e8, 0), RECORD, 1);
    assertEquals(0.010, slow.visitSeconds(4), EXACT);
  }

  @Test
  void aTokenIsTheSumOfItsLayers() {
    TokenTime time = new TokenTime(COST, DISK, RECORD, 0);
    assertEquals(0.033, COST.residentSeconds(), EXACT);
    assertEquals(0.033, time.seconds(MissCounts.none(4)), EXACT);
    MissCounts misses = new MissCounts(new double[] {0.5, 0, 0.25, 0, 0.25});
    assertEquals(1 - 1.5 / 4, misses.hitRate(), EXACT);
    double visit = 0.5 * 0.004 + 0.25 * 0.0055 + 0.25 * 0.0095;
    assertEquals(0.005 + 2 * (0.010 + visit), time.seconds(misses), EXACT);
  }

  /** Every token uses the same two experts, then every other token other ones. */
  @Test
  void replayCountsWhatIsMissing() {
    RoutingTrace same = trace(0, 1, 0, 1, 0, 1, 0, 1, 0, 1);
    assertEquals(1, MissCounts.of(same, CachePolicyKind.LRU, 0.5).hitRate(), EXACT);
    RoutingTrace turns = trace(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
    assertEquals(0, MissCounts.of(turns, CachePolicyKind.LRU, 0.5).hitRate(), EXACT);
    assertEquals(1, MissCounts.of(turns, CachePolicyKind.LRU, 1).hitRate(), EXACT);
    RoutingTrace halves = trace(0, 1, 0, 2, 0, 1, 0, 2, 0, 1, 0, 2);
    MissCounts one = MissCounts.of(halves, CachePolicyKind.LRU, 0.5);
    assertArrayEquals(new double[] {0, 1, 0}, one.shares(), EXACT);
  }

  /** One layer of four experts, two for each token. */
  private static RoutingTrace trace(int... experts) {
    return new RoutingTrace(
        "a trace", 4, 2, experts.length / 2, List.of(experts), List.of(new float[0]));
  }

  @Test
  void aMeasuredTokenGivesTheLayersWhatProductsLeaveOut() {
    DecodeCost slower = COST.adjusted(0.043);
    assertEquals(0.043, slower.residentSeconds(), EXACT);
    assertEquals(0.015, slower.layerSeconds(), EXACT);
    assertEquals(COST.expertSeconds(), slower.expertSeconds(), EXACT);
    DecodeCost faster = COST.adjusted(0.0165);
    assertEquals(0.0165, faster.residentSeconds(), EXACT);
    assertEquals(0.0005, faster.expertSeconds(), EXACT);
  }

  /** The shares of hits measured with LRU on the tiny model's test documents. */
  @Test
  void theFittedTraceIsAsLocalAsTheTinyModel() {
    RoutingTrace trace = RoutingTrace.fitted(32, 4);
    double quarter = MissCounts.of(trace, CachePolicyKind.LRU, 0.25).hitRate();
    double half = MissCounts.of(trace, CachePolicyKind.LRU, 0.5).hitRate();
    assertEquals(0.31, quarter, 0.02);
    assertEquals(0.56, half, 0.02);
  }

  @Test
  void everyPolicyFindsPopularExperts() {
    RoutingTrace trace = RoutingTrace.fitted(32, 4);
    for (CachePolicyKind kind : CachePolicyKind.values()) {
      if (!kind.needsProfile()) {
        double half = MissCounts.of(trace, kind, 0.5).hitRate();
        assertTrue(half > 0.53 && half < 0.75, kind + " " + half); // 0.5 by chance
      }
    }
  }

  private static final KernelTimes PER_BYTE =
      new KernelTimes() {
        @Override
        public double product(StoredMap map) {
          return map.bytes() * 1e-9;
        }

        @Override
        public double reading(long bytes) {
          return bytes * 1e-9;
        }
      };

  @Test
  void aTokenReadsTheBytesThatWeightSizesCount() throws IOException {
    try (ModelSource source = ModelSource.open(TINY)) {
      ModelSource.Unconverted model = (ModelSource.Unconverted) source;
      ModelConfig config = model.config();
      WeightSizes.Encodings encodings = WeightSizes.encodings(model);
      DecodeCost cost = DecodeCost.of(config, DecodeCost.converted(encodings, 3), 512, PER_BYTE);
      long cache = RunMemory.of(config, 512, KvType.F16).cache() / 2;
      WeightSizes weights = WeightSizes.converted(config, encodings, 3);
      double bytes = 1e9 * cost.residentSeconds() - cache;
      // Norms are read, too, and not timed: 0.2 % of this small model.
      assertEquals(weights.readPerToken(), bytes, 0.005 * bytes);
      assertEquals(config.numLayers(), cost.expertLayers());
    }
  }

  private static StreamingPlan plan() throws IOException {
    Variant four = new Variant(4, 100_000_000, 4_000_000, 64, COST);
    Variant two = new Variant(2, 100_000_000, 2_000_000, 64, COST);
    StreamingPlan.Hits hits =
        new StreamingPlan.Hits(RoutingTrace.fitted(32, 4), CachePolicyKind.LRU, 0);
    try (ModelSource source = ModelSource.open(TINY)) {
      return new StreamingPlan(
          RunMemory.of(source.config(), 512, KvType.F16), List.of(four, two), DISK, hits);
    }
  }

  @Test
  void moreMemoryIsNeverSlowerAndAllOfItReadsNothing() throws IOException {
    StreamingPlan plan = plan();
    Variant four = plan.variants().getFirst();
    double before = 0;
    for (int capacity = 4; capacity <= 64; capacity += 12) {
      Point point = plan.predict(four, capacity);
      assertEquals(100_000_000 + capacity * 4_000_000L, point.memoryBytes());
      assertTrue(point.tokensPerSecond() >= before, point.toString());
      before = point.tokensPerSecond();
    }
    assertEquals(1 / COST.residentSeconds(), before, 1e-9);
    assertEquals(10, four.capacity(143_999_999));
    assertThrows(IllegalArgumentException.class, () -> plan.predict(four, 3));
  }

  @Test
  void mostBitsAreRecommendedThatAreNotTooSlow() throws IOException {
    StreamingPlan plan = plan();
    assertEquals(4, plan.recommend(1_000_000_000).variant().bits());
    assertEquals(2, plan.recommend(110_000_000).variant().bits()); // 4 bits do not fit
    FormatException e = assertThrows(FormatException.class, () -> plan.recommend(107_000_000));
    assertTrue(
        e.getMessage()
            .startsWith("memory: expected at least 108 MB, found 107 MB: 100 MB go to weights"),
        e.getMessage());
  }

  @Test
  void theReportNamesCommandsAndMarksWhatDoesNotFit() throws IOException {
    StreamingPlan plan = plan();
    PlanReport report =
        new PlanReport(Path.of("a model"), plan, 200_000_000, plan.recommend(200_000_000));
    StringWriter text = new StringWriter();
    report.print(new PrintWriter(text, true));
    List<String> lines = text.toString().lines().toList();
    List<String> marked = lines.stream().filter(line -> line.startsWith("> 4")).toList();
    assertEquals(1, marked.size(), text.toString());
    assertTrue(marked.getFirst().contains("25 of     64"), marked.getFirst());
    assertEquals(4, lines.stream().filter(line -> line.endsWith("does not fit")).count());
    assertEquals(
        List.of(
            "quern convert --model 'a model' --bits 4 --out 'a model-4bit'",
            "quern generate --model 'a model-4bit' --memory 200m --prompt TEXT"),
        report.commands());
    report.draw(folder.resolve("charts"));
    assertTrue(Files.readString(folder.resolve("charts/plan.svg")).contains("</svg>"));
    assertTrue(Files.size(folder.resolve("charts/plan.png")) > 0);
  }
}
