package dev.quern.converter.traces;

import dev.quern.cli.ModelText;
import dev.quern.converter.spark.SparkSessions;
import dev.quern.converter.spark.TraceJob;
import dev.quern.converter.traces.EncodedDataset.EndToken;
import dev.quern.converter.work.ProgressListener;
import dev.quern.format.Fingerprint;
import dev.quern.format.FormatException;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Collects traces: encodes the dataset, says what will come, runs it on Spark, and gives the folder
 * its name when it is complete. Close it.
 */
public final class TraceCollection implements AutoCloseable {
  private static final String TOKENS_NAME = "tokens.i32";

  private final TraceOptions options;
  private final TraceFolder folder;
  private final TraceManifest manifest;
  private final List<TraceTask> tasks;

  private TraceCollection(
      TraceOptions options, TraceFolder folder, TraceManifest manifest, List<TraceTask> tasks) {
    this.options = options;
    this.folder = folder;
    this.manifest = manifest;
    this.tasks = tasks;
  }

  /**
   * Reads the model's configuration and encodes the dataset.
   *
   * @throws FormatException if the model has no experts, the dataset no text, or the folder is not
   *     free
   * @throws IllegalArgumentException if an option is wrong
   */
  public static TraceCollection prepare(TraceOptions options) throws IOException {
    SparkSessions.checkMaster(options.master());
    ModelConfig config;
    try (ModelSource source = ModelSource.open(options.model())) {
      config = source.config();
    }
    if (config.numExperts() == 0) {
      throw new FormatException(
          "%s: %s has no experts, so nothing is routed. Choose another --model"
              .formatted(options.model(), config.modelType()));
    }
    int window =
        options.window().orElse(Math.min(config.maxPositions(), TraceOptions.DEFAULT_WINDOW));
    if (window > config.maxPositions()) {
      throw new IllegalArgumentException(
          "--window: expected at most %d, the model's context, found %d"
              .formatted(config.maxPositions(), window));
    }
    TraceFolder folder = TraceFolder.open(options.out());
    try {
      return prepare(options, config, window, folder);
    } catch (Throwable e) {
      folder.close();
      throw e;
    }
  }

  private static TraceCollection prepare(
      TraceOptions options, ModelConfig config, int window, TraceFolder folder) throws IOException {
    Path tokenFile = folder.work().resolve(TOKENS_NAME);
    EndToken end;
    EncodedDataset dataset;
    try (ModelText text = ModelText.open(options.model())) {
      end = EndToken.of(text.tokenizer(), options.model());
      dataset =
          EncodedDataset.encode(
              options.dataset(),
              text.tokenizer(),
              end,
              config.vocabSize(),
              !options.continuous(),
              options.maxTokens(),
              tokenFile);
    }
    List<TracePart.Slice> chosen = TracePlan.choose(dataset.documents(), options.maxTokens());
    if (chosen.isEmpty()) {
      int shortest =
          dataset.documents().stream().mapToInt(TracePart.Slice::tokens).min().orElseThrow();
      throw new FormatException(
          "--max-tokens: expected %d or more, a whole document, found %d"
              .formatted(shortest, options.maxTokens().orElseThrow()));
    }
    TracePlan plan = TracePlan.of(chosen, options.rule(), window, options.continuous());
    TraceManifest manifest =
        new TraceManifest(
            new TraceManifest.Model(
                options.model().toRealPath().getFileName().toString(),
                Fingerprint.of(options.model()),
                config.modelType(),
                config.numLayers(),
                config.vocabSize()),
            new TraceManifest.Dataset(
                options.dataset().toRealPath().getFileName().toString(),
                dataset.sha256(),
                dataset.numDocuments()),
            TraceShape.of(config, options.columns()),
            end.text(),
            window,
            options.continuous(),
            options.rule(),
            plan.counts());
    List<TraceTask> tasks =
        plan.parts().stream()
            .map(part -> new TraceTask(options.model(), tokenFile, folder.path(), manifest, part))
            .toList();
    return new TraceCollection(options, folder, manifest, tasks);
  }

  public TraceManifest manifest() {
    return manifest;
  }

  /** Rows in all layers. */
  public long rows() {
    return manifest.tokens() * manifest.shape().layers().size();
  }

  /** Before compression: the files take less. */
  public long expectedBytes() {
    return rows() * manifest.shape().rowBytes();
  }

  /** Of the disk on which the folder lies. */
  public long freeBytes() throws IOException {
    return Files.getFileStore(folder.path()).getUsableSpace();
  }

  /** Pieces of work. */
  public int tasks() {
    return tasks.size();
  }

  /**
   * @throws FormatException if the disk cannot hold the traces, with the numbers
   */
  public void checkDisk() throws IOException {
    checkDisk(options.out(), expectedBytes(), freeBytes());
  }

  static void checkDisk(Path out, long expected, long free) throws FormatException {
    if (expected > free) {
      throw new FormatException(
          "%s: the traces need up to %d MB of disk, %d MB are free. Choose another --out, a smaller --max-tokens, or fewer --columns"
              .formatted(out, Math.ceilDiv(expected, 1_000_000), free / 1_000_000));
    }
  }

  /** Runs it; the folder appears at the end. */
  public void run(ProgressListener listener) throws IOException {
    checkDisk();
    try (SparkSessions.Lease spark =
        SparkSessions.lease(options.master(), folder.work().resolve("spark"))) {
      new TraceJob(spark.session(), folder.work(), listener).run(tasks);
    }
    folder.finish(manifest);
  }

  @Override
  public void close() throws IOException {
    folder.close();
  }
}
