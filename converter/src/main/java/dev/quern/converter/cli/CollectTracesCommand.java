package dev.quern.converter.cli;

import dev.quern.converter.ConvertOptions;
import dev.quern.converter.traces.Split;
import dev.quern.converter.traces.SplitRule;
import dev.quern.converter.traces.TraceCollection;
import dev.quern.converter.traces.TraceColumn;
import dev.quern.converter.traces.TraceManifest;
import dev.quern.converter.traces.TraceOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code quern collect-traces}: a model and a text in, Parquet files of its routing out. */
@Command(
    name = "collect-traces",
    mixinStandardHelpOptions = true,
    description = "Record what the routers of a model see and choose on a text, as Parquet files.")
public final class CollectTracesCommand implements Callable<Integer> {
  private static final String NONE = "none";
  private static final double MEGABYTE = 1e6;

  @Spec private CommandSpec spec;

  @Option(
      names = "--model",
      required = true,
      paramLabel = "PATH",
      description = "model folder, pack or GGUF file")
  private Path model;

  @Option(
      names = "--dataset",
      required = true,
      paramLabel = "FILE",
      description =
          "text in UTF-8, .gz or not, whose documents end with the tokenizer's end-of-text token; or a folder of .txt and .txt.gz files")
  private Path dataset;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "folder of the traces, not there yet or empty; it appears when complete")
  private Path out;

  @Option(
      names = "--split",
      arity = "3",
      paramLabel = "SHARE",
      description =
          "shares of train, valid and test; each document is drawn by its number and --seed (0.9 0.05 0.05)")
  private List<Double> shares = List.of(0.9, 0.05, 0.05);

  @Option(
      names = "--split-name",
      paramLabel = "NAME",
      description = "put all documents in one split: train, valid or test")
  private String splitName;

  @Option(
      names = "--seed",
      paramLabel = "SEED",
      defaultValue = "0",
      description = "of the split (${DEFAULT-VALUE})")
  private long seed;

  @Option(
      names = "--window",
      paramLabel = "TOKENS",
      description =
          "longest piece of a document the model sees at once (its context, at most 2048)")
  private Integer window;

  @Option(
      names = "--continuous",
      description = "windows over the joined documents of a split, as evaluate cuts them")
  private boolean continuous;

  @Option(
      names = "--max-tokens",
      paramLabel = "TOKENS",
      description = "at most so many: whole documents, evenly chosen (all)")
  private Long maxTokens;

  @Option(
      names = "--columns",
      split = ",",
      paramLabel = "COLUMN",
      description =
          "large columns to write: some of input, entered, scores, or none; routing is always written (all)")
  private List<String> columns = List.of("input", "entered", "scores");

  @Option(
      names = "--master",
      paramLabel = "MASTER",
      defaultValue = ConvertOptions.DEFAULT_MASTER,
      description = "Spark's master, such as local[2] or spark://host:7077 (${DEFAULT-VALUE})")
  private String master;

  @Option(names = "--dry-run", description = "print what would be written, and its size")
  private boolean dryRun;

  @Override
  public Integer call() throws IOException {
    TraceOptions options = options();
    PrintWriter text = spec.commandLine().getOut();
    try (TraceCollection collection = prepare(options)) {
      print(collection, text);
      collection.checkDisk();
      if (dryRun) {
        return 0;
      }
      PrintWriter err = spec.commandLine().getErr();
      boolean terminal = System.console() != null && System.console().isTerminal();
      long start = System.nanoTime();
      collection.run(new ProgressBar(err, terminal));
      double seconds = (System.nanoTime() - start) / 1e9;
      text.printf(
          Locale.ROOT,
          "%s: complete, %.1f s, %.0f tokens/s%n",
          out,
          seconds,
          collection.manifest().tokens() / seconds);
      text.flush();
      return 0;
    }
  }

  private static void print(TraceCollection collection, PrintWriter text) throws IOException {
    TraceManifest manifest = collection.manifest();
    manifest
        .counts()
        .forEach((split, count) ->
            text.printf(
                Locale.ROOT,
                "%-5s %,d documents, %,d windows, %,d tokens%n",
                split.label(),
                count.documents(),
                count.windows(),
                count.tokens()));
    text.printf(
        Locale.ROOT,
        "%,d tokens of %,d documents in the dataset x %d layers = %,d rows, at most %,.1f MB; %,.1f MB of disk are free%n",
        manifest.tokens(),
        manifest.dataset().documents(),
        manifest.shape().layers().size(),
        collection.rows(),
        collection.expectedBytes() / MEGABYTE,
        collection.freeBytes() / MEGABYTE);
    text.flush();
  }

  private TraceCollection prepare(TraceOptions options) throws IOException {
    try {
      return TraceCollection.prepare(options);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  private TraceOptions options() {
    try {
      SplitRule rule =
          splitName == null
              ? new SplitRule.Shares(shares, seed)
              : new SplitRule.Whole(Split.of(splitName));
      return new TraceOptions(
          model,
          dataset,
          out,
          master,
          rule,
          window == null ? OptionalInt.empty() : OptionalInt.of(window),
          continuous,
          maxTokens == null ? OptionalLong.empty() : OptionalLong.of(maxTokens),
          chosenColumns());
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  private Set<TraceColumn> chosenColumns() {
    EnumSet<TraceColumn> chosen = EnumSet.noneOf(TraceColumn.class);
    if (!columns.equals(List.of(NONE))) {
      columns.forEach(label -> chosen.add(TraceColumn.of(label)));
    }
    return chosen;
  }
}
