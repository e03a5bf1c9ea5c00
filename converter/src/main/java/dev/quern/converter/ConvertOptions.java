package dev.quern.converter;

import dev.quern.converter.plan.ConversionPlan;
import dev.quern.converter.plan.Precision;
import java.nio.file.Path;

/**
 * What to convert, where to, and how.
 *
 * @param model folder with {@code config.json} and safetensors
 * @param out folder of the pack
 * @param master of Spark, such as {@code local[*]}
 * @param resume whether an unfinished pack of the same plan is continued
 * @param force whether an existing pack is replaced
 * @param chunkBytes input of one piece of work; does not change the pack
 */
public record ConvertOptions(
    Path model,
    Path out,
    Precision precision,
    String master,
    boolean resume,
    boolean force,
    long chunkBytes) {
  /** All cores of this machine. */
  public static final String DEFAULT_MASTER = "local[*]";

  public ConvertOptions {
    if (chunkBytes < 1) {
      throw new IllegalArgumentException("chunk of " + chunkBytes + " bytes");
    }
  }

  /** On all cores, resuming, replacing nothing. */
  public static ConvertOptions of(Path model, Path out, Precision precision) {
    return new ConvertOptions(
        model, out, precision, DEFAULT_MASTER, true, false, ConversionPlan.DEFAULT_CHUNK_BYTES);
  }
}
