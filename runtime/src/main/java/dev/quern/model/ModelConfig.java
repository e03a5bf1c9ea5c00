package dev.quern.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The sizes and constants of one model, as {@code config.json} states them; see {@link
 * ModelConfigReader}.
 *
 * @param modelType chooses the {@link Architecture}
 * @param expertSize rows of an expert's gate and up
 * @param intermediateSize rows of gate and up in layers without experts
 * @param numExperts 0 where no layer has any
 * @param topK experts per token, at most numExperts
 * @param normTopkProb whether the weights of the chosen experts are divided by their sum
 * @param maxPositions longest context the model was made for
 * @param tieWordEmbeddings whether the embedding is also the head
 * @param decoderSparseStep every how many layers have experts: layer l has if (l + 1) is a multiple
 * @param mlpOnlyLayers layers without experts all the same
 */
public record ModelConfig(
    String modelType,
    int hiddenSize,
    int numLayers,
    int numHeads,
    int numKvHeads,
    int headDim,
    int expertSize,
    int intermediateSize,
    int numExperts,
    int topK,
    boolean normTopkProb,
    int vocabSize,
    float rmsNormEpsilon,
    double ropeTheta,
    int maxPositions,
    boolean tieWordEmbeddings,
    int decoderSparseStep,
    Set<Integer> mlpOnlyLayers) {

  public ModelConfig {
    mlpOnlyLayers = Set.copyOf(mlpOnlyLayers);
    positive("hidden_size", hiddenSize);
    positive("num_hidden_layers", numLayers);
    positive("num_attention_heads", numHeads);
    positive("num_key_value_heads", numKvHeads);
    positive("head_dim", headDim);
    positive("vocab_size", vocabSize);
    positive("max_position_embeddings", maxPositions);
    positive("decoder_sparse_step", decoderSparseStep);
    check(
        numHeads % numKvHeads == 0,
        "num_attention_heads %d is not a multiple of num_key_value_heads %d",
        numHeads,
        numKvHeads);
    check(headDim % 2 == 0, "head_dim %d is odd; RoPE turns pairs", headDim);
    check(
        numExperts == 0 || topK >= 1 && topK <= numExperts,
        "num_experts_per_tok %d is not between 1 and num_experts %d",
        topK,
        numExperts);
    check(
        rmsNormEpsilon >= 0 && rmsNormEpsilon < 1, "rms_norm_eps %s is not small", rmsNormEpsilon);
    check(
        ropeTheta >= 1 && Double.isFinite(ropeTheta),
        "rope_theta %s is not a finite number from 1",
        ropeTheta);
  }

  private static void positive(String key, int value) {
    check(value >= 1, "%s is %d, not positive", key, value);
  }

  private static void check(boolean holds, String message, Object... values) {
    if (!holds) {
      throw new IllegalArgumentException(message.formatted(values));
    }
  }

  /** Whether a layer's MLP is a mixture of experts. */
  public boolean hasExperts(int layer) {
    return numExperts > 0 && !mlpOnlyLayers.contains(layer) && (layer + 1) % decoderSparseStep == 0;
  }

  /** Rows of the query projection. */
  public int querySize() {
    return Math.multiplyExact(numHeads, headDim);
  }

  /** Rows of the key projection, and of the value projection. */
  public int keyValueSize() {
    return Math.multiplyExact(numKvHeads, headDim);
  }

  /** The shape of a role's tensor, matrices as [out, in]. */
  public List<Long> shape(TensorRole role) {
    return switch (role) {
      case EMBEDDING, HEAD -> shape(vocabSize, hiddenSize);
      case FINAL_NORM, ATTENTION_NORM, MLP_NORM -> shape(hiddenSize);
      case QUERY -> shape(querySize(), hiddenSize);
      case KEY, VALUE -> shape(keyValueSize(), hiddenSize);
      case ATTENTION_OUTPUT -> shape(hiddenSize, querySize());
      case QUERY_NORM, KEY_NORM -> shape(headDim);
      case ROUTER -> shape(numExperts, hiddenSize);
      case MLP_GATE, MLP_UP -> shape(intermediateSize, hiddenSize);
      case MLP_DOWN -> shape(hiddenSize, intermediateSize);
      case EXPERT_GATE, EXPERT_UP -> shape(expertSize, hiddenSize);
      case EXPERT_DOWN -> shape(hiddenSize, expertSize);
    };
  }

  private static List<Long> shape(int... sizes) {
    List<Long> shape = new ArrayList<>();
    for (int size : sizes) {
      shape.add((long) size);
    }
    return List.copyOf(shape);
  }

  /**
   * Every tensor the model needs, in the order of the forward pass. Lazy: the sizes a file claims
   * cost nothing before its tensors are found to be there.
   */
  public Stream<TensorKey> tensorKeys(Architecture architecture) {
    Stream<TensorKey> layers =
        IntStream.range(0, numLayers).boxed().flatMap(layer -> layerKeys(architecture, layer));
    Stream<TensorKey> tail = Stream.of(new TensorKey(TensorRole.FINAL_NORM, -1, -1));
    if (!tieWordEmbeddings) {
      tail = Stream.concat(tail, Stream.of(new TensorKey(TensorRole.HEAD, -1, -1)));
    }
    Stream<TensorKey> head = Stream.of(new TensorKey(TensorRole.EMBEDDING, -1, -1));
    return Stream.concat(Stream.concat(head, layers), tail);
  }

  private Stream<TensorKey> layerKeys(Architecture architecture, int layer) {
    Stream<TensorKey> own =
        Stream.of(TensorRole.values())
            .filter(role -> role.scope() == TensorRole.Scope.LAYER)
            .filter(role -> occurs(role, layer, architecture))
            .map(role -> new TensorKey(role, layer, -1));
    Stream<TensorKey> experts =
        IntStream.range(0, hasExperts(layer) ? numExperts : 0)
            .boxed()
            .flatMap(expert ->
                Stream.of(TensorRole.EXPERT_GATE, TensorRole.EXPERT_UP, TensorRole.EXPERT_DOWN)
                    .map(role -> new TensorKey(role, layer, expert)));
    return Stream.concat(own, experts);
  }

  private boolean occurs(TensorRole role, int layer, Architecture architecture) {
    return switch (role) {
      case ROUTER -> hasExperts(layer);
      case MLP_GATE, MLP_UP, MLP_DOWN -> !hasExperts(layer);
      case QUERY_NORM, KEY_NORM -> architecture.qkNorm() == QkNorm.PER_HEAD;
      default -> true;
    };
  }

  /** Weights of the whole model. */
  public long totalParameters(Architecture architecture) {
    return tensorKeys(architecture).mapToLong(key -> elements(key.role())).sum();
  }

  /** Weights that one token passes: of the experts only topK per layer. */
  public long activeParameters(Architecture architecture) {
    return tensorKeys(architecture)
        .filter(key -> key.expert() < topK)
        .mapToLong(key -> elements(key.role()))
        .sum();
  }

  private long elements(TensorRole role) {
    return shape(role).stream().reduce(1L, Math::multiplyExact);
  }
}
