package dev.quern.bench.cli;

import dev.quern.bench.cache.CacheComparison;
import dev.quern.bench.cache.RecordedPredictions;
import dev.quern.bench.cache.Replay;
import dev.quern.bench.cache.RoutingTrace;
import dev.quern.bench.cache.RoutingTraces;
import dev.quern.bench.quality.Texts;
import dev.quern.bench.quality.Windows;
import dev.quern.bench.report.LineChart;
import dev.quern.cli.ModelText;
import dev.quern.converter.traces.Split;
import dev.quern.converter.traces.Traces;
import dev.quern.experts.ExpertPredictor;
import dev.quern.experts.ExpertProfile;
import dev.quern.experts.NextRouterPredictor;
import dev.quern.experts.ShadowPredictor;
import dev.quern.format.AtomicFile;
import dev.quern.format.FormatException;
import dev.quern.format.ShadowFile;
import dev.quern.model.Model;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code quern bench cache}: replays routing through all cache policies. */
@Command(
    name = "cache",
    mixinStandardHelpOptions = true,
    description = {
      "Replay which experts a text used through every cache policy and Belady's optimum,",
      "with room for some percent of all experts. The profile of 'static' is of the train",
      "split, or else of the first tenth of what is replayed."
    })
public final class CacheCommand implements Callable<Integer> {
  private static final int NULL_LAYERS = 4;
  private static final int NULL_EXPERTS = 64;
  private static final int NULL_TOP_K = 4;
  private static final int NULL_TOKENS = 20_000;
  private static final int ROUTER_DISTANCE = 2; // as generate looks ahead

  @Spec private CommandSpec spec;

  @ArgGroup(multiplicity = "1")
  private Source source;

  /** One of three. */
  static final class Source {
    @Option(names = "--traces", paramLabel = "DIR", description = "of quern collect-traces")
    private Path traces;

    @Option(names = "--model", paramLabel = "PATH", description = "run it on --dataset")
    private Path model;

    @Option(
        names = "--null",
        description = "independent uniform routing: nothing can beat capacity / experts")
    private boolean uniform;
  }

  @Option(names = "--dataset", paramLabel = "FILE", description = "text for --model")
  private Path dataset;

  @Option(
      names = "--split",
      paramLabel = "NAME",
      defaultValue = "test",
      description = "of the traces: train, valid or test (${DEFAULT-VALUE})")
  private String split;

  @Option(
      names = "--window",
      paramLabel = "N",
      defaultValue = "512",
      description = "tokens that --model reads at a time (${DEFAULT-VALUE})")
  private int window;

  @Option(
      names = "--max-tokens",
      paramLabel = "N",
      defaultValue = "100000",
      description = "replayed at most (${DEFAULT-VALUE})")
  private int maxTokens;

  @Option(
      names = "--capacity",
      arity = "1..*",
      paramLabel = "PERCENT",
      defaultValue = "10 25 50",
      split = " ",
      description = "of all experts, one or several (${DEFAULT-VALUE})")
  private List<Integer> capacities;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "write cache.txt, cache.json, cache-hit-rate.png and .svg there")
  private Path out;

  @Option(
      names = "--predictors",
      paramLabel = "PACK",
      description = {
        "also replay the default policy with what this model's routers and its trained shadow, if",
        "it has one, predict; traces need the column input"
      })
  private Path predictors;

  @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "of --null")
  private long seed;

  /** What is replayed, and the profile that 'static' keeps. */
  private record Replayed(
      RoutingTrace trace, ExpertProfile profile, Map<String, Replay.Predictions> predictions) {}

  @Override
  public Integer call() throws IOException {
    if (maxTokens < 1 || window < 2 || capacities.stream().anyMatch(c -> c < 1 || c > 100)) {
      throw new ParameterException(
          spec.commandLine(),
          "expected --capacity of 1 to 100, --max-tokens of at least 1, --window of at least 2");
    }
    Replayed replayed = replayed();
    PrintWriter err = spec.commandLine().getErr();
    CacheComparison comparison =
        CacheComparison.of(
            replayed.trace(),
            replayed.profile(),
            capacities,
            replayed.predictions(),
            policy -> {
              err.println(policy);
              err.flush();
            });
    spec.commandLine().getOut().print(comparison.table());
    if (out != null) {
      write(comparison);
    }
    return 0;
  }

  private Replayed replayed() throws IOException {
    if (source.uniform) {
      return ofFirstTenth(
          RoutingTrace.uniform(NULL_LAYERS, NULL_EXPERTS, NULL_TOP_K, NULL_TOKENS, seed), Map.of());
    }
    return source.traces != null ? ofTraces() : ofModel();
  }

  private static Replayed ofFirstTenth(
      RoutingTrace trace, Map<String, Replay.Predictions> predictions) {
    return new Replayed(trace, trace.profile(Math.max(1, trace.tokens() / 10)), predictions);
  }

  private Replayed ofTraces() throws IOException {
    Split wanted;
    try {
      wanted = Split.of(split);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
    Traces traces = Traces.open(source.traces);
    RoutingTrace trace = RoutingTraces.read(traces, wanted, maxTokens);
    Map<String, Replay.Predictions> predictions = Map.of();
    if (predictors != null) {
      try (Model model = Model.open(predictors, ModelOptions.defaults())) {
        if (model.config().hiddenSize() != traces.shape().hiddenSize()
            || model.config().numExperts() != trace.numExperts()) {
          throw new FormatException(
              "%s: traces of hidden size %d, %d experts: expected %d, %d, as %s has"
                  .formatted(
                      source.traces,
                      traces.shape().hiddenSize(),
                      trace.numExperts(),
                      model.config().hiddenSize(),
                      model.config().numExperts(),
                      predictors));
        }
        Map<String, RecordedPredictions> asked =
            asked(model, traces.shape().layers(), trace.tokens());
        RoutingTraces.read(traces, wanted, trace.tokens(), List.copyOf(asked.values()));
        predictions = new LinkedHashMap<>(asked);
      }
    }
    if (wanted == Split.TRAIN || traces.tokens(Split.TRAIN) == 0) {
      return ofFirstTenth(trace, predictions);
    }
    RoutingTrace train = RoutingTraces.read(traces, Split.TRAIN, maxTokens);
    return new Replayed(trace, train.profile(train.tokens()), predictions);
  }

  /** Predictors of a model, by the names of their rows. */
  private Map<String, RecordedPredictions> asked(Model model, List<Integer> layers, int tokens)
      throws IOException {
    ModelConfig config = model.config();
    Map<String, RecordedPredictions> asked = new LinkedHashMap<>();
    ExpertPredictor routers =
        new NextRouterPredictor(
            model.routers(), config.topK(), ROUTER_DISTANCE, NextRouterPredictor.Norm.KEPT);
    asked.put("next router", new RecordedPredictions(routers, layers, config.numExperts(), tokens));
    if (ShadowFile.isIn(predictors)) {
      ExpertPredictor shadow =
          ShadowPredictor.open(
              predictors,
              config.numLayers(),
              config.hiddenSize(),
              config.numExperts(),
              config.vocabSize());
      asked.put("shadow", new RecordedPredictions(shadow, layers, config.numExperts(), tokens));
    }
    return asked;
  }

  private Replayed ofModel() throws IOException {
    if (dataset == null) {
      throw new ParameterException(spec.commandLine(), "--model needs a text: --dataset FILE");
    }
    if (predictors != null && !predictors.equals(source.model)) {
      throw new ParameterException(
          spec.commandLine(), "--predictors: expected the same path as --model");
    }
    int[] ids;
    try (ModelText text = ModelText.open(source.model)) {
      ids = text.tokenizer().encode(Texts.read(dataset), false);
    }
    try (Model model = Model.open(source.model, ModelOptions.defaults())) {
      ModelConfig config = model.config();
      if (config.experts().isEmpty()) {
        throw new FormatException(source.model + ": the model has no experts to cache");
      }
      int length = Math.min(window, config.maxPositions());
      List<int[]> windows = RoutingTraces.first(Windows.cut(ids, length), maxTokens);
      if (windows.isEmpty()) {
        throw new FormatException(dataset + ": less than two tokens");
      }
      String name = source.model.getFileName() + " on " + dataset.getFileName();
      int tokens = windows.stream().mapToInt(w -> w.length).sum();
      List<Integer> layers =
          IntStream.range(0, config.numLayers()).filter(config::hasExperts).boxed().toList();
      Map<String, RecordedPredictions> asked =
          predictors == null ? Map.of() : asked(model, layers, tokens);
      RoutingTrace trace = RoutingTraces.record(name, model, windows, List.copyOf(asked.values()));
      return ofFirstTenth(trace, new LinkedHashMap<>(asked));
    }
  }

  private void write(CacheComparison comparison) throws IOException {
    Files.createDirectories(out);
    AtomicFile.writeText(out.resolve("cache.txt"), comparison.table());
    AtomicFile.writeText(out.resolve("cache.json"), comparison.json());
    double[] x = comparison.percents().stream().mapToDouble(Integer::doubleValue).toArray();
    List<LineChart.Line> lines = new ArrayList<>();
    for (CacheComparison.Row row : comparison.rows()) {
      double[] y = row.hitRates().stream().mapToDouble(rate -> 100 * rate).toArray();
      lines.add(new LineChart.Line(row.policy(), x, y, row.policy().startsWith("belady")));
    }
    LineChart.write(
        out,
        "cache-hit-rate",
        "Experts found in memory: " + comparison.trace(),
        "capacity, percent of all experts",
        "hit rate, percent",
        lines);
    spec.commandLine().getOut().println(out.resolve("cache-hit-rate.png"));
  }
}
