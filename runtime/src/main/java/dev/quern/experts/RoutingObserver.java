package dev.quern.experts;

/** Told what every router saw and chose, layer by layer, on the thread that runs the model. */
@FunctionalInterface
public interface RoutingObserver {

  /**
   * Called once per layer with experts and batch, before the experts run.
   *
   * @param routed valid during the call
   */
  void routed(RoutedTokens routed);

  /**
   * The hidden states that enter a layer, before its norm and token mixer; called for every layer.
   *
   * @param start position of the first token
   * @param hidden [tokens, hiddenSize], valid during the call
   */
  default void entered(int layer, int start, float[] hidden, int tokens) {}
}
