package dev.quern.converter.shadow;

import dev.quern.converter.spark.SparkMap;
import dev.quern.converter.spark.SparkSessions;
import dev.quern.converter.traces.Split;
import dev.quern.experts.ExpertPredictor;
import dev.quern.experts.LayerRouter;
import dev.quern.experts.ShadowPredictor;
import dev.quern.format.FormatException;
import dev.quern.format.Json;
import dev.quern.format.ShadowFile;
import dev.quern.kv.KvType;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import tools.jackson.databind.node.ObjectNode;

/**
 * Learns from recorded routing which experts come next, and scores it beside what needs no
 * training. See {@code docs/shadow.md}.
 */
public final class ShadowTrainer {
  private final ShadowOptions options;
  private final TraceSource source;
  private final TraceSource test;
  private final TraceSource.Sizes sizes;
  private final Consumer<String> progress;
  private final Map<String, Double> seconds = new LinkedHashMap<>();

  /** What every task needs. */
  private record Shared(
      TraceSource source, TokenTable table, FitOptions fit, int maxDistance, int trainParts)
      implements Serializable {}

  /** A part of a layer's training rows. */
  private record LayerPart(int layer, int part) implements Serializable {}

  /** A layer and where its heads start from. */
  private record LayerRidge(int layer, Ridge ridge) implements Serializable {}

  ShadowTrainer(
      ShadowOptions options, TraceSource source, TraceSource test, Consumer<String> progress) {
    this.options = options;
    this.source = source;
    this.test = test;
    this.sizes = source.sizes();
    this.progress = progress;
  }

  /**
   * @param progress told what is done, a line at a time
   * @throws FormatException if traces or model are wrong or do not belong together
   */
  public static ShadowTrainer open(ShadowOptions options, Consumer<String> progress)
      throws IOException {
    SparkSessions.checkMaster(options.master());
    TraceSource source = ParquetSource.open(options.traces());
    TraceSource test =
        options.evaluate().isPresent() ? ParquetSource.open(options.evaluate().get()) : source;
    if (!test.sizes().equals(source.sizes())) {
      throw new FormatException(
          "%s: traces of another model than those of %s"
              .formatted(options.evaluate().orElseThrow(), options.traces()));
    }
    return new ShadowTrainer(options, source, test, progress);
  }

  /** Scores what needs no training. */
  public ShadowReport baselines(List<Latency> latencies) throws IOException {
    try (Model model = openModel()) {
      List<Score> scores = score(baselinePredictors(model));
      return report(scores, List.of(), 0, latencies);
    }
  }

  /** Trains, scores and writes {@code shadow/}. */
  public ShadowReport train(List<Latency> latencies) throws IOException {
    requireRows(source, Split.TRAIN, options.traces());
    requireRows(source, Split.VALID, options.traces());
    requireMemory();
    try (Model model = openModel()) {
      Map<String, ExpertPredictor> predictors = new LinkedHashMap<>();
      TokenTable table = TokenTable.of(model, options.fit().seed());
      List<FittedLayer> layers = fit(table);
      ShadowFile stored = ShadowBuilder.build(sizes, table, layers, FittedLayer.Head::refinedWins);
      predictors.put(ShadowReport.SHADOW, ShadowPredictor.of(stored));
      predictors.put(
          ShadowReport.REFINED,
          ShadowPredictor.of(ShadowBuilder.build(sizes, table, layers, head -> true)));
      predictors.put(
          ShadowReport.RIDGE,
          ShadowPredictor.of(ShadowBuilder.build(sizes, table, layers, head -> false)));
      predictors.putAll(baselinePredictors(model));
      List<Score> scores = score(predictors);
      List<ShadowReport.Choice> chosen = new ArrayList<>();
      for (FittedLayer layer : layers) {
        for (FittedLayer.Head head : layer.heads()) {
          chosen.add(
              new ShadowReport.Choice(
                  layer.layer(),
                  head.distance(),
                  head.refinedWins(),
                  head.linearValid().recall(),
                  head.refinedValid().recall()));
        }
      }
      stored.write(options.out(), figures(scores));
      return report(scores, chosen, stored.header().bytes(), latencies);
    }
  }

  private Model openModel() throws IOException {
    Model model = Model.open(options.model(), new ModelOptions(1).with(KvType.F32));
    TraceSource.Sizes found =
        new TraceSource.Sizes(
            model.config().numLayers(),
            IntStream.range(0, model.config().numLayers())
                .filter(model.config()::hasExperts)
                .boxed()
                .toList(),
            model.config().hiddenSize(),
            model.config().numExperts(),
            model.config().topK(),
            model.config().vocabSize());
    if (!found.equals(sizes)) {
      model.close();
      throw new FormatException(
          "%s: traces of another model: expected %s, found %s. Collect traces of this model"
              .formatted(options.traces(), found, sizes));
    }
    return model;
  }

  private static void requireRows(TraceSource source, Split split, Path folder)
      throws FormatException {
    if (source.parts(split) == 0) {
      throw new FormatException(
          "%s: split %s: expected documents, found none. Collect more, or another --split"
              .formatted(folder, split.label()));
    }
  }

  /** Every task holds a layer's rows; on a cluster only its executors know their memory. */
  private void requireMemory() {
    long layerBytes =
        LayerRows.bytes(
            trainTokens() + source.tokens(Split.VALID),
            options.maxDistance(),
            sizes.hiddenSize(),
            sizes.numExperts(),
            sizes.topK());
    int tasks = Math.min(SparkSessions.localTasks(options.master()), sizes.layers().size());
    long most = Runtime.getRuntime().maxMemory() / 4 * 3;
    if (tasks * layerBytes > most) {
      throw new IllegalArgumentException(
          "memory: %d layers at a time take %,d bytes each, the JVM has %,d for them; give a smaller --max-tokens, or --master local[1]"
              .formatted(tasks, layerBytes, most));
    }
  }

  /** Rows of the parts in {@link #trainParts}, about. */
  private long trainTokens() {
    long tokens = source.tokens(Split.TRAIN);
    int parts = Math.max(1, source.parts(Split.TRAIN));
    return Math.min(tokens, tokens * trainParts() / parts);
  }

  /** Whole parts of the training split that hold the tokens asked for. */
  private int trainParts() {
    int parts = source.parts(Split.TRAIN);
    long tokens = source.tokens(Split.TRAIN);
    if (tokens <= options.maxTokens()) {
      return parts;
    }
    return Math.clamp(Math.ceilDiv(parts * options.maxTokens(), tokens), 1, parts);
  }

  List<FittedLayer> fit(TokenTable table) throws IOException {
    Shared shared = new Shared(source, table, options.fit(), options.maxDistance(), trainParts());
    Path scratch = Files.createTempDirectory("quern-shadow");
    try (SparkSessions.Lease session = SparkSessions.lease(options.master(), scratch)) {
      List<LayerRidge> ridges = new ArrayList<>();
      long start = System.nanoTime();
      for (int layer : sizes.layers()) {
        ridges.add(new LayerRidge(layer, ridge(shared, scratch, layer)));
      }
      phase("ridge regression", start);
      start = System.nanoTime();
      int width = options.fit().width(sizes.hiddenSize(), table.width());
      progress.accept(
          "two-layer heads: %d layers, %d hidden units, %s epochs of %,d tokens"
              .formatted(ridges.size(), width, options.fit().epochs(), trainTokens()));
      List<FittedLayer> layers =
          SparkMap.each(options.master(), scratch, shared, ridges, ShadowTrainer::fitLayer);
      phase("two-layer heads", start);
      return layers;
    } finally {
      deleteScratch(scratch);
    }
  }

  private Ridge ridge(Shared shared, Path scratch, int layer) throws IOException {
    List<LayerPart> parts =
        IntStream.range(0, shared.trainParts()).mapToObj(p -> new LayerPart(layer, p)).toList();
    NormalSums sums =
        SparkMap.sum(
            options.master(),
            scratch,
            shared,
            parts,
            new NormalSums(),
            ShadowTrainer::addPart,
            NormalSums::merge);
    return Ridge.solve(sums, Ridge.LAMBDA);
  }

  private static NormalSums addPart(Shared shared, NormalSums sums, LayerPart part)
      throws IOException {
    LayerRows rows = read(shared, Split.TRAIN, part.layer, part.part, part.part + 1);
    sums.add(rows, shared.table);
    return sums;
  }

  private static FittedLayer fitLayer(Shared shared, LayerRidge ridge) throws IOException {
    LayerRows train = read(shared, Split.TRAIN, ridge.layer, 0, shared.trainParts);
    int validParts = shared.source.parts(Split.VALID);
    LayerRows valid = read(shared, Split.VALID, ridge.layer, 0, validParts);
    return new LayerFit(train, valid, shared.table, ridge.ridge, shared.fit).run();
  }

  private static LayerRows read(Shared shared, Split split, int layer, int first, int end)
      throws IOException {
    int distances = shared.source.sizes().distances(layer, shared.maxDistance);
    return shared.source.rows(split, layer, distances, first, end, true);
  }

  private Map<String, ExpertPredictor> baselinePredictors(Model model) throws IOException {
    long start = System.nanoTime();
    Baselines baselines = new Baselines(sizes, options.maxDistance());
    int parts = trainParts();
    for (int layer : sizes.layers()) {
      int distances = sizes.distances(layer, options.maxDistance());
      baselines.count(source.rows(Split.TRAIN, layer, distances, 0, parts, false));
    }
    List<Optional<LayerRouter>> routers = model.routers();
    phase("counts of the baselines", start);
    return baselines.predictors(routers);
  }

  /** On the test split, or on the validation split where there is none. */
  private List<Score> score(Map<String, ExpertPredictor> predictors) throws IOException {
    long start = System.nanoTime();
    List<Score> scores = new ArrayList<>();
    for (int layer : sizes.layers()) {
      int distances = sizes.distances(layer, options.maxDistance());
      LayerRows rows = test.rows(testSplit(), layer, distances, 0, test.parts(testSplit()), true);
      scores.addAll(Scoring.score(rows, predictors));
    }
    phase("scores", start);
    return scores;
  }

  private Split testSplit() {
    return test.parts(Split.TEST) > 0 ? Split.TEST : Split.VALID;
  }

  private void phase(String name, long startNanos) {
    double took = (System.nanoTime() - startNanos) / 1e9;
    seconds.put(name, took);
    progress.accept("%s: %.1f s".formatted(name, took));
  }

  private ShadowReport report(
      List<Score> scores, List<ShadowReport.Choice> chosen, long bytes, List<Latency> latencies) {
    return new ShadowReport(
        sizes,
        options,
        trainTokens(),
        source.tokens(Split.VALID),
        test.tokens(testSplit()),
        scores,
        chosen,
        bytes,
        latencies,
        seconds);
  }

  private ObjectNode figures(List<Score> scores) {
    ObjectNode figures = Json.mapper().createObjectNode();
    for (int distance = 0; distance <= options.maxDistance(); distance++) {
      int d = distance;
      double recall =
          scores.stream()
              .filter(s -> s.predictor().equals(ShadowReport.SHADOW) && s.distance() == d)
              .mapToDouble(Score::recall)
              .average()
              .orElse(Double.NaN);
      if (!Double.isNaN(recall)) {
        figures.put(d == 0 ? "recallNextToken" : "recallAhead" + d, recall);
      }
    }
    return figures;
  }

  private static void deleteScratch(Path scratch) throws IOException {
    try (var files = Files.walk(scratch)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }
}
