package dev.quern.bench.cli;

import dev.quern.bench.synth.GgufExport;
import dev.quern.bench.synth.PublishedModel;
import dev.quern.bench.synth.RandomModel;
import dev.quern.bench.synth.SyntheticModel;
import dev.quern.bench.synth.SyntheticShape;
import dev.quern.bench.synth.WidenedModel;
import dev.quern.bench.synth.WidenedShadow;
import dev.quern.format.gguf.GgufType;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelSource;
import dev.quern.model.TokenMixer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.function.LongConsumer;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code quern synth}: a model of real shapes, with random weights or those of a small model. */
@Command(
    name = "synth",
    mixinStandardHelpOptions = true,
    description = {
      "Write a model folder of real layer shapes: with random weights (--like), or",
      "with those of a small model repeated (--widen), which keeps logits and routing.",
      "--widen-shadow does it for a trained predictor, into the pack of the wide model."
    })
public final class SynthCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @ArgGroup(multiplicity = "1")
  private Kind kind;

  /** One of three. */
  static final class Kind {
    @Option(
        names = "--like",
        paramLabel = "MODEL",
        description = {
          "whose shapes: qwen3-30b-a3b or qwen3-235b-a22b; in GGUF also the others of quern bench"
        })
    private String like;

    @Option(
        names = "--widen",
        paramLabel = "DIR",
        description = "a trained model of qwen3_moe to make larger")
    private Path widen;

    @Option(
        names = "--widen-shadow",
        paramLabel = "DIR",
        description = "with the shadow/ of the small model; --out is the wide model's pack")
    private Path widenShadow;
  }

  @Option(
      names = "--layers",
      paramLabel = "N",
      description = "of --like: layers (all of the model's)")
  private Integer layers;

  @Option(
      names = "--experts",
      paramLabel = "N",
      description = "of --like: experts per layer (the model's)")
  private Integer experts;

  @Option(
      names = "--vocab",
      paramLabel = "N",
      description = "of --like: vocabulary (${DEFAULT-VALUE})",
      defaultValue = "32768")
  private int vocabSize;

  @Option(names = "--hidden", paramLabel = "N", description = "of --widen: hidden size")
  private Integer hiddenSize;

  @Option(
      names = "--expert-size",
      paramLabel = "N",
      description = "of --widen: neurons of an expert")
  private Integer expertSize;

  @Option(names = "--heads", paramLabel = "N", description = "of --widen: attention heads")
  private Integer heads;

  @Option(names = "--context", paramLabel = "N", description = "of --widen: positions")
  private Integer context;

  @Option(
      names = "--format",
      paramLabel = "FORMAT",
      defaultValue = "folder",
      description = "of --like: folder (BF16, as Hugging Face's) or gguf (${DEFAULT-VALUE})")
  private Format format;

  @Option(
      names = "--type",
      paramLabel = "TYPE",
      defaultValue = "f16",
      description =
          "of --format gguf: type of matrices, f16, q8_0, q4_0, bf16 or f32 (${DEFAULT-VALUE})")
  private GgufMatrices type;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "PATH",
      description = "a new or empty folder; of GGUF the file; with --widen-shadow a pack")
  private Path out;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "of the weights of --like (${DEFAULT-VALUE})",
      defaultValue = "0")
  private long seed;

  /** What is written. */
  enum Format {
    FOLDER,
    GGUF
  }

  /** Types of matrices that GGUF is written with. */
  enum GgufMatrices {
    F16(GgufType.F16),
    Q8_0(GgufType.Q8_0),
    Q4_0(GgufType.Q4_0),
    BF16(GgufType.BF16),
    F32(GgufType.F32);

    private final GgufType type;

    GgufMatrices(GgufType type) {
      this.type = type;
    }
  }

  /** Writes a model, telling how far it is. */
  @FunctionalInterface
  private interface Writing {
    void write(LongConsumer progress) throws IOException;
  }

  @Override
  public Integer call() throws IOException {
    check();
    if (kind.widen != null) {
      widen();
    } else if (kind.widenShadow != null) {
      widenShadow();
    } else {
      random();
    }
    return 0;
  }

  private void check() {
    OptionRules rules = new OptionRules(spec.commandLine());
    rules.onlyWith("--like", "--layers", "--experts", "--vocab", "--seed", "--format", "--type");
    rules.onlyWith("--widen", "--hidden", "--expert-size", "--heads", "--context");
    if (format == Format.FOLDER) {
      rules.refuse("--format gguf", "--type");
    }
  }

  private void random() throws IOException {
    try {
      switch (format) {
        case FOLDER -> {
          SyntheticShape shape = shape();
          SyntheticModel model = new SyntheticModel(shape, seed);
          write(model.bytes(), describe(shape), progress -> model.write(out, progress));
        }
        case GGUF -> {
          boolean folders = SyntheticShape.names().contains(kind.like.toLowerCase(Locale.ROOT));
          GgufExport gguf = folders ? new SyntheticModel(shape(), seed).gguf(type.type) : gguf();
          write(gguf.bytes(), kind.like, progress -> gguf.write(out, progress));
        }
      }
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  private SyntheticShape shape() {
    SyntheticShape shape = SyntheticShape.named(kind.like).withVocabSize(vocabSize);
    shape = layers == null ? shape : shape.withLayers(layers);
    return experts == null ? shape : shape.withExperts(experts);
  }

  private static String describe(SyntheticShape shape) {
    return "%s, %d layers".formatted(shape.name(), shape.layers());
  }

  /** Of a model that no folder is written of. */
  private GgufExport gguf() throws IOException {
    PublishedModel model = PublishedModel.named(kind.like);
    if (experts != null) {
      throw new IllegalArgumentException("--experts: only with " + SyntheticShape.names());
    }
    OptionalInt some = layers == null ? OptionalInt.empty() : OptionalInt.of(layers);
    ModelConfig config = model.config(some, OptionalInt.of(vocabSize));
    return new RandomModel(config, seed).gguf(model.label(), type.type);
  }

  private void widen() throws IOException {
    try (ModelSource source = ModelSource.open(kind.widen)) {
      ModelConfig config = source.config();
      int ownHeads =
          config.layers().getFirst().mixer() instanceof TokenMixer.GroupedQuery m
              ? m.numHeads()
              : 0;
      int ownExpert = config.experts().map(e -> e.expertSize()).orElse(0);
      WidenedModel.Sizes sizes =
          new WidenedModel.Sizes(
              hiddenSize == null ? config.hiddenSize() : hiddenSize,
              expertSize == null ? ownExpert : expertSize,
              heads == null ? ownHeads : heads,
              context == null ? config.maxPositions() : context);
      WidenedModel model = new WidenedModel(source, sizes);
      write(
          model.bytes(),
          "%s, hidden %d, experts of %d"
              .formatted(kind.widen, sizes.hiddenSize(), sizes.expertSize()),
          progress -> model.write(out, progress));
    }
  }

  private void widenShadow() throws IOException {
    int wide;
    try (ModelSource source = ModelSource.open(out)) {
      wide = source.config().hiddenSize();
    }
    long bytes = WidenedShadow.write(kind.widenShadow, out, wide);
    spec.commandLine()
        .getOut()
        .printf("%s: a shadow of %,d MB for hidden size %d%n", out, bytes >> 20, wide);
  }

  private void write(long bytes, String what, Writing writing) throws IOException {
    long start = System.nanoTime();
    long[] nextPercent = {10};
    writing.write(written -> {
      long percent = 100 * written / bytes;
      if (percent >= nextPercent[0]) {
        nextPercent[0] = percent + 10;
        spec.commandLine().getErr().printf("%d %% of %,d MB%n", percent, bytes >> 20);
        spec.commandLine().getErr().flush();
      }
    });
    double seconds = (System.nanoTime() - start) / 1e9;
    spec.commandLine()
        .getOut()
        .printf(
            "%s: %,d MB of %s, in %.1f s (%.0f MB/s)%n",
            out, bytes >> 20, what, seconds, bytes / 1e6 / seconds);
  }
}
