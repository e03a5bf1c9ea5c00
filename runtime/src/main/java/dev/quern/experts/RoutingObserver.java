package dev.quern.experts;

/** Told what every router saw and chose, layer by layer, on the thread that runs the model. */
@FunctionalInterface
public interface RoutingObserver {

  /**
   * Called for every layer with experts, before they run: once per batch of tokens, in the last
   * layer once for those of which logits are asked for and once for the others.
   *
   * @param routed valid during the call
   */
  void routed(RoutedTokens routed);

  /**
   * Whether it must be told of the tokens, too, of which nobody asks for logits: unless it must,
   * the last layer does not compute them, which an observer that serves speed would undo.
   */
  default boolean everyToken() {
    return true;
  }

  /**
   * The hidden states that enter a layer, before its norm and token mixer; called for every layer.
   *
   * @param start position of the first token
   * @param hidden [tokens, hiddenSize], valid during the call
   */
  default void entered(int layer, int start, float[] hidden, int tokens) {}
}
