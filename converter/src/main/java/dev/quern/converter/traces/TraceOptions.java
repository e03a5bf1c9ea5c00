package dev.quern.converter.traces;

import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * What to collect.
 *
 * @param model a folder, a pack or a GGUF file
 * @param dataset a text file or a folder of them
 * @param out folder that is not there yet, or empty
 * @param master Spark's
 * @param window longest window in tokens; by default the model's context, at most {@link
 *     #DEFAULT_WINDOW}
 * @param continuous whether windows go on over the ends of documents
 * @param maxTokens bound of the tokens of all splits
 * @param columns which of {@link TraceColumn#OPTIONAL} to write
 */
public record TraceOptions(
    Path model,
    Path dataset,
    Path out,
    String master,
    SplitRule rule,
    OptionalInt window,
    boolean continuous,
    OptionalLong maxTokens,
    Set<TraceColumn> columns) {
  /** Models of today are made for contexts that would take hours to fill. */
  public static final int DEFAULT_WINDOW = 2048;

  public TraceOptions {
    columns = Set.copyOf(columns);
    if (window.isPresent() && window.getAsInt() < 1) {
      throw new IllegalArgumentException(
          "--window: expected at least 1, found " + window.getAsInt());
    }
    if (maxTokens.isPresent() && maxTokens.getAsLong() < 1) {
      throw new IllegalArgumentException(
          "--max-tokens: expected at least 1, found " + maxTokens.getAsLong());
    }
    if (!TraceColumn.OPTIONAL.containsAll(columns)) {
      throw new IllegalArgumentException(
          "--columns: expected some of input, entered, scores, found " + columns);
    }
  }
}
