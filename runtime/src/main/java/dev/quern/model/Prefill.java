package dev.quern.model;

/** How a prompt passes a model whose experts are read from disk. */
public enum Prefill {
  /**
   * The whole prompt passes a layer before the next (bounded by the memory of its hidden states),
   * so each needed expert is read once, however long the prompt is.
   */
  LAYER_GROUPED,
  /** Chunks pass all layers one after the other; each reads the experts that its tokens chose. */
  ACTIVE_ONLY,
  /**
   * The same, but each chunk reads all experts of every layer, of the last layer the last chunk
   * alone: the simplest way, for comparison.
   */
  CHUNKED,
  /** As LAYER_GROUPED, with all experts in memory before the prompt begins. */
  RESIDENT;

  /** Whether the prompt is cut into chunks before it enters the first layer. */
  boolean inChunks() {
    return switch (this) {
      case LAYER_GROUPED, RESIDENT -> false;
      case ACTIVE_ONLY, CHUNKED -> true;
    };
  }
}
