package dev.quern.model;

import dev.quern.experts.ExpertGuesses;
import dev.quern.experts.ExpertStore;
import dev.quern.experts.RoutingObserver;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.Workers;
import java.util.Optional;

/** What follows the token mixer in a layer: a dense MLP or a mixture of experts. */
final class MlpBlock {
  private final DenseMlpBlock dense;
  private final Optional<MoeBlock> moe;

  /**
   * @param chunk tokens that are computed at once
   */
  MlpBlock(
      ModelConfig config,
      Kernels kernels,
      Workers workers,
      Products products,
      ExpertStore experts,
      RunOptions options,
      int chunk) {
    dense = new DenseMlpBlock(config, kernels, workers, products, chunk);
    moe =
        config
            .experts()
            .map(kind ->
                new MoeBlock(config, kind, kernels, workers, products, experts, options, chunk));
  }

  void observe(RoutingObserver observer) {
    moe.ifPresent(block -> block.observe(observer));
  }

  /** Experts that routers chose so far, for all tokens and layers. */
  long chosen() {
    return moe.map(MoeBlock::chosen).orElse(0L);
  }

  /** Experts that were chosen but left out so far. */
  long leftOut() {
    return moe.map(MoeBlock::leftOut).orElse(0L);
  }

  /** Experts that were chosen and answered by stand-ins so far. */
  long replaced() {
    return moe.map(MoeBlock::replaced).orElse(0L);
  }

  /** Computes experts that are guessed before they are chosen, from now on. */
  void speculate(ExpertGuesses guesses) {
    moe.ifPresent(block -> block.speculate(guesses));
  }

  /** Whether the passes that follow are of a token alone, for which lossy options exist. */
  void decoding(boolean now) {
    if (moe.isPresent()) { // once per token: a lambda would be an object
      moe.get().decoding(now);
    }
  }

  /**
   * @param input normed hidden states, a row per token
   * @param start position of the first token
   * @param ids of the tokens, from firstId on
   * @param result [tokens, hiddenSize], written
   */
  void run(
      Weights.Mlp mlp,
      int layer,
      Rows input,
      int tokens,
      int start,
      int[] ids,
      int firstId,
      float[] result) {
    switch (mlp) {
      case Weights.DenseMlp newDense -> dense.run(newDense, layer, input, tokens, result);
      case Weights.MoeMlp newMoe ->
          moe.orElseThrow().run(newMoe, layer, input, tokens, start, ids, firstId, result);
    }
  }
}
