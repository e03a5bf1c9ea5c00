package dev.quern.bench.cli;

import dev.quern.bench.jmh.MultiplyAddPeak;
import dev.quern.bench.peers.PeerFiles;
import dev.quern.bench.peers.PeerReport;
import dev.quern.bench.quality.SourceCommit;
import dev.quern.bench.report.Machine;
import dev.quern.bench.speed.Ceilings;
import dev.quern.bench.speed.QuernEngine;
import dev.quern.bench.speed.SpeedEngine;
import dev.quern.bench.speed.SpeedRecord;
import dev.quern.bench.speed.SpeedReport;
import dev.quern.bench.speed.SpeedRun;
import dev.quern.bench.speed.SpeedTest;
import dev.quern.bench.synth.PackCache;
import dev.quern.bench.synth.PublishedModel;
import dev.quern.kernels.Activations;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code quern bench}: prefill and decode of whole models; other measurements are subcommands. */
@Command(
    name = "bench",
    mixinStandardHelpOptions = true,
    subcommands = {
      CacheCommand.class,
      KernelsCommand.class,
      ShadowChartsCommand.class,
      SmokeCommand.class,
      StreamingCommand.class
    },
    description = {
      "Measure prefill and decode in tokens per second, in the words of llama-bench: pp512 reads a",
      "prompt of 512 tokens, tg64 generates 64, tg64 @ d4096 does so after 4096 others.",
      "With --like, on a model's shapes with random weights, which are written once and kept;",
      "with --model, on models that are there."
    })
public final class BenchCommand implements Callable<Integer> {
  private static final long SEED = 0;

  @Spec private CommandSpec spec;

  /** Required, but not of subcommands. */
  @ArgGroup private Subject subject;

  /** One of two. */
  static final class Subject {
    @Option(
        names = "--like",
        paramLabel = "MODEL",
        description = {
          "whose shapes: qwen3-30b-a3b, gpt-oss-20b, gpt-oss-120b, mixtral-8x7b,",
          "qwen3-next-80b-a3b, deepseek-v2-lite, kimi-k2 or glm-4.5-air"
        })
    private String like;

    @Option(
        names = "--model",
        paramLabel = "PATH",
        arity = "1..*",
        description = "packs, folders or GGUF files, measured in turns")
    private List<Path> models = List.of();
  }

  @Option(
      names = "--layers",
      paramLabel = "N",
      description = "of --like: the first N layers (all of the model's)")
  private Integer layers;

  @Option(
      names = "--vocab",
      paramLabel = "N",
      description = "of --like: size of the vocabulary (the model's)")
  private Integer vocabSize;

  @Option(
      names = "--bits",
      paramLabel = "N",
      arity = "1..*",
      defaultValue = "4",
      split = " ",
      description = {
        "of --like: every matrix at these bits, experts, attention, embedding and head:",
        "2, 3, 4, 8 or 16, measured in turns (${DEFAULT-VALUE})"
      })
  private List<Integer> bits;

  @Option(
      names = {"-p", "--n-prompt"},
      paramLabel = "N",
      defaultValue = "512",
      description = "tokens of the prompt; 0 for no prefill (${DEFAULT-VALUE})")
  private int prompt;

  @Option(
      names = {"-n", "--n-gen"},
      paramLabel = "N",
      defaultValue = "64",
      description = "tokens decoded; 0 for no decode (${DEFAULT-VALUE})")
  private int generated;

  @Option(
      names = {"-d", "--n-depth"},
      paramLabel = "N",
      arity = "1..*",
      defaultValue = "0",
      split = ",",
      description = "tokens in the context before (${DEFAULT-VALUE})")
  private List<Integer> depths;

  @Option(
      names = {"-r", "--repetitions"},
      paramLabel = "N",
      defaultValue = "5",
      description = "of every test (${DEFAULT-VALUE})")
  private int repetitions;

  @Option(
      names = {"-t", "--threads"},
      paramLabel = "N",
      description = "default: one per core")
  private Optional<Integer> threads;

  @Option(
      names = "--warm-up",
      paramLabel = "SECONDS",
      defaultValue = "" + QuernEngine.MAX_WARM_SECONDS,
      description = "at most, for every test of a model (${DEFAULT-VALUE})")
  private int maxWarmSeconds;

  @Option(
      names = "--activations",
      paramLabel = "f32|int",
      defaultValue = "int",
      description = "what packed matrices are multiplied with while decoding (${DEFAULT-VALUE})")
  private Activations activations;

  @Mixin private PerplexityOptions perplexity;

  @Option(
      names = "--work",
      paramLabel = "DIR",
      description = "where synthetic weights are kept (quern/bench in the user's cache)")
  private Optional<Path> work;

  @Mixin private PeerOptions peers;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "md|csv|json",
      defaultValue = "md",
      description = "what is printed (${DEFAULT-VALUE})")
  private SpeedReport.Format format;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "also write speed.md, speed.csv and speed.json there, with pictures")
  private Optional<Path> out;

  @Override
  public Integer call() throws IOException {
    if (subject == null) {
      throw new ParameterException(
          spec.commandLine(), "nothing to measure: name --like MODEL or --model PATH");
    }
    int workers = threads.orElseGet(ModelOptions::defaultThreads);
    List<SpeedTest> tests = checkedTests(workers);
    if (out.isEmpty()) {
      print(measure(tests, workers));
      return 0;
    }
    try (ResultFolder folder = ResultFolder.open(out.get())) {
      List<SpeedRecord> records = measure(tests, workers);
      print(records); // first: a picture that cannot be written shall not cost the table
      write(records, out.get());
    }
    return 0;
  }

  /**
   * @throws ParameterException if options contradict one another
   * @throws IOException if a model is not there
   */
  private List<SpeedTest> checkedTests(int workers) throws IOException {
    OptionRules rules = new OptionRules(spec.commandLine());
    rules.onlyWith("--like", "--layers", "--vocab", "--bits", "--work");
    rules.onlyWith("--model", "--dataset");
    rules.onlyWith("--dataset", "--windows");
    rules.distinct("--bits", bits);
    rules.distinct("--n-depth", depths);
    try {
      checkPositive("--threads", workers);
      checkPositive("--repetitions", repetitions);
      checkPositive("--windows", perplexity.windows());
      checkPositive("--warm-up", maxWarmSeconds);
      peers.check(rules, subject.like != null);
      rules.distinct("--model", ModelNames.real(subject.models));
      return SpeedTest.of(prompt, generated, depths);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  private List<SpeedRecord> measure(List<SpeedTest> tests, int workers) throws IOException {
    List<SpeedEngine> engines = new ArrayList<>();
    try {
      if (subject.like == null) {
        openModels(engines, workers);
      } else {
        openShape(engines, workers);
      }
      Ceilings ceilings = Ceilings.measure(workers);
      SpeedRecord.Origin origin =
          new SpeedRecord.Origin(
              Machine.detect(workers, ceilings.readAll() * 1e9),
              MultiplyAddPeak.vectorBits(),
              ceilings,
              SourceCommit.describe(),
              System.getenv().getOrDefault("QUERN_COMMAND", "quern bench"));
      return new SpeedRun(engines, repetitions, this::tell).measure(tests, origin);
    } finally {
      for (SpeedEngine engine : engines) {
        engine.close();
      }
    }
  }

  private void print(List<SpeedRecord> records) {
    spec.commandLine().getOut().print(new SpeedReport(records).render(format));
    if (peers.any() && format == SpeedReport.Format.MD) {
      spec.commandLine().getOut().print("\n" + new PeerReport(records).markdown());
    }
    spec.commandLine().getOut().flush();
  }

  private void write(List<SpeedRecord> records, Path folder) throws IOException {
    new SpeedReport(records).write(folder);
    if (peers.any()) {
      new PeerReport(records).write(folder);
    }
  }

  private static void checkPositive(String option, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(
          "%s: expected at least 1, found %d".formatted(option, value));
    }
  }

  private void tell(String line) {
    spec.commandLine().getErr().println(line);
    spec.commandLine().getErr().flush();
  }

  private void openModels(List<SpeedEngine> engines, int workers) throws IOException {
    List<Path> all = new ArrayList<>(subject.models);
    all.addAll(peers.models());
    ModelNames names = ModelNames.of(all);
    for (Path path : subject.models) {
      engines.add(openModel(path, names.name(path), workers));
    }
    peers.open(names, perplexity, engines, workers);
  }

  private void openShape(List<SpeedEngine> engines, int workers) throws IOException {
    PublishedModel like;
    try {
      like = PublishedModel.named(subject.like);
      bits.forEach(PackCache::everything);
      peers.check(like);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
    OptionalInt some = layers == null ? OptionalInt.empty() : OptionalInt.of(layers);
    OptionalInt vocabulary = vocabSize == null ? OptionalInt.empty() : OptionalInt.of(vocabSize);
    ModelConfig config = like.config(some, vocabulary);
    String name =
        "%s, %d layers, vocabulary %d"
            .formatted(like.label(), config.numLayers(), config.vocabSize());
    Path kept = work.orElseGet(PackCache::defaultFolder);
    PeerOptions.Made made =
        peers.made(new PeerFiles(kept, SEED, this::tell), like, some, vocabulary, workers);
    PackCache cache = new PackCache(kept, this::tell);
    for (int width : bits) {
      Path pack = cache.pack(like, some, vocabulary, width);
      String stored = width == Short.SIZE ? "BF16" : "turbo %d bits".formatted(width) + suffix();
      engines.add(
          QuernEngine.open(
              pack,
              new QuernEngine.Label(name, stored, true, OptionalDouble.empty()),
              new ModelOptions(workers).with(activations),
              SEED,
              maxWarmSeconds));
    }
    peers.open(made, engines, workers);
  }

  private SpeedEngine openModel(Path path, String name, int workers) throws IOException {
    ModelOptions options = new ModelOptions(workers).with(activations);
    String stored = (Files.isDirectory(path) ? "as stored" : "GGUF") + suffix();
    return QuernEngine.open(
        path,
        new QuernEngine.Label(name, stored, false, perplexity.measure(path, options)),
        options,
        SEED,
        maxWarmSeconds);
  }

  private String suffix() {
    return switch (activations) {
      case INT -> "";
      case F32 -> ", f32 activations";
    };
  }
}
