package dev.quern.experts;

import dev.quern.quant.Linear;

/**
 * Hands out the routed experts of a model. The forward pass asks for each expert it needs and knows
 * nothing of where it lies.
 */
public interface ExpertStore {

  /**
   * The three projections of a SwiGLU expert, down(silu(gate x) ∘ up x).
   *
   * @param gate [expertSize, hiddenSize]
   * @param up [expertSize, hiddenSize]; shares its input's rotation with gate
   * @param down [hiddenSize, expertSize]
   */
  record Expert(Linear gate, Linear up, Linear down) {
    /** Bytes that one token reads. */
    public long bytes() {
      return gate.bytes() + up.bytes() + down.bytes();
    }
  }

  /**
   * Allocates nothing.
   *
   * @throws IllegalArgumentException if the layer has no such expert
   */
  Expert expert(int layer, int expert);
}
