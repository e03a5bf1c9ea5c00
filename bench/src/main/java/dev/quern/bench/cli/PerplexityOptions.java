package dev.quern.bench.cli;

import dev.quern.bench.quality.Perplexity;
import dev.quern.model.ModelOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalDouble;
import picocli.CommandLine.Option;

/** On what {@code quern bench} measures the perplexity of models. */
final class PerplexityOptions {
  @Option(
      names = "--dataset",
      paramLabel = "FILE",
      description = {
        "with --model: a text, on which the perplexity is measured;",
        "that of --peer-model by quern in float32"
      })
  private Optional<Path> dataset;

  @Option(
      names = "--windows",
      paramLabel = "N",
      defaultValue = "16",
      description = "of the text that are evaluated, evenly spaced (${DEFAULT-VALUE})")
  private int windows;

  int windows() {
    return windows;
  }

  /**
   * Empty without a text.
   *
   * @param model with a tokenizer
   */
  OptionalDouble measure(Path model, ModelOptions options) throws IOException {
    return dataset.isPresent()
        ? OptionalDouble.of(Perplexity.of(model, dataset.get(), windows, options))
        : OptionalDouble.empty();
  }
}
