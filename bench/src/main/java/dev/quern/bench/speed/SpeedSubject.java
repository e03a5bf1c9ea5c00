package dev.quern.bench.speed;

import java.util.Locale;
import java.util.OptionalDouble;

/**
 * What is measured: a program with a model.
 *
 * @param engine {@link #QUERN}, or a peer's name
 * @param version of the engine: quern's commit, a peer's build
 * @param model its name and what was changed of it, such as {@code qwen3-30b-a3b, 8 layers}; of
 *     files that were there the file's or folder's
 * @param quantization as the engine names it, such as {@code turbo 3 bits} or {@code Q4_K}
 * @param threads of the engine
 * @param bitsPerWeight of the whole model, everything stored counted
 * @param touchedBitsPerWeight of the weights that decoding one token reads
 * @param weights of the whole model
 * @param touchedWeights that decoding one token reads
 * @param touchedBytes that hold those
 * @param randomWeights whether the model is only a shape, filled with random weights
 * @param perplexity of a real model on a text; empty if it was not measured. Of quern's with the
 *     activations that are timed; of a peer's weights computed by quern, in float32
 */
public record SpeedSubject(
    String engine,
    String version,
    String model,
    String quantization,
    int threads,
    double bitsPerWeight,
    double touchedBitsPerWeight,
    long weights,
    long touchedWeights,
    long touchedBytes,
    boolean randomWeights,
    OptionalDouble perplexity) {
  /** The engine that the others are peers of. */
  public static final String QUERN = "quern";

  public SpeedSubject {
    if (threads < 1 || weights < 1 || touchedWeights < 1 || touchedBytes < 1) {
      throw new IllegalArgumentException(
          "%s with %d threads: %d of %d weights in %d bytes per token"
              .formatted(engine, threads, touchedWeights, weights, touchedBytes));
    }
    if (randomWeights && perplexity.isPresent()) {
      throw new IllegalArgumentException("random weights have no perplexity");
    }
  }

  /** What stands beside tokens per second: a perplexity, or why there is none. */
  public String quality() {
    if (randomWeights) {
      return "random weights";
    }
    if (perplexity.isEmpty()) {
      return "perplexity not measured";
    }
    String measured = String.format(Locale.ROOT, "perplexity %.3f", perplexity.getAsDouble());
    return engine.equals(QUERN) ? measured : measured + " (of its weights, computed by quern)";
  }
}
