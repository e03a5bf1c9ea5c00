package dev.quern.model;

import dev.quern.experts.LayerRouter;
import dev.quern.format.FormatException;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.MatMul;
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

  private Model(
      ModelSource source,
      Arena converted,
      Weights weights,
      Kernels kernels,
      MatMul matMul,
      ModelOptions options) {
    this.source = source;
    this.converted = converted;
    this.weights = weights;
    this.kernels = kernels;
    this.matMul = matMul;
    this.options = options;
  }

  /**
   * Opens a Hugging Face folder or a pack. Weights stay in the mapped files.
   *
   * @throws FormatException if the model is wrong or not supported, see {@link ModelSource#open}
   */
  public static Model open(Path path, ModelOptions options) throws IOException {
    ModelSource source = ModelSource.open(path);
    Arena converted = Arena.ofShared();
    try {
      Weights weights = WeightsLoader.load(source, converted);
      Kernels kernels = Kernels.best();
      MatMul matMul = MatMul.create(kernels, options.threads());
      return new Model(source, converted, weights, kernels, matMul, options);
    } catch (Throwable e) {
      converted.close();
      source.close();
      throw e;
    }
  }

  public ModelSource source() {
    return source;
  }

  public ModelConfig config() {
    return source.config();
  }

  public int threads() {
    return matMul.workers().threads();
  }

  /**
   * An empty text.
   *
   * @param maxTokens the longest it may become, at most {@link ModelConfig#maxPositions}
   */
  public Session newSession(int maxTokens) {
    return new Session(config(), weights, kernels, matMul, options.run(), maxTokens);
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
    matMul.close();
    converted.close();
    source.close();
  }
}
