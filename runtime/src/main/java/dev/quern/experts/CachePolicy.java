package dev.quern.experts;

import java.util.function.IntPredicate;

/**
 * Decides which experts stay in memory. The cache tells it everything that happens and asks for a
 * victim when room is needed; the same policies run in the expert store and in the simulator. Not
 * for several threads. Keys as in {@link CacheShape}.
 */
public interface CachePolicy {

  /**
   * A token uses experts of a layer, in memory or not. In decode called once per token and layer,
   * in the order of the layers, before the experts that are missing are admitted; in prefill once
   * per layer and batch with every expert that the batch needs.
   *
   * @param routed of one token, or of a batch
   */
  void routed(RoutedTokens routed);

  /** An expert has been read into memory. */
  void admitted(int key);

  /** An expert has left memory, as this policy's victim or for want of memory. */
  void removed(int key);

  /**
   * The expert to give up for another.
   *
   * @param incoming the key that needs room; −1 if none does and memory is given back
   * @param mayLeave holds for residents that nobody uses; for at least one
   * @return a key for which it holds
   */
  int victim(int incoming, IntPredicate mayLeave);

  /**
   * How likely experts are used soon, from a predictor; ignored by policies that do not look ahead.
   * Holds until the layer is routed again; to be called after it was routed.
   *
   * @param layer of the experts
   * @param tokensAhead 0: by the present token, which has not reached the layer yet; 1: by the
   *     next, or soon after, on any scale: best is 0.8^(d − 1) where d tokens ahead is the next use
   * @param probabilities [numExperts], valid during the call
   */
  default void expect(int layer, int tokensAhead, float[] probabilities) {}

  /** The number of experts that fit has changed, as memory got short or free again. */
  default void resize(int capacity) {}
}
