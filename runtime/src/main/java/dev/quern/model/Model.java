package dev.quern.model;

import dev.quern.experts.LayerRouter;
import dev.quern.format.FormatException;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.MatMul;
import dev.quern.kernels.Workers;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A model that runs: source, weights and threads, closed together. Sessions must not be used after
 * their model is closed, and one session runs at a time.
 */
public final class Model implements AutoCloseable {
  private final ModelSource source;
  private final Arena converted;
  private final Weights weights;
  private final Kernels kernels;
  private final MatMul matMul;
  private final ModelOptions options;
  private final Optional<ExpertStreams> streams;

  private Model(
      ModelSource source,
      Arena converted,
      Weights weights,
      ModelOptions options,
      Optional<ExpertStreams> streams) {
    this.source = source;
    this.converted = converted;
    this.weights = weights;
    this.options = options;
    this.streams = streams;
    kernels = Kernels.best();
    Workers workers = Workers.create(options.threads(), options.compilersFirst());
    matMul = MatMul.create(kernels, workers, options.activations());
  }

  /**
   * Opens a Hugging Face folder, a GGUF file or a pack. Weights stay in the mapped files; experts
   * too, unless {@link ModelOptions#streaming} says otherwise.
   *
   * @throws FormatException if the model is wrong or not supported, see {@link ModelSource#open},
   *     or experts shall be streamed of what is no pack
   * @throws IllegalArgumentException if the memory does not suffice, or options do not fit the
   *     model
   */
  public static Model open(Path path, ModelOptions options) throws IOException {
    ModelSource source = ModelSource.open(path);
    Arena converted = Arena.ofShared();
    try {
      options.selection().limit(source.config().topK());
      checkCached(options);
      return options.streaming().isPresent()
          ? streamed(source, converted, options)
          : new Model(source, converted, WeightsLoader.load(source, converted), options);
    } catch (Throwable e) {
      converted.close();
      source.close();
      throw e;
    }
  }

  private Model(ModelSource source, Arena converted, Weights weights, ModelOptions options) {
    this(source, converted, weights, options, Optional.empty());
  }

  private static Model streamed(ModelSource source, Arena converted, ModelOptions options)
      throws IOException {
    if (!(source instanceof ModelSource.Packed pack) || source.config().experts().isEmpty()) {
      throw new FormatException(
          source.path()
              + ": experts are read from disk out of packs with experts only. Convert it first, or"
              + " leave out --memory");
    }
    ExpertStreams[] opened = new ExpertStreams[1];
    Weights weights =
        WeightsLoader.load(
            pack,
            converted,
            (of, views) -> {
              opened[0] = ExpertStreams.open(of, options, views);
              return opened[0].store();
            },
            options.selection().standInBits());
    Model model = new Model(source, converted, weights, options, Optional.of(opened[0]));
    try {
      opened[0].start(model, pack.path(), options.prefill() == Prefill.RESIDENT);
      return model;
    } catch (Throwable e) {
      model.closeThreads();
      throw e;
    }
  }

  private static void checkCached(ModelOptions options) {
    if (options.selection().dependsOnCache() && options.streaming().isEmpty()) {
      throw new IllegalArgumentException(
          "experts that are not in memory can be skipped or have stand-ins only where they are read"
              + " from disk. Add --memory, or do without");
    }
    if (options.selection().standIns() && options.streaming().orElseThrow().speculate()) {
      throw new IllegalArgumentException(
          "stand-ins: they are not computed beforehand. Leave out --speculate, or the stand-ins");
    }
  }

  public ModelSource source() {
    return source;
  }

  /** Where experts come from, if they are streamed. */
  public Optional<ExpertStreams> streams() {
    return streams;
  }

  public ModelConfig config() {
    return source.config();
  }

  public int threads() {
    return matMul.workers().threads();
  }

  /**
   * Tokens of the longest session that the Java heap can hold.
   *
   * @param most that are wanted, 1 to {@link ModelConfig#maxPositions}
   */
  public int longestSession(int most) {
    return RunMemory.longest(config(), most, options.kvType());
  }

  /**
   * An empty text.
   *
   * @param maxTokens the longest it may become, at most {@link ModelConfig#maxPositions}
   * @throws IllegalArgumentException if that is too long, for the model or the Java heap
   */
  public Session newSession(int maxTokens) {
    RunMemory.of(config(), maxTokens, options.kvType()).requireHeap();
    Session session = new Session(config(), weights, kernels, matMul, options.run(), maxTokens);
    streams.ifPresent(open -> {
      open.observers().forEach(session::observe);
      open.guesses().ifPresent(session::speculate);
    });
    return session;
  }

  /** The row of a token in the embedding, [hiddenSize] into out. Not for several threads. */
  public void embed(int id, float[] out) {
    new EmbeddingRows(weights.embedding(), kernels).read(id, out, 0);
  }

  /** The routers of all layers as plain numbers; empty for layers without experts. */
  public List<Optional<LayerRouter>> routers() {
    return weights.layers().stream().map(this::router).toList();
  }

  private Optional<LayerRouter> router(Weights.Layer layer) {
    return switch (layer.mlp()) {
      case Weights.DenseMlp mlp -> Optional.empty();
      case Weights.MoeMlp mlp -> {
        int hidden = config().hiddenSize();
        float[] rows = new float[Math.multiplyExact(mlp.config().numExperts(), hidden)];
        EmbeddingRows reader = new EmbeddingRows(mlp.router(), kernels);
        for (int expert = 0; expert < mlp.config().numExperts(); expert++) {
          reader.read(expert, rows, expert * hidden);
        }
        float[] bias = mlp.config().routing().bias() ? mlp.routerBias() : new float[0];
        yield Optional.of(new LayerRouter(layer.mlpNorm(), rows, bias));
      }
    };
  }

  /**
   * Weight bytes that decoding one token reads, per component; times tokens per second this is the
   * bandwidth the weights take.
   */
  public Map<TensorRole.Component, Long> bytesTouchedPerToken() {
    return weights.bytesPerToken(config());
  }

  @Override
  public void close() {
    closeThreads();
    converted.close();
    source.close();
  }

  private void closeThreads() {
    streams.ifPresent(ExpertStreams::close);
    matMul.close(); // before what it reads
    weights.experts().close();
  }
}
