package dev.quern.bench.quality;

import dev.quern.converter.plan.Precision;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What to evaluate, and on what.
 *
 * @param model folder with config.json, safetensors and tokenizer
 * @param dataset a text file, or a folder whose *.txt are read in the order of their names
 * @param bits of the routed experts
 * @param methods at least one
 * @param common bits of the other components, overrides and seed
 * @param windows at most so many, evenly spaced; empty for all
 * @param windowTokens length of a window
 * @param packs folder where the quantized variants are kept for the next time
 * @param replacePacks whether packs there that were made otherwise are replaced
 * @param master of Spark if windows are spread by it; empty to run them here, one after the other
 * @param threads of the runtime
 * @param repetitions of each measurement of speed
 * @param shortcuts lossy ones that are measured besides
 * @param command that repeats the run, for the record
 */
public record EvaluationOptions(
    Path model,
    Path dataset,
    List<Integer> bits,
    List<VariantMethod> methods,
    Precision common,
    Optional<Integer> windows,
    int windowTokens,
    Path packs,
    boolean replacePacks,
    Optional<String> master,
    int threads,
    int repetitions,
    Shortcuts shortcuts,
    String command) {
  public EvaluationOptions {
    bits = List.copyOf(bits);
    methods = List.copyOf(methods);
    if (bits.isEmpty() || methods.isEmpty()) {
      throw new IllegalArgumentException("nothing to evaluate: no bits or no methods");
    }
    for (int width : bits) {
      if (width < 2 || width > 4) {
        throw new IllegalArgumentException("--bits: expected 2, 3 or 4, found " + width);
      }
    }
    if (common.standInBits() != shortcuts.selection().standInBits()) {
      throw new IllegalArgumentException(
          "--stand-in-bits: packs have them at %d bits, %d are asked for"
              .formatted(common.standInBits(), shortcuts.selection().standInBits()));
    }
    if (windowTokens < 2) {
      throw new IllegalArgumentException("--seq-len: expected at least 2, found " + windowTokens);
    }
  }

  /** As reports call it. */
  public String modelName() {
    return modelName(model);
  }

  /**
   * The folder's name, or for NAME/model the one above: it says more. Of a GGUF file its name
   * without the ending and the shard's number.
   */
  public static String modelName(Path model) {
    Path folder = model.toAbsolutePath().normalize();
    Path above = folder.getParent();
    boolean plain = folder.endsWith("model") && above != null && above.getFileName() != null;
    String name = String.valueOf(plain ? above.getFileName() : folder.getFileName());
    return name.replaceFirst("(-\\d{5}-of-\\d{5})?\\.gguf$", "");
  }
}
