package dev.quern.converter.shadow;

import java.nio.file.Path;
import java.util.Optional;

/**
 * What {@code train-shadow} does.
 *
 * @param traces folder that {@code collect-traces} wrote
 * @param evaluate other traces, whose test split is scored instead; of the same model
 * @param model folder of the model or pack, for its embedding and routers
 * @param out folder in which {@code shadow/} is written
 * @param maxTokens of the training split, rounded up to whole parts
 * @param maxDistance layers ahead, at least 1
 * @param master Spark's
 */
public record ShadowOptions(
    Path traces,
    Optional<Path> evaluate,
    Path model,
    Path out,
    long maxTokens,
    int maxDistance,
    FitOptions fit,
    String master) {
  public ShadowOptions {
    if (maxTokens < 1 || maxDistance < 1) {
      throw new IllegalArgumentException(
          "train-shadow: %d tokens, %d layers ahead".formatted(maxTokens, maxDistance));
    }
  }
}
