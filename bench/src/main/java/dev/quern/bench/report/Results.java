package dev.quern.bench.report;

import java.util.List;
import java.util.Optional;

/**
 * One evaluation: everything {@code results.json} holds, and enough to draw every chart again.
 *
 * @param schemaVersion {@link #SCHEMA_VERSION}; readers refuse others
 * @param variants the original first
 * @param histograms weights of one tensor before and after rotation; may be empty
 */
public record Results(
    int schemaVersion,
    Run run,
    Model model,
    Protocol protocol,
    Machine machine,
    List<VariantResult> variants,
    List<WeightHistogram> histograms) {
  public static final int SCHEMA_VERSION = 2;

  public Results {
    variants = List.copyOf(variants);
    histograms = List.copyOf(histograms);
    if (schemaVersion != SCHEMA_VERSION) {
      throw new IllegalArgumentException(
          "results of schema version %d, this reads version %d"
              .formatted(schemaVersion, SCHEMA_VERSION));
    }
    if (variants.isEmpty() || !variants.getFirst().isOriginal()) {
      throw new IllegalArgumentException("results begin with the variant 'original'");
    }
  }

  public VariantResult original() {
    return variants.getFirst();
  }

  /** All but the original. */
  public List<VariantResult> quantized() {
    return variants.subList(1, variants.size());
  }

  /** Methods in order of appearance, without the original. */
  public List<String> methods() {
    return quantized().stream().map(VariantResult::method).distinct().toList();
  }

  public Optional<VariantResult> variant(String method, int bits) {
    return variants.stream().filter(v -> v.method().equals(method) && v.bits() == bits).findFirst();
  }

  /**
   * @param command that repeats the run
   * @param date ISO 8601, UTC
   * @param commit of the sources, or {@code unknown}
   */
  public record Run(String command, String date, String commit, long seed) {}

  /**
   * @param fingerprint of the source, see {@link dev.quern.format.Fingerprint}
   */
  public record Model(
      String name,
      String modelType,
      int layers,
      int hiddenSize,
      int experts,
      int topK,
      long quantizedWeights,
      String fingerprint) {}

  /**
   * @param dataset file or folder
   * @param windows measured of availableWindows
   * @param predictedTokens over which perplexity, divergence and agreement are means
   * @param bootstrapDraws behind the confidence interval
   */
  public record Protocol(
      String dataset,
      int sequenceLength,
      int windows,
      int availableWindows,
      long predictedTokens,
      int bootstrapDraws,
      int prefillTokens,
      int decodeTokens) {}
}
