package dev.quern.bench.quality;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.bench.report.Results;
import dev.quern.bench.report.VariantResult;
import dev.quern.converter.plan.Precision;
import dev.quern.converter.plan.PrecisionOverride;
import dev.quern.format.FormatException;
import dev.quern.model.GoldenModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On the model that comes with the project, with a few windows of its validation text. */
class EvaluationTest {
  private static final Path TINY = Path.of("../datasets/tiny-moe");

  @TempDir private Path folder;

  private EvaluationOptions options(
      List<Integer> bits, List<VariantMethod> methods, Precision common, Optional<String> master) {
    return new EvaluationOptions(
        TINY.resolve("model"),
        TINY.resolve("text/valid.txt"),
        bits,
        methods,
        common,
        Optional.of(4),
        256,
        folder.resolve("packs"),
        false,
        master,
        2,
        1,
        Shortcuts.NONE,
        "a test");
  }

  private static Precision experts() {
    return Precision.experts(Precision.Method.TURBO, Precision.SOURCE_BITS);
  }

  @Test
  void moreBitsLoseLessAndSparkCountsTheSame() throws IOException {
    List<VariantMethod> turbo = List.of(VariantMethod.TURBO);
    Results here =
        new Evaluation(options(List.of(2, 3, 4), turbo, experts(), Optional.empty()), _ -> {})
            .run();
    double[] divergence = new double[5];
    for (int bits = 2; bits <= 4; bits++) {
      VariantResult v = here.variant("turbo", bits).orElseThrow();
      divergence[bits] = v.meanKld();
      // Indices, 4-bit codes for 16 weights, and what headers and factors may cost.
      assertTrue(v.bitsPerWeight() > bits + 0.25 && v.bitsPerWeight() < bits + 0.27, v.label());
      assertEquals(6 * 3, v.tensorErrors().size()); // layers × projections
      assertTrue(v.lnPplLossLow() <= v.lnPplLoss() && v.lnPplLoss() <= v.lnPplLossHigh());
      assertTrue(v.prefillTokensPerSecond() > 0 && v.decodeTokensPerSecond() > 0, v.label());
    }
    assertTrue(divergence[2] > 2 * divergence[3], "2 bits against 3");
    assertTrue(divergence[3] > 2 * divergence[4], "3 bits against 4");
    double loss2 = here.variant("turbo", 2).orElseThrow().lnPplLoss();
    assertTrue(loss2 > 0.03 && loss2 < 0.2, "loss at 2 bits: " + loss2);
    assertEquals(4 * 255, here.protocol().predictedTokens());
    assertEquals(0, here.original().lnPplLoss());
    assertEquals(16, here.original().bitsPerWeight());
    assertEquals(9_437_184, here.model().quantizedWeights()); // the model card's experts
    assertEquals(2, here.histograms().size());

    // Packs are found again; windows in Spark tasks, a thread each, give the same sums.
    Results spark =
        new Evaluation(
                options(List.of(2, 3, 4), turbo, experts(), Optional.of("local[2]")), _ -> {})
            .run();
    for (VariantResult v : here.variants()) {
      VariantResult other = spark.variant(v.method(), v.bits()).orElseThrow();
      assertEquals(v.perplexity(), other.perplexity(), 1e-9 * v.perplexity(), v.label());
      assertEquals(v.tensorErrors().size(), other.tensorErrors().size(), v.label());
      for (int i = 0; i < v.tensorErrors().size(); i++) {
        VariantResult.TensorError mine = v.tensorErrors().get(i);
        VariantResult.TensorError theirs = other.tensorErrors().get(i);
        assertEquals(mine.layer() + mine.projection(), theirs.layer() + theirs.projection());
        // Read from the pack in another order of summation.
        assertEquals(mine.relativeMse(), theirs.relativeMse(), 1e-12, v.label());
      }
      assertEquals(v.relativeMse(), other.relativeMse(), 1e-12, v.label());
    }
  }

  @Test
  void bitsPerWeightCountOnlyWhatIsQuantized() throws IOException {
    Precision gateAndUp =
        experts().withOverrides(List.of(PrecisionOverride.parse("experts.down=16")));
    Results results =
        new Evaluation(
                options(List.of(3), List.of(VariantMethod.TURBO), gateAndUp, Optional.empty()),
                _ -> {})
            .run();
    VariantResult v = results.quantized().getFirst();
    assertEquals(9_437_184 / 3 * 2, results.model().quantizedWeights());
    assertTrue(v.bitsPerWeight() > 3.25 && v.bitsPerWeight() < 3.27, "" + v.bitsPerWeight());

    // The kept pack belongs to other options now.
    assertThrows(
        FormatException.class,
        () ->
            new Evaluation(
                    options(List.of(3), List.of(VariantMethod.TURBO), experts(), Optional.empty()),
                    _ -> {})
                .run());
  }

  /** With the file's own tokenizer; folder and file hold the same weights and vocabulary. */
  @Test
  void ggufIsEvaluatedAsTheFolderIs() throws IOException {
    List<Results> both = new ArrayList<>();
    for (Path model : List.of(GoldenModel.folder("qwen3_moe"), GoldenModel.gguf("qwen3_moe"))) {
      EvaluationOptions options =
          new EvaluationOptions(
              model,
              TINY.resolve("text/valid.txt"),
              List.of(4),
              List.of(VariantMethod.TURBO),
              experts(),
              Optional.of(2),
              64,
              folder.resolve(model.getFileName()),
              false,
              Optional.empty(),
              2,
              1,
              Shortcuts.NONE,
              "a test");
      both.add(new Evaluation(options, _ -> {}).run());
    }
    Results ofFolder = both.getFirst();
    Results ofGguf = both.getLast();
    assertEquals("qwen3_moe", ofGguf.model().name());
    assertEquals(ofFolder.protocol(), ofGguf.protocol());
    assertEquals(Files.size(GoldenModel.gguf("qwen3_moe")), ofGguf.original().sizeBytes());
    for (VariantResult v : ofFolder.variants()) {
      VariantResult other = ofGguf.variant(v.method(), v.bits()).orElseThrow();
      assertEquals(v.perplexity(), other.perplexity(), 1e-6 * v.perplexity(), v.label());
    }
  }

  @Test
  void textsAreReadInTheOrderOfTheirNames() throws IOException {
    Files.writeString(folder.resolve("b.txt"), "two");
    Files.writeString(folder.resolve("a.txt"), "one ");
    Files.writeString(folder.resolve("c.md"), "no text");
    assertEquals("one two", Texts.read(folder));
    Path binary = folder.resolve("z.txt");
    Files.write(binary, new byte[] {(byte) 0xC3, 0x28});
    assertThrows(FormatException.class, () -> Texts.read(binary));
  }
}
