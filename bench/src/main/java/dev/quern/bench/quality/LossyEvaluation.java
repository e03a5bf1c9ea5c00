package dev.quern.bench.quality;

import dev.quern.bench.report.LossyResults;
import dev.quern.bench.report.Results;
import dev.quern.bench.report.VariantResult;
import dev.quern.kernels.Activations;
import dev.quern.kv.KvType;
import dev.quern.model.ExpertSelection;
import dev.quern.model.ModelOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Measures lossy shortcuts on the packs and windows of an {@link Evaluation} that has run, against
 * the exact original.
 *
 * <p>Where the result depends on what is in memory, tokens are read one by one, as when generating,
 * with a cache that goes on from window to window. Reads take their time beside the model, so such
 * results differ a little from run to run. The original is left out then: only packs are streamed.
 */
public final class LossyEvaluation {
  private final EvaluationOptions options;
  private final Shortcuts shortcuts;
  private final Consumer<String> progress;

  /**
   * @param progress takes a line now and then
   */
  public LossyEvaluation(EvaluationOptions options, Consumer<String> progress) {
    this.options = options;
    this.shortcuts = options.shortcuts();
    this.progress = progress;
  }

  /**
   * @param exact of the same options
   */
  public LossyResults run(Results exact) throws IOException {
    boolean packsOnly = shortcuts.decoding();
    List<VariantResult> variants = packsOnly ? exact.quantized() : exact.variants();
    List<Path> paths = new ArrayList<>(List.of(options.model()));
    ModelOptions reference =
        new ModelOptions(options.threads()).with(Activations.F32).with(KvType.F32);
    List<ModelOptions> how = new ArrayList<>(List.of(reference));
    for (VariantResult variant : variants) {
      Path path =
          variant.isOriginal()
              ? options.model()
              : ConvertedVariant.pack(options, variant.method(), variant.bits());
      paths.add(path);
      ModelOptions lossy = reference.with(shortcuts.selection()).with(shortcuts.activations());
      how.add(shortcuts.streaming(path).map(lossy::with).orElse(lossy));
    }
    List<int[]> windows =
        Windows.choose(
            Windows.cut(Evaluation.tokens(options), options.windowTokens()),
            options.windows().orElse(Integer.MAX_VALUE));
    List<List<WindowScore>> scores = new ArrayList<>();
    List<LossyResults.Row> rows = new ArrayList<>();
    try (LockstepRunner runner =
        LockstepRunner.open(paths, how, options.windowTokens(), packsOnly)) {
      for (int[] window : windows) {
        scores.add(runner.score(window));
        progress.accept("lossy: window %d of %d".formatted(scores.size(), windows.size()));
      }
      for (int i = 0; i < variants.size(); i++) {
        int model = i + 1;
        Quality quality = new Quality(scores.stream().map(window -> window.get(model)).toList());
        LockstepRunner.Uses uses = runner.uses().get(model);
        rows.add(
            new LossyResults.Row(
                variants.get(i).label(),
                uses.chosen(),
                uses.leftOut(),
                uses.replaced(),
                variants.get(i).perplexity(),
                quality.perplexity(),
                quality.meanKld(),
                quality.top1Agreement()));
      }
    }
    return new LossyResults(chosen(), protocol(windows, packsOnly), rows);
  }

  private String protocol(List<int[]> windows, boolean cached) {
    long tokens = windows.stream().mapToLong(window -> window.length).sum();
    String text = "%,d tokens in %,d windows".formatted(tokens, windows.size());
    return cached ? text + ", read one by one, from an empty cache on" : text;
  }

  /** The options as they were given. */
  private String chosen() {
    ExpertSelection selection = shortcuts.selection();
    List<String> parts = new ArrayList<>();
    if (selection.perToken() > 0) {
      parts.add("--experts-per-token " + selection.perToken());
    }
    if (selection.half()) {
      parts.add("--fast");
    }
    if (selection.adaptive() > 0) {
      parts.add("--adaptive-experts " + selection.adaptive());
    }
    if (selection.skipMissing()) {
      parts.add("--skip-missing");
    }
    if (selection.standIns()) {
      parts.add("--stand-in-bits " + selection.standInBits());
    }
    shortcuts
        .memory()
        .ifPresent(memory ->
            parts.add(
                switch (memory) {
                  case Shortcuts.Share(double value) -> "--memory-share " + value;
                  case Shortcuts.Bytes(long value) -> "--expert-memory " + value;
                }));
    return String.join(" ", parts);
  }
}
