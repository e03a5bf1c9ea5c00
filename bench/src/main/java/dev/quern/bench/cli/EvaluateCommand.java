package dev.quern.bench.cli;

import dev.quern.bench.quality.Evaluation;
import dev.quern.bench.quality.EvaluationOptions;
import dev.quern.bench.quality.LossyEvaluation;
import dev.quern.bench.quality.Shortcuts;
import dev.quern.bench.quality.VariantMethod;
import dev.quern.bench.report.LossyResults;
import dev.quern.bench.report.Results;
import dev.quern.bench.report.ResultsFile;
import dev.quern.cli.ByteSize;
import dev.quern.cli.LossyOptions;
import dev.quern.converter.plan.Precision;
import dev.quern.converter.plan.PrecisionOverride;
import dev.quern.format.FormatException;
import dev.quern.kernels.Activations;
import dev.quern.model.ModelOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code quern evaluate}: what quantization costs and gains. */
@Command(
    name = "evaluate",
    mixinStandardHelpOptions = true,
    description = {
      "Quantize a model in several ways and measure each against the original:",
      "perplexity, KL divergence, top-1 agreement, size, speed."
    })
public final class EvaluateCommand implements Callable<Integer> {
  private static final int SOURCE_BITS = Precision.SOURCE_BITS;

  @Spec private CommandSpec spec;

  @Option(
      names = "--model",
      required = true,
      paramLabel = "DIR",
      description = "folder with config.json, safetensors and tokenizer")
  private Path model;

  @Option(
      names = "--bits",
      arity = "1..*",
      paramLabel = "BITS",
      description = "of the routed experts: 2, 3, 4 or several of them (2 3 4)")
  private List<Integer> bits = List.of(2, 3, 4);

  @Option(
      names = "--dataset",
      paramLabel = "FILE|DIR",
      description = "text, or folder of *.txt (../text/valid.txt beside the model if there is one)")
  private Path dataset;

  @Option(
      names = "--num-samples",
      paramLabel = "N",
      description = "windows to measure, evenly spaced (all)")
  private Integer windows;

  @Option(
      names = "--seq-len",
      paramLabel = "TOKENS",
      defaultValue = "512",
      description = "tokens of a window (${DEFAULT-VALUE})")
  private int windowTokens;

  @Option(names = "--no-rms", description = "leave out turbo-rms")
  private boolean noRms;

  @Option(names = "--no-affine", description = "leave out affine")
  private boolean noAffine;

  @Option(names = "--no-qjl", description = "leave out turbo+qjl")
  private boolean noQjl;

  @Option(
      names = "--attention-bits",
      paramLabel = "BITS",
      defaultValue = "16",
      description = "2, 3, 4, 8 or 16 (${DEFAULT-VALUE})")
  private int attentionBits;

  @Option(
      names = "--shared-expert-bits",
      paramLabel = "BITS",
      defaultValue = "16",
      description = "shared experts and dense MLP layers (${DEFAULT-VALUE})")
  private int sharedExpertBits;

  @Option(
      names = "--embedding-bits",
      paramLabel = "BITS",
      defaultValue = "16",
      description = "embedding (${DEFAULT-VALUE})")
  private int embeddingBits;

  @Option(names = "--head-bits", paramLabel = "BITS", description = "output head")
  private Integer headBits;

  @Option(
      names = "--override",
      paramLabel = "ROLE[@FIRST-LAST]=BITS",
      description = "other bits for a role, as in quern convert: experts.down=16")
  private List<String> overrides = new ArrayList<>();

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "0",
      description = "of rotations and bootstrap (${DEFAULT-VALUE})")
  private long seed;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "folder of report and packs (reports/NAME-OF-THE-MODEL)")
  private Path out;

  @Option(names = "--json", paramLabel = "FILE", description = "results.json also here")
  private Path json;

  @Option(
      names = "--force",
      description = "replace packs in the folder that were made with other options")
  private boolean force;

  @Option(
      names = "--master",
      paramLabel = "MASTER",
      description = "Spark's master; windows are spread by it (without: in this process)")
  private String master;

  @Mixin private LossyOptions lossy;

  @Option(
      names = "--activations",
      paramLabel = "f32|int",
      defaultValue = "f32",
      description = {
        "int: measure beside the exact runs what products rounded to integers cost, which generate",
        "decodes with"
      })
  private Activations activations;

  @Option(
      names = "--memory-share",
      paramLabel = "S",
      description = {
        "with --skip-missing or --stand-in-bits: the share of all experts that fits in memory;",
        "every model is then measured token by token, in this process"
      })
  private Double memoryShare;

  @Option(
      names = "--expert-memory",
      paramLabel = "SIZE",
      converter = ByteSize.Converter.class,
      description = "the same in bytes: 6g is 6 GB, 6gi is 6 GiB")
  private ByteSize expertMemory;

  @Option(names = "--threads", paramLabel = "N", description = "threads of the runtime (all cores)")
  private Integer threads;

  @Option(
      names = "--repetitions",
      paramLabel = "N",
      defaultValue = "5",
      description = "of each measurement of speed (${DEFAULT-VALUE})")
  private int repetitions;

  @Override
  public Integer call() throws IOException {
    PrintWriter text = spec.commandLine().getOut();
    PrintWriter err = spec.commandLine().getErr();
    EvaluationOptions options = options();
    Consumer<String> progress =
        line -> {
          err.println(line);
          err.flush();
        };
    Results results = new Evaluation(options, progress).run();
    ReportFolder.print(results, text);
    if (options.shortcuts().any()) {
      LossyResults measured = new LossyEvaluation(options, progress).run(results);
      text.println(measured.text());
      text.flush();
      ResultsFile.write(measured, folder().resolve("lossy.json"));
    }
    if (json != null) {
      ResultsFile.write(results, json);
    }
    ReportFolder.write(results, folder(), text);
    return 0;
  }

  private EvaluationOptions options() throws IOException {
    try {
      return new EvaluationOptions(
          model,
          text(),
          bits,
          methods(),
          common(),
          Optional.ofNullable(windows),
          windowTokens,
          folder().resolve("packs"),
          force,
          Optional.ofNullable(master),
          Optional.ofNullable(threads).orElseGet(ModelOptions::defaultThreads),
          repetitions,
          shortcuts(),
          command());
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  private Shortcuts shortcuts() {
    if (memoryShare != null && expertMemory != null) {
      throw new IllegalArgumentException("either --memory-share or --expert-memory");
    }
    Optional<Shortcuts.Memory> memory =
        memoryShare != null
            ? Optional.of(new Shortcuts.Share(memoryShare))
            : Optional.ofNullable(expertMemory).map(size -> new Shortcuts.Bytes(size.bytes()));
    return new Shortcuts(lossy.selection(), activations, memory);
  }

  private List<VariantMethod> methods() {
    List<VariantMethod> methods = new ArrayList<>(List.of(VariantMethod.values()));
    methods.removeIf(method ->
        switch (method) {
          case TURBO -> false;
          case TURBO_RMS -> noRms;
          case AFFINE -> noAffine;
          case TURBO_QJL -> noQjl;
        });
    return methods;
  }

  private Precision common() {
    Precision experts = Precision.experts(Precision.Method.TURBO, SOURCE_BITS);
    return new Precision(
        experts.method(),
        experts.scales(),
        experts.groupSize(),
        experts.rotated(),
        false,
        seed,
        SOURCE_BITS,
        attentionBits,
        sharedExpertBits,
        embeddingBits,
        headBits == null ? OptionalInt.empty() : OptionalInt.of(headBits),
        lossy.selection().standInBits(),
        overrides.stream().map(PrecisionOverride::parse).toList());
  }

  /** A model that comes with a text is measured on it. */
  private Path text() throws IOException {
    if (dataset != null) {
      return dataset;
    }
    Path beside = model.toAbsolutePath().normalize().resolveSibling("text").resolve("valid.txt");
    if (!Files.isRegularFile(beside)) {
      throw new FormatException(
          model + ": no text/valid.txt beside the model. Name a text with --dataset");
    }
    return beside;
  }

  private Path folder() {
    return out != null ? out : Path.of("reports", EvaluationOptions.modelName(model));
  }

  /** As the launcher was called; rebuilt where there was none. */
  private String command() {
    String given = System.getenv("QUERN_COMMAND");
    return given != null
        ? given
        : "./quern evaluate "
            + String.join(" ", spec.commandLine().getParseResult().originalArgs());
  }
}
