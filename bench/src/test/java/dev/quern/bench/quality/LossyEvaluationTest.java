package dev.quern.bench.quality;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.bench.report.LossyResults;
import dev.quern.bench.report.Results;
import dev.quern.converter.plan.Precision;
import dev.quern.kernels.Activations;
import dev.quern.model.ExpertSelection;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A few windows of tiny-moe with experts left out or replaced. */
class LossyEvaluationTest {
  private static final Path TINY = Path.of("../datasets/tiny-moe");
  private static final int WINDOWS = 2;
  private static final int TOKENS = 128;
  private static final long USES = (long) WINDOWS * TOKENS * 6 * 4; // layers × experts of a token
  private static final ExpertSelection TWO = new ExpertSelection(2, false, 0, false);
  private static final ExpertSelection STAND_INS = new ExpertSelection(0, false, 0, false, 2);
  private static final ExpertSelection SKIP = new ExpertSelection(0, false, 0, true);

  @TempDir private Path folder;

  private EvaluationOptions options(Shortcuts shortcuts) {
    return new EvaluationOptions(
        TINY.resolve("model"),
        TINY.resolve("text/valid.txt"),
        List.of(3),
        List.of(VariantMethod.TURBO),
        Precision.experts(Precision.Method.TURBO, Precision.SOURCE_BITS)
            .withStandIns(shortcuts.selection().standInBits()),
        Optional.of(WINDOWS),
        TOKENS,
        folder.resolve("packs"),
        false,
        Optional.empty(),
        2,
        1,
        shortcuts,
        "a test");
  }

  private static Shortcuts with(ExpertSelection selection, double share) {
    return new Shortcuts(selection, Activations.F32, Optional.of(new Shortcuts.Share(share)));
  }

  @Test
  void whatIsLeftOutOrReplacedIsCountedAndCosts() throws IOException {
    EvaluationOptions two = options(new Shortcuts(TWO, Activations.F32, Optional.empty()));
    Results exact = new Evaluation(two, _ -> {}).run();
    LossyResults half = new LossyEvaluation(two, _ -> {}).run(exact);
    assertEquals(
        List.of("original", "turbo 3"), half.rows().stream().map(r -> r.variant()).toList());
    for (int i = 0; i < 2; i++) {
      LossyResults.Row row = half.rows().get(i);
      assertEquals(USES, row.chosen());
      assertEquals(USES / 2, row.leftOut());
      assertEquals(0, row.replaced());
      assertEquals(exact.variants().get(i).perplexity(), row.exactPerplexity());
      assertTrue(row.perplexity() > row.exactPerplexity(), half.text());
      assertTrue(row.meanKld() > 0.01 && row.top1Agreement() < 1, half.text());
    }
    assertTrue(half.text().startsWith("lossy: --experts-per-token 2; 256 tokens in 2 windows\n"));
    assertTrue(half.text().contains("50.00 %"), half.text());

    LossyResults.Row skipped =
        new LossyEvaluation(options(with(SKIP, 0.1)), _ -> {}).run(exact).rows().getFirst();
    assertEquals(USES, skipped.chosen());
    assertTrue(skipped.leftOut() > 0 && skipped.leftOut() <= USES / 4 * 3, "" + skipped);
    assertTrue(skipped.perplexity() > skipped.exactPerplexity(), "" + skipped);

    EvaluationOptions standIns = options(with(STAND_INS, 0.1));
    Results again = new Evaluation(standIns, _ -> {}).run();
    assertEquals(
        exact.quantized().getFirst().perplexity(), again.quantized().getFirst().perplexity());
    LossyResults.Row replaced = new LossyEvaluation(standIns, _ -> {}).run(again).rows().getFirst();
    assertEquals(0, replaced.leftOut());
    assertTrue(replaced.replaced() > 0 && replaced.replaced() < USES, "" + replaced);
    assertTrue(replaced.meanKld() < skipped.meanKld(), replaced + " against " + skipped);
  }

  @Test
  void whatDependsOnMemoryNeedsToKnowIt() {
    assertThrows(
        IllegalArgumentException.class,
        () -> new Shortcuts(STAND_INS, Activations.F32, Optional.empty()));
    assertThrows(IllegalArgumentException.class, () -> with(TWO, 0.25));
    assertThrows(IllegalArgumentException.class, () -> with(SKIP, 0));
    assertThrows(IllegalArgumentException.class, () -> with(SKIP, 1.5));
  }
}
