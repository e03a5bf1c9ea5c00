package dev.quern.bench.plan;

import dev.quern.bench.cache.RoutingTrace;
import dev.quern.bench.cache.RoutingTraces;
import dev.quern.converter.traces.Split;
import dev.quern.converter.traces.TraceShape;
import dev.quern.converter.traces.Traces;
import dev.quern.format.FormatException;
import dev.quern.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Reads the routing of a trace that {@code collect-traces} has written. */
public final class RecordedRouting {
  /** Enough for shares to a percent. */
  private static final int MAX_TOKENS = 20_000;

  private RecordedRouting() {}

  /**
   * The beginning of the test split, or of the first split that is not empty.
   *
   * @throws FormatException if the traces are of a model with other experts
   */
  public static RoutingTrace read(Path folder, ModelConfig config) throws IOException {
    Traces traces = Traces.open(folder);
    TraceShape shape = traces.shape();
    if (shape.numExperts() != config.numExperts() || shape.topK() != config.topK()) {
      throw new FormatException(
          "%s: traces of top %d of %d experts: expected top %d of %d, as the model has. Collect traces of this model"
              .formatted(
                  folder, shape.topK(), shape.numExperts(), config.topK(), config.numExperts()));
    }
    Split split =
        List.of(Split.TEST, Split.VALID, Split.TRAIN).stream()
            .filter(s -> traces.tokens(s) > 0)
            .findFirst()
            .orElseThrow(() -> new FormatException(folder + ": traces of no tokens"));
    return RoutingTraces.read(traces, split, MAX_TOKENS);
  }
}
