package dev.quern.bench.plan;

import dev.quern.converter.traces.Split;
import dev.quern.converter.traces.TraceColumn;
import dev.quern.converter.traces.TraceReader;
import dev.quern.converter.traces.TraceShape;
import dev.quern.converter.traces.Traces;
import dev.quern.format.FormatException;
import dev.quern.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;

/** Reads the routing of a trace that {@code collect-traces} has written. */
final class RecordedRouting {
  /** Enough for shares to a percent. */
  private static final int MAX_TOKENS = 20_000;

  private static final int BATCH_ROWS = 1000;

  private RecordedRouting() {}

  /**
   * The beginning of the test split, or of the first split that is not empty.
   *
   * @throws FormatException if the traces are of a model with other experts
   */
  static RoutingTrace read(Path folder, ModelConfig config) throws IOException {
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
    int tokens = (int) Math.min(MAX_TOKENS, traces.tokens(split));
    int[][] experts = new int[shape.layers().size()][];
    for (int layer = 0; layer < experts.length; layer++) {
      experts[layer] = layer(traces, split, shape.layers().get(layer), tokens * shape.topK());
    }
    return new RoutingTrace(experts, shape.numExperts(), shape.topK());
  }

  private static int[] layer(Traces traces, Split split, int layer, int length) throws IOException {
    int[] used = new int[length];
    int filled = 0;
    try (TraceReader reader =
        traces.read(split, layer, EnumSet.of(TraceColumn.EXPERTS), BATCH_ROWS)) {
      while (filled < length && reader.next()) {
        int count = Math.min(length - filled, reader.batch().rows() * traces.shape().topK());
        System.arraycopy(reader.batch().experts(), 0, used, filled, count);
        filled += count;
      }
    }
    return filled == length ? used : Arrays.copyOf(used, filled);
  }
}
