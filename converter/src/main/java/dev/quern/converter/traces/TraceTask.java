package dev.quern.converter.traces;

import dev.quern.format.FormatException;
import dev.quern.kv.KvType;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Path;
import java.util.function.LongConsumer;

/**
 * One piece of work as it travels to an executor, where model and folder have the same paths.
 *
 * @param tokenFile see {@link TokenFile}
 * @param folder where the files are written
 */
public final class TraceTask implements Serializable {
  private static final long serialVersionUID = 1;

  private final String model;
  private final String tokenFile;
  private final String folder;
  private final TraceShape shape;
  private final TracePart part;
  private final int window;
  private final boolean continuous;

  TraceTask(Path model, Path tokenFile, Path folder, TraceManifest manifest, TracePart part) {
    this.model = model.toAbsolutePath().toString();
    this.tokenFile = tokenFile.toAbsolutePath().toString();
    this.folder = folder.toAbsolutePath().toString();
    this.shape = manifest.shape();
    this.part = part;
    this.window = manifest.window();
    this.continuous = manifest.continuous();
  }

  /** Bytes of rows in all layers. */
  public long bytes() {
    return part.tokens() * shape.layers().size() * shape.rowBytes();
  }

  /**
   * Opens the model and runs the part on one thread.
   *
   * @param done told the bytes of rows as they are written
   * @return the tokens that were traced
   * @throws FormatException if the model is wrong
   */
  public long run(LongConsumer done) throws IOException {
    try (Model opened = Model.open(Path.of(model), new ModelOptions(1).with(KvType.F32))) {
      PartCollector.collect(
          opened,
          Path.of(tokenFile),
          Path.of(folder),
          shape,
          part,
          window,
          continuous,
          tokens -> done.accept(tokens * shape.layers().size() * shape.rowBytes()));
    }
    return part.tokens();
  }
}
