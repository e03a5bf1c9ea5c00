package dev.quern.model;

/** Told which experts each token was given, layer by layer, on the thread that runs the model. */
@FunctionalInterface
public interface RoutingObserver {

  /**
   * @param position of the token in its session
   * @param experts ids, most probable first, in [offset, offset + count); valid during the call
   * @param weights by which their outputs are multiplied, at the same places
   */
  void routed(int layer, int position, int[] experts, float[] weights, int offset, int count);
}
