package dev.quern.converter.traces;

import dev.quern.model.ModelConfig;
import java.io.Serializable;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Sizes of a trace.
 *
 * @param layers those with experts, ascending
 * @param columns those in the files; {@link TraceColumn#ROUTING} is always among them
 */
public record TraceShape(
    List<Integer> layers, int hiddenSize, int numExperts, int topK, Set<TraceColumn> columns)
    implements Serializable {
  private static final int LENGTH_BYTES = Integer.BYTES; // before every vector in a file
  private static final int MAX_LAYERS = 10_000;
  private static final int MAX_HIDDEN = 1 << 20;
  private static final int MAX_EXPERTS = 1 << 16;

  public TraceShape {
    layers = List.copyOf(layers);
    EnumSet<TraceColumn> sorted = EnumSet.copyOf(TraceColumn.ROUTING);
    sorted.addAll(columns);
    columns = Collections.unmodifiableSet(sorted);
    check("layers", layers.size(), 1, MAX_LAYERS);
    check("hidden size", hiddenSize, 1, MAX_HIDDEN);
    check("experts", numExperts, 1, MAX_EXPERTS);
    check("top-k", topK, 1, numExperts);
    for (int i = 0; i < layers.size(); i++) {
      check("layer", layers.get(i), i == 0 ? 0 : layers.get(i - 1) + 1, MAX_LAYERS);
    }
  }

  private static void check(String what, int found, int low, int high) {
    if (found < low || found > high) {
      throw new IllegalArgumentException(
          "%s: expected %d to %d, found %d".formatted(what, low, high, found));
    }
  }

  /**
   * @param optional which of {@link TraceColumn#OPTIONAL} to have
   * @throws IllegalArgumentException if no layer has experts
   */
  static TraceShape of(ModelConfig config, Set<TraceColumn> optional) {
    List<Integer> layers =
        IntStream.range(0, config.numLayers()).filter(config::hasExperts).boxed().toList();
    return new TraceShape(
        layers, config.hiddenSize(), config.numExperts(), config.topK(), optional);
  }

  /** Elements of a column's value. */
  int width(TraceColumn column) {
    return switch (column) {
      case DOCUMENT, WINDOW, POSITION, TOKEN -> 1;
      case INPUT, ENTERED -> hiddenSize;
      case SCORES -> numExperts;
      case EXPERTS, WEIGHTS -> topK;
    };
  }

  /** Bytes of one row before compression: what files take at most, about. */
  long rowBytes() {
    return columns.stream()
        .mapToLong(column ->
            column.isVector()
                ? LENGTH_BYTES + (long) Short.BYTES * width(column)
                : (long) Integer.BYTES * width(column))
        .sum();
  }
}
