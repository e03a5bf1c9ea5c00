package dev.quern.converter.traces;

import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/** The columns of a trace, in the order in which files have them. */
public enum TraceColumn {
  /** Number of the document in the dataset, from 0. */
  DOCUMENT,
  /** Number of the window, from 0: in its document, or of continuous traces in its split. */
  WINDOW,
  /** Of the token in its window, from 0: where the model saw it. */
  POSITION,
  /** Vocabulary id. */
  TOKEN,
  /** Float16 [hiddenSize]: what the router read, the normed hidden state. */
  INPUT,
  /** Float16 [hiddenSize]: the hidden state that entered the layer, before its attention's norm. */
  ENTERED,
  /** Float16 [numExperts]: the score of every expert. */
  SCORES,
  /** [topK], highest score first. */
  EXPERTS,
  /** Float32 [topK], by which the outputs of these experts are multiplied. */
  WEIGHTS;

  /** Columns that a trace may lack: the large ones. */
  public static final Set<TraceColumn> OPTIONAL = Set.copyOf(EnumSet.of(INPUT, ENTERED, SCORES));

  /** Where a token stands and which experts it took: what a cache sees. */
  public static final Set<TraceColumn> ROUTING =
      Set.copyOf(EnumSet.complementOf(EnumSet.of(INPUT, ENTERED, SCORES)));

  /** As options and files write it. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Whether values are vectors of float16. */
  boolean isVector() {
    return switch (this) {
      case INPUT, ENTERED, SCORES -> true;
      case DOCUMENT, WINDOW, POSITION, TOKEN, EXPERTS, WEIGHTS -> false;
    };
  }

  /**
   * @throws IllegalArgumentException if there is none of this label
   */
  public static TraceColumn of(String label) {
    for (TraceColumn column : values()) {
      if (column.label().equals(label)) {
        return column;
      }
    }
    throw new IllegalArgumentException(
        "column: expected input, entered or scores, found '" + label + "'");
  }
}
