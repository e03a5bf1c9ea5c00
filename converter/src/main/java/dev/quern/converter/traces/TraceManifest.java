package dev.quern.converter.traces;

import dev.quern.format.FormatException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;

/**
 * What a folder of traces holds: {@code traces.json}.
 *
 * @param endToken text of the token that ends every document
 * @param window longest window, in tokens
 * @param continuous whether windows go on over the ends of documents
 * @param counts of every split that has documents
 */
public record TraceManifest(
    Model model,
    Dataset dataset,
    TraceShape shape,
    String endToken,
    int window,
    boolean continuous,
    SplitRule rule,
    Map<Split, Count> counts) {

  /** Name of the file. */
  public static final String NAME = "traces.json";

  /** Raised when a reader of the older version would misread. */
  public static final int FORMAT_VERSION = 1;

  /**
   * Where the traces come from.
   *
   * @param fingerprint of the model, see {@link dev.quern.format.Fingerprint}
   * @param vocabSize tokens are below it
   */
  public record Model(
      String name, String fingerprint, String modelType, int numLayers, int vocabSize) {}

  /**
   * @param sha256 of the text, unpacked; of a folder, of its files' names and sums
   * @param documents in the whole dataset; traces may be of fewer
   */
  public record Dataset(String name, String sha256, int documents) {}

  /**
   * What one split has.
   *
   * @param tokens rows of every layer
   * @param parts files of every layer
   */
  public record Count(int documents, long windows, long tokens, int parts) {
    public Count {
      if (documents < 1 || windows < 1 || tokens < windows || parts < 1 || parts > tokens) {
        throw new IllegalArgumentException(
            "split of %d documents, %d windows, %d tokens, %d parts"
                .formatted(documents, windows, tokens, parts));
      }
    }
  }

  public TraceManifest {
    if (counts.isEmpty()) {
      throw new IllegalArgumentException("no split has documents");
    }
    if (window < 1) {
      throw new IllegalArgumentException("window: expected at least 1, found " + window);
    }
    counts = Collections.unmodifiableMap(new EnumMap<>(counts));
  }

  /** Rows of one layer, all splits together. */
  public long tokens() {
    return counts.values().stream().mapToLong(Count::tokens).sum();
  }

  /**
   * @throws FormatException if the folder holds no traces, or others than this version reads
   */
  public static TraceManifest read(Path folder) throws IOException {
    return TraceManifestJson.read(folder);
  }

  void write(Path folder) throws IOException {
    TraceManifestJson.write(this, folder.resolve(NAME));
  }
}
