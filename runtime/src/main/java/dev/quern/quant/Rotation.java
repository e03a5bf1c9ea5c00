package dev.quern.quant;

/** Randomised Hadamard rotation of an input vector; being written. */
public final class Rotation {
  private final int length;

  private Rotation(int length) {
    this.length = length;
  }

  /** Which input of a layer a rotation belongs to; maps that read the same input share it. */
  public enum Input {
    /** q, k, v. */
    ATTENTION,
    /** o. */
    ATTENTION_OUTPUT,
    /** gate and up of every routed and shared expert, or of a dense MLP. */
    MLP,
    /** down of every routed expert. */
    EXPERT_DOWN,
    /** down of the shared expert or of a dense MLP. */
    MLP_DOWN,
    /** Rows of the embedding, and the head's input when they are tied. */
    EMBEDDING,
    /** The head's input. */
    HEAD,
    /** The QJL residual's second rotation. */
    RESIDUAL
  }

  /** The identity; {@link #apply} does nothing. */
  public static Rotation none(int length) {
    return new Rotation(length);
  }

  /**
   * The rotation that seed, layer (−1 outside layers) and input determine; equal arguments give
   * equal rotations.
   */
  public static Rotation hadamard(long seed, int layer, Input input, int length) {
    throw new UnsupportedOperationException("being written");
  }

  public boolean isNone() {
    return true;
  }

  public int length() {
    return length;
  }

  /** x ← H (s ∘ x), in place in [offset, offset + length). */
  public void apply(float[] x, int offset) {}

  /** x ← s ∘ (Hᵀ x), in place: undoes {@link #apply}. */
  public void invert(float[] x, int offset) {}
}
