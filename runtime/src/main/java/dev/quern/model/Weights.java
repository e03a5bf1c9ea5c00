package dev.quern.model;

import dev.quern.experts.ExpertStore;
import dev.quern.quant.Linear;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * The weights of a model, ready for the forward pass: matrices as views of the mapped files, norms
 * as float32.
 *
 * @param embedding rows are tokens; where it is rotated, a row is un-rotated after it is read
 * @param head the embedding itself where they are tied
 * @param experts of all layers
 */
record Weights(
    Linear embedding, List<Layer> layers, float[] finalNorm, Linear head, ExpertStore experts) {

  /**
   * One decoder layer.
   *
   * @param queryNorm [headDim]; empty where queries and keys are not normalised
   * @param keyNorm as queryNorm
   */
  record Layer(
      float[] attentionNorm,
      Linear query,
      Linear key,
      Linear value,
      Linear output,
      float[] queryNorm,
      float[] keyNorm,
      float[] mlpNorm,
      Mlp mlp) {}

  /** What follows attention. */
  sealed interface Mlp {}

  /** One SwiGLU for every token. */
  record DenseMlp(ExpertStore.Expert weights) implements Mlp {}

  /**
   * A mixture of experts.
   *
   * @param router [numExperts, hiddenSize], at full precision
   */
  record MoeMlp(Linear router) implements Mlp {}

  /**
   * Weight bytes that decoding one token reads, per component: of the experts topK per layer, of
   * the embedding one row unless it is also the head.
   */
  Map<TensorRole.Component, Long> bytesPerToken(ModelConfig config) {
    Map<TensorRole.Component, Long> bytes = new EnumMap<>(TensorRole.Component.class);
    for (int l = 0; l < layers.size(); l++) {
      Layer layer = layers.get(l);
      long attention = layer.query.bytes() + layer.key.bytes();
      attention += layer.value.bytes() + layer.output.bytes();
      bytes.merge(TensorRole.Component.ATTENTION, attention, Long::sum);
      long norms = (long) layer.attentionNorm.length + layer.mlpNorm.length;
      norms += (long) layer.queryNorm.length + layer.keyNorm.length;
      bytes.merge(TensorRole.Component.FULL_PRECISION, norms * Float.BYTES, Long::sum);
      switch (layer.mlp) {
        case DenseMlp mlp ->
            bytes.merge(TensorRole.Component.SHARED_EXPERT, mlp.weights.bytes(), Long::sum);
        case MoeMlp mlp -> {
          bytes.merge(TensorRole.Component.FULL_PRECISION, mlp.router.bytes(), Long::sum);
          // All experts of a layer have the same sizes.
          long chosen = config.topK() * experts.expert(l, 0).bytes();
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
