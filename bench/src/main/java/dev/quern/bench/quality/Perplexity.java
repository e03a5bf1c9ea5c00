package dev.quern.bench.quality;

import dev.quern.cli.ModelText;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The perplexity of one model on a text, for a figure beside its speed. */
public final class Perplexity {
  private static final int MAX_WINDOW = 512;

  private Perplexity() {}

  /**
   * Perplexity over some windows of at most 512 tokens, evenly spaced in the text.
   *
   * @param model with a tokenizer
   * @param windows at least 1
   */
  public static double of(Path model, Path text, int windows, int threads) throws IOException {
    int[] ids;
    try (ModelText tokenizer = ModelText.open(model)) {
      ids = tokenizer.tokenizer().encode(Texts.read(text), false);
    }
    try (LockstepRunner runner = LockstepRunner.open(List.of(model), MAX_WINDOW, threads)) {
      List<WindowScore> scores = new ArrayList<>();
      for (int[] window : Windows.choose(Windows.cut(ids, MAX_WINDOW), windows)) {
        scores.add(runner.score(window).getFirst());
      }
      return new Quality(scores).perplexity();
    }
  }
}
