package dev.quern.model;

import dev.quern.experts.ExpertStore;
import dev.quern.kernels.Matrix;
import dev.quern.quant.Linear;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The weights of a model, ready for the forward pass: matrices as views of the mapped files,
 * vectors as float32. A vector that a layer does not have is empty.
 *
 * @param embedding rows are tokens; where it is rotated, a row is un-rotated after it is read
 * @param head the embedding itself where they are tied
 * @param experts of all layers
 */
record Weights(
    Linear embedding, List<Layer> layers, float[] finalNorm, Linear head, ExpertStore experts) {

  /** One decoder layer. */
  record Layer(float[] attentionNorm, Mixer mixer, float[] mlpNorm, Mlp mlp) {}

  /** How tokens see those before them; the same choices as {@link TokenMixer}. */
  sealed interface Mixer {
    /** Everything that is multiplied with the input or with what comes of it. */
    Stream<Matrix> matrices();

    /** Elements of norms, biases and other vectors. */
    long vectorElements();
  }

  /**
   * @param query where gated, per head the query's rows, then the gate's
   * @param queryNorm [headDim], or [numHeads · headDim] where the norm is over all heads
   * @param keyNorm as queryNorm
   * @param sinks [numHeads]
   */
  record GroupedQuery(
      TokenMixer.GroupedQuery config,
      Linear query,
      Linear key,
      Linear value,
      Linear output,
      float[] queryBias,
      float[] keyBias,
      float[] valueBias,
      float[] outputBias,
      float[] queryNorm,
      float[] keyNorm,
      float[] sinks)
      implements Mixer {
    @Override
    public Stream<Matrix> matrices() {
      return Stream.of(query, key, value, output).map(Linear::weight);
    }

    @Override
    public long vectorElements() {
      return Stream.of(queryBias, keyBias, valueBias, outputBias, queryNorm, keyNorm, sinks)
          .mapToLong(vector -> vector.length)
          .sum();
    }
  }

  /**
   * @param queryDown to the query's latent, with its norm; empty where query reads the input
   * @param query from that latent or from the input
   * @param latent [latentSize + rotaryDim, hiddenSize]
   * @param keyUp per head [latentSize, headDim], from a query to what meets the latent
   * @param valueUp per head [valueDim, latentSize]
   */
  record Latent(
      TokenMixer.Latent config,
      Optional<QueryDown> queryDown,
      Linear query,
      Linear latent,
      float[] latentNorm,
      List<Matrix> keyUp,
      List<Matrix> valueUp,
      Linear output)
      implements Mixer {
    @Override
    public Stream<Matrix> matrices() {
      Stream<Matrix> maps =
          Stream.concat(
              queryDown.stream().map(down -> down.map().weight()),
              Stream.of(query, latent, output).map(Linear::weight));
      return Stream.concat(maps, Stream.concat(keyUp.stream(), valueUp.stream()));
    }

    @Override
    public long vectorElements() {
      return (long) latentNorm.length + queryDown.map(down -> down.norm().length).orElse(0);
    }
  }

  /**
   * @param norm [queryRank]
   */
  record QueryDown(Linear map, float[] norm) {}

  /**
   * @param convolution [channels, kernelSize], see {@link TensorRole#DELTA_CONVOLUTION}
   * @param decay −exp(A_log) [numValueHeads]
   * @param timeBias [numValueHeads]
   * @param norm [valueDim]
   */
  record DeltaNet(
      TokenMixer.DeltaNet config,
      Linear query,
      Linear key,
      Linear value,
      Linear gate,
      Linear beta,
      Linear alpha,
      float[] convolution,
      float[] decay,
      float[] timeBias,
      float[] norm,
      Linear output)
      implements Mixer {
    @Override
    public Stream<Matrix> matrices() {
      return Stream.of(query, key, value, gate, beta, alpha, output).map(Linear::weight);
    }

    @Override
    public long vectorElements() {
      return (long) convolution.length + decay.length + timeBias.length + norm.length;
    }
  }

  /** What follows the mixer. */
  sealed interface Mlp {}

  /** One MLP for every token. */
  record DenseMlp(ExpertStore.Expert weights) implements Mlp {}

  /**
   * A mixture of experts.
   *
   * @param router [numExperts, hiddenSize], at full precision
   * @param routerBias [numExperts]
   * @param selectionBias [numExperts]
   * @param gateBias [numExperts, expertSize]
   * @param upBias [numExperts, expertSize]
   * @param downBias [numExperts, hiddenSize]
   */
  record MoeMlp(
      FeedForward.Experts config,
      Linear router,
      float[] routerBias,
      float[] selectionBias,
      float[] gateBias,
      float[] upBias,
      float[] downBias,
      Optional<SharedExpert> shared)
      implements Mlp {}

  /**
   * The expert that every token passes.
   *
   * @param router [1, hiddenSize]
   */
  record SharedExpert(ExpertStore.Expert weights, Optional<Linear> router) {}

  /**
   * Weight bytes that decoding one token reads, per component: of the experts topK per layer, of
   * the embedding one row unless it is also the head.
   */
  Map<TensorRole.Component, Long> bytesPerToken(ModelConfig config) {
    Map<TensorRole.Component, Long> bytes = new EnumMap<>(TensorRole.Component.class);
    for (int l = 0; l < layers.size(); l++) {
      Layer layer = layers.get(l);
      long mixer = layer.mixer.matrices().mapToLong(Matrix::bytes).sum();
      bytes.merge(TensorRole.Component.ATTENTION, mixer, Long::sum);
      long norms = layer.mixer.vectorElements();
      norms += layer.attentionNorm.length + layer.mlpNorm.length;
      bytes.merge(TensorRole.Component.FULL_PRECISION, norms * Float.BYTES, Long::sum);
      switch (layer.mlp) {
        case DenseMlp mlp ->
            bytes.merge(TensorRole.Component.SHARED_EXPERT, mlp.weights.bytes(), Long::sum);
        case MoeMlp mlp -> {
          bytes.merge(TensorRole.Component.FULL_PRECISION, mlp.router.bytes(), Long::sum);
          mlp.shared.ifPresent(shared ->
              bytes.merge(TensorRole.Component.SHARED_EXPERT, shared.weights.bytes(), Long::sum));
          long chosen = config.topK() * experts.expertBytes(l);
          bytes.merge(TensorRole.Component.EXPERTS, chosen, Long::sum);
        }
      }
    }
    bytes.merge(
        TensorRole.Component.FULL_PRECISION, (long) finalNorm.length * Float.BYTES, Long::sum);
    bytes.merge(TensorRole.Component.HEAD, head.bytes(), Long::sum);
    if (!head.equals(embedding)) {
      long row = embedding.bytes() / config.vocabSize();
      bytes.merge(TensorRole.Component.EMBEDDING, row, Long::sum);
    }
    return bytes;
  }
}
