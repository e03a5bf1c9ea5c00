package dev.quern.model;

import dev.quern.experts.ExpertStore;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.Workers;
import java.util.TreeMap;

/** The MLP of layers without experts, in chunks of a batch. */
final class DenseMlpBlock {
  private final int chunk;
  private final int hiddenSize;
  private final Products products;
  private final ActivationRows activation;
  private final Inner[] layers; // null for layers with experts; those of one size are one object

  /**
   * @param chunk tokens that are computed at once
   */
  DenseMlpBlock(
      ModelConfig config, Kernels kernels, Workers workers, Products products, int chunk) {
    this.chunk = chunk;
    this.hiddenSize = config.hiddenSize();
    this.products = products;
    this.activation = new ActivationRows(config.activation(), kernels, workers);
    TreeMap<Integer, Inner> ofSize = new TreeMap<>();
    layers = new Inner[config.numLayers()];
    for (int layer = 0; layer < layers.length; layer++) {
      if (config.layers().get(layer).feedForward() instanceof FeedForward.Dense(int size)) {
        layers[layer] = ofSize.computeIfAbsent(size, s -> new Inner(workers, s));
      }
    }
  }

  /**
   * @param input normed hidden states, a row per token
   * @param result [tokens, hiddenSize], written
   */
  void run(Weights.DenseMlp mlp, int layer, Rows input, int tokens, float[] result) {
    ExpertStore.Expert weights = mlp.weights();
    Inner inner = layers[layer];
    for (int from = 0; from < tokens; from += chunk) {
      int count = Math.min(chunk, tokens - from);
      inner.start(count);
      inner.addGateAndUp(products, weights, input, from, count, 0);
      products.run();
      activation.run(inner, Inner.NONE, null, null);
      products.add(weights.down(), inner.down(), 0, count, result, from * hiddenSize);
      products.run();
    }
  }
}
