package dev.quern.bench.quality;

import dev.quern.cli.ModelText;
import dev.quern.kernels.Activations;
import dev.quern.model.ModelOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The perplexity of one model on a text, for a figure beside its speed. */
public final class Perplexity {
  private static final int MAX_WINDOW = 512;

  private Perplexity() {}

  /**
   * Perplexity over some windows of at most 512 tokens, evenly spaced in the text. Where decoding
   * computes otherwise than reading a prompt does, tokens are read one by one, as decoding does.
   *
   * @param model with a tokenizer
   * @param windows at least 1
   */
  public static double of(Path model, Path text, int windows, ModelOptions options)
      throws IOException {
    int[] ids;
    try (ModelText tokenizer = ModelText.open(model)) {
      ids = tokenizer.tokenizer().encode(Texts.read(text), false);
    }
    boolean oneByOne =
        switch (options.activations()) {
          case INT -> true;
          case F32 -> false;
        };
    ModelOptions reference = options.with(Activations.F32);
    List<Path> paths = oneByOne ? List.of(model, model) : List.of(model);
    List<ModelOptions> each = oneByOne ? List.of(reference, options) : List.of(reference);
    try (LockstepRunner runner = LockstepRunner.open(paths, each, MAX_WINDOW, oneByOne)) {
      List<WindowScore> scores = new ArrayList<>();
      for (int[] window : Windows.choose(Windows.cut(ids, MAX_WINDOW), windows)) {
        scores.add(runner.score(window).getLast());
      }
      return new Quality(scores).perplexity();
    }
  }
}
