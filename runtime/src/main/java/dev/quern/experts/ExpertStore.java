package dev.quern.experts;

import dev.quern.quant.Linear;

/**
 * Hands out the routed experts of a model. The forward pass says which experts of a layer it needs
 * and takes them in the groups in which they are in memory; it knows nothing of where they lie.
 *
 * <p>One visit at a time, on the thread that runs the model:
 *
 * <pre>{@code
 * store.begin(layer, needed, count, order);
 * try {
 *   for (int n = store.next(group); n > 0; n = store.next(group)) {
 *     … store.expert(group[i]) for i < n
 *   }
 * } finally {
 *   store.end();
 * }
 * }</pre>
 */
public interface ExpertStore extends AutoCloseable {

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

  /** In which order a visit hands out experts. */
  enum Order {
    /** What is in memory first. */
    AVAILABLE,
    /**
     * As AVAILABLE, but what is not in memory may be answered by something like it, if the store
     * has any: see {@link StandInStore}.
     */
    AT_ONCE,
    /** As they were announced. */
    ANNOUNCED,
    /** Only what is in memory, in one group; nothing is read, nothing is counted. */
    PRESENT
  }

  /** Bytes that one token reads of an expert of a layer. */
  long expertBytes(int layer);

  /**
   * Begins a visit. What is missing may be read from now on.
   *
   * @param experts distinct ids in [0, count); not read after the call
   */
  void begin(int layer, int[] experts, int count, Order order);

  /**
   * Waits for more of the announced experts. Those of the group before are given back.
   *
   * @param group at least as long as the experts announced; ids are written from 0 on
   * @return how many; 0 when all have been handed out
   * @throws ExpertReadException if one cannot be read or is damaged
   */
  int next(int[] group);

  /**
   * An expert of the present group. Allocates nothing.
   *
   * @throws IllegalArgumentException if it is not in the group
   */
  Expert expert(int expert);

  /** Whether an expert could be handed out at once. */
  boolean inMemory(int layer, int expert);

  /** Asks for an expert that is not needed now but may be soon; returns at once. */
  void fetch(int layer, int expert);

  /** Uses of experts so far that something else has answered. */
  default long replaced() {
    return 0;
  }

  /** Ends the visit, finished or not. */
  void end();

  @Override
  void close();
}
