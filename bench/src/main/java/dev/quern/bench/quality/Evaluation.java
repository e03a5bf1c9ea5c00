package dev.quern.bench.quality;

import dev.quern.bench.report.Machine;
import dev.quern.bench.report.Results;
import dev.quern.bench.report.VariantResult;
import dev.quern.bench.report.WeightHistogram;
import dev.quern.bench.speed.Throughput;
import dev.quern.cli.ModelText;
import dev.quern.converter.ConvertOptions;
import dev.quern.converter.spark.SparkMap;
import dev.quern.converter.spark.SparkSessions;
import dev.quern.format.Fingerprint;
import dev.quern.format.FormatException;
import dev.quern.format.gguf.GgufFile;
import dev.quern.kernels.MemoryBandwidth;
import dev.quern.model.Model;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Converts a model in several ways and measures what that costs in quality and gains in size and
 * speed.
 *
 * <p>Perplexity: the whole text is encoded at once and cut into consecutive windows without
 * overlap; in each window every token but the first is predicted from the earlier ones of the same
 * window.
 */
public final class Evaluation {
  private static final int BOOTSTRAP_DRAWS = 1000;
  private static final double GIGABYTE = 1e9;

  private final EvaluationOptions options;
  private final Consumer<String> progress;
  private final Path scratch;

  /**
   * @param progress takes a line now and then
   */
  public Evaluation(EvaluationOptions options, Consumer<String> progress) {
    this.options = options;
    this.progress = progress;
    this.scratch = options.packs().resolve("spark-scratch");
  }

  /**
   * @throws FormatException if model or text are wrong, or a kept pack was made otherwise
   */
  public Results run() throws IOException {
    options.master().ifPresent(SparkSessions::checkMaster);
    Files.createDirectories(options.packs());
    ModelConfig config;
    try (ModelSource source = ModelSource.open(options.model())) {
      config = source.config();
      if (source instanceof ModelSource.Packed) {
        throw new FormatException(
            options.model() + ": a pack. Evaluation needs the model it was made from");
      }
    }
    if (options.windowTokens() > config.maxPositions()) {
      throw new IllegalArgumentException(
          "--seq-len: the model's context is %d, found %d"
              .formatted(config.maxPositions(), options.windowTokens()));
    }
    ReferenceWindow.check(options.windowTokens(), config.vocabSize());
    List<int[]> all = Windows.cut(tokens(options), options.windowTokens());
    List<int[]> windows = Windows.choose(all, options.windows().orElse(Integer.MAX_VALUE));
    List<ConvertedVariant> variants = convert();
    List<Path> paths = new ArrayList<>(List.of(options.model()));
    variants.forEach(variant -> paths.add(variant.pack()));
    List<Quality> quality = quality(paths, windows);
    // Quality is that of the weights, in float32; speed is what generating them has.
    try (LockstepRunner runner =
        LockstepRunner.asGenerating(paths, options.windowTokens(), options.threads())) {
      Throughput.Plan plan = Throughput.Plan.within(config.maxPositions(), options.repetitions());
      progress.accept("measuring speed");
      List<Throughput> speed = Throughput.measure(runner.models(), windows.getFirst(), plan);
      double bandwidth = MemoryBandwidth.measure(options.threads()) * GIGABYTE;
      List<VariantResult> results = new ArrayList<>();
      for (int i = 0; i < paths.size(); i++) {
        double touched = bytesTouched(runner.models().get(i)) * speed.get(i).medianDecode();
        results.add(result(variants, i, quality, speed.get(i), touched / bandwidth));
      }
      ModelSource source = runner.models().getFirst().source();
      return new Results(
          Results.SCHEMA_VERSION,
          new Results.Run(
              options.command(),
              Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
              SourceCommit.describe(),
              options.common().seed()),
          model(config, variants.getFirst()),
          new Results.Protocol(
              options.dataset().getFileName().toString(),
              options.windowTokens(),
              windows.size(),
              all.size(),
              quality.getFirst().predicted(),
              BOOTSTRAP_DRAWS,
              plan.prefillTokens(),
              plan.decodeTokens()),
          Machine.detect(options.threads(), bandwidth),
          results,
          histograms(source, variants));
    }
  }

  static int[] tokens(EvaluationOptions options) throws IOException {
    String text = Texts.read(options.dataset());
    try (ModelText model = ModelText.open(options.model())) {
      return model.tokenizer().encode(text, false);
    }
  }

  private List<ConvertedVariant> convert() throws IOException {
    String master = options.master().orElse(ConvertOptions.DEFAULT_MASTER);
    List<ConvertedVariant> variants = new ArrayList<>();
    // One session for all conversions: opening one takes longer than converting a small model.
    try (SparkSessions.Lease _ = SparkSessions.lease(master, scratch)) {
      for (int bits : options.bits()) {
        for (VariantMethod method : options.methods()) {
          progress.accept("converting: " + method.label() + " at " + bits + " bits");
          variants.add(ConvertedVariant.make(options, method, bits, master, scratch));
        }
      }
    } finally {
      deleteScratch();
    }
    return variants;
  }

  private void deleteScratch() throws IOException {
    if (Files.exists(scratch)) {
      try (Stream<Path> files = Files.walk(scratch)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.deleteIfExists(file);
        }
      }
    }
  }

  /** Scores of every model, in the order of the paths. */
  private List<Quality> quality(List<Path> paths, List<int[]> windows) throws IOException {
    List<List<WindowScore>> scores =
        options.master().isPresent()
            ? scoresOnSpark(options.master().get(), paths, windows)
            : scoresHere(paths, windows);
    List<Quality> quality = new ArrayList<>();
    for (int i = 0; i < paths.size(); i++) {
      int model = i;
      quality.add(new Quality(scores.stream().map(window -> window.get(model)).toList()));
    }
    return quality;
  }

  private List<List<WindowScore>> scoresHere(List<Path> paths, List<int[]> windows)
      throws IOException {
    List<List<WindowScore>> scores = new ArrayList<>();
    int step = Math.max(1, windows.size() / 10);
    try (LockstepRunner runner =
        LockstepRunner.open(paths, options.windowTokens(), options.threads())) {
      for (int[] window : windows) {
        scores.add(runner.score(window));
        if (scores.size() % step == 0 || scores.size() == windows.size()) {
          progress.accept("perplexity: window %d of %d".formatted(scores.size(), windows.size()));
        }
      }
    }
    return scores;
  }

  private List<List<WindowScore>> scoresOnSpark(
      String master, List<Path> paths, List<int[]> windows) throws IOException {
    progress.accept("perplexity: %d windows on %s".formatted(windows.size(), master));
    // A Path is not serializable; executors see the same files under the same names.
    List<String> names = paths.stream().map(path -> path.toAbsolutePath().toString()).toList();
    int windowTokens = options.windowTokens();
    try {
      return SparkMap.map(
          master,
          scratch,
          windows,
          items -> {
            List<List<WindowScore>> scores = new ArrayList<>();
            List<Path> models = names.stream().map(Path::of).toList();
            // One thread each: the master decides how many tasks run at once.
            try (LockstepRunner runner = LockstepRunner.open(models, windowTokens, 1)) {
              items.forEachRemaining(window -> scores.add(runner.score(window)));
            }
            return scores.iterator();
          });
    } finally {
      deleteScratch();
    }
  }

  private static long bytesTouched(Model model) {
    return model.bytesTouchedPerToken().values().stream().mapToLong(Long::longValue).sum();
  }

  /** Index 0 is the original, i the variant before it in the list. */
  private VariantResult result(
      List<ConvertedVariant> variants,
      int index,
      List<Quality> quality,
      Throughput speed,
      double bandwidthShare)
      throws IOException {
    Quality mine = quality.get(index);
    Quality original = quality.getFirst();
    VariantResult.Samples samples =
        new VariantResult.Samples(
            mine.windows().stream().map(WindowScore::nll).toList(),
            mine.windows().stream().map(WindowScore::kld).toList(),
            speed.prefill(),
            speed.decode());
    if (index == 0) {
      ConvertedVariant any = variants.getFirst();
      return new VariantResult(
          VariantResult.ORIGINAL,
          (int) Math.round(any.sourceBitsPerWeight()),
          any.sourceBitsPerWeight(),
          modelBytes(options.model()),
          any.sourceExpertBytes(),
          mine.perplexity(),
          0,
          0,
          0,
          0,
          1,
          0,
          speed.medianPrefill(),
          speed.medianDecode(),
          bandwidthShare,
          samples,
          List.of());
    }
    ConvertedVariant variant = variants.get(index - 1);
    Quality.Interval interval =
        mine.lossInterval(original, BOOTSTRAP_DRAWS, options.common().seed());
    return new VariantResult(
        variant.method().label(),
        variant.bits(),
        variant.bitsPerWeight(),
        variant.packBytes(),
        variant.plan().expertBytes(),
        mine.perplexity(),
        mine.lnPerplexity() - original.lnPerplexity(),
        interval.low(),
        interval.high(),
        mine.meanKld(),
        mine.top1Agreement(),
        variant.relativeMse(),
        speed.medianPrefill(),
        speed.medianDecode(),
        bandwidthShare,
        samples,
        variant.tensorErrors());
  }

  /** Of a folder all files, of GGUF all shards. */
  private static long modelBytes(Path model) throws IOException {
    List<Path> files;
    if (GgufFile.isGguf(model)) {
      try (GgufFile gguf = GgufFile.open(model)) {
        files = gguf.files();
      }
    } else {
      try (Stream<Path> entries = Files.list(model)) {
        files = entries.filter(Files::isRegularFile).toList();
      }
    }
    long bytes = 0;
    for (Path file : files) {
      bytes += Files.size(file);
    }
    return bytes;
  }

  private Results.Model model(ModelConfig config, ConvertedVariant any) throws IOException {
    return new Results.Model(
        options.modelName(),
        config.modelType(),
        config.numLayers(),
        config.hiddenSize(),
        config.numExperts(),
        config.topK(),
        any.quantizedWeights(),
        Fingerprint.of(options.model()));
  }

  private List<WeightHistogram> histograms(ModelSource source, List<ConvertedVariant> variants)
      throws IOException {
    Optional<ConvertedVariant> turbo =
        variants.stream().filter(v -> v.method() == VariantMethod.TURBO).findFirst();
    return turbo.isPresent()
        ? RotationHistograms.of(source, turbo.get().statistics(), options.common().seed())
        : List.of();
  }
}
