package dev.quern.quant;

import dev.quern.kernels.Kernels;

/**
 * Randomised Hadamard rotation of the input of a linear map: x′ = H(s ∘ x) with random signs s and
 * an orthonormal H, so that W x = W′ x′ for W′ = W diag(s) Hᵀ, whose entries are close to normal
 * whatever W looks like.
 *
 * <p>H is block-diagonal. A block has the largest length that divides the width and is 2^k or m·2^k
 * with m = 12, 20 or 28; there H = H_m ⊗ H_(2^k) / √(m·2^k). Bit n mod 64 of word ⌊n/64⌋ of the
 * stream {@link CounterRandom} with key(seed, layer, input ordinal) is 1 where s[n] = −1.
 *
 * <p>Immutable; one object serves all threads.
 */
public final class Rotation {
  private static final int[] ORDERS = {1, 12, 20, 28};
  private static final int MAX_ORDER = 28;
  private static final int MIXED_COLS = 128;

  /** Reused, because a rotation runs for every token and layer. */
  private static final ThreadLocal<float[]> MIXED =
      ThreadLocal.withInitial(() -> new float[MAX_ORDER * MIXED_COLS]);

  private final float[] signs;
  private final int length;
  private final int order;
  private final int power;
  private final float[] mixing; // H_m / √m
  private final float[] unmixing; // its transpose
  private final Kernels kernels;

  private Rotation(int length, float[] signs, int order, int power) {
    this.length = length;
    this.signs = signs;
    this.order = order;
    this.power = power;
    this.mixing = new float[order * order];
    this.unmixing = new float[order * order];
    setMixing();
    this.kernels = Kernels.best();
  }

  private void setMixing() {
    float[] hadamard = order == 1 ? new float[] {1} : HadamardMatrix.ofOrder(order);
    float scale = (float) (1 / Math.sqrt(order));
    for (int i = 0; i < order; i++) {
      for (int j = 0; j < order; j++) {
        mixing[i * order + j] = hadamard[i * order + j] * scale;
        unmixing[j * order + i] = hadamard[i * order + j] * scale;
      }
    }
  }

  /**
   * Which input of a layer a rotation belongs to; maps that read the same input share it. The order
   * is part of the format: append only.
   */
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
    /** The QJL residual's second rotation: see {@link #residual}. */
    RESIDUAL,
    /** The latent of the queries in latent attention. */
    QUERY_LATENT
  }

  /** The identity; {@link #apply} does nothing. */
  public static Rotation none(int length) {
    return new Rotation(length, new float[0], 1, 1);
  }

  /**
   * The rotation that seed, layer and input determine; equal arguments give equal rotations.
   *
   * @param layer −1 for embedding and head
   */
  public static Rotation hadamard(long seed, int layer, Input input, int length) {
    return of(CounterRandom.key(seed, layer, input.ordinal()), length);
  }

  /** The second rotation, for the QJL residual of maps that read this input. */
  public static Rotation residual(long seed, int layer, Input input, int length) {
    return of(CounterRandom.key(seed, layer, input.ordinal(), Input.RESIDUAL.ordinal()), length);
  }

  private static Rotation of(long key, int length) {
    float[] signs = new float[length];
    for (int i = 0; i < length; i++) {
      boolean negative = (CounterRandom.word(key, i / Long.SIZE) >>> (i % Long.SIZE) & 1) != 0;
      signs[i] = negative ? -1 : 1;
    }
    int bestOrder = 1;
    int bestPower = 1;
    for (int order : ORDERS) {
      if (length % order == 0) {
        int power = Integer.lowestOneBit(length / order);
        if (order * power > bestOrder * bestPower) {
          bestOrder = order;
          bestPower = power;
        }
      }
    }
    return new Rotation(length, signs, bestOrder, bestPower);
  }

  public boolean isNone() {
    return signs.length == 0;
  }

  public int length() {
    return length;
  }

  /** Length of a diagonal block; 1 for the identity. */
  public int blockLength() {
    return order * power;
  }

  /** x ← H (s ∘ x), in place in [offset, offset + length). */
  public void apply(float[] x, int offset) {
    if (isNone()) {
      return;
    }
    multiplySigns(x, offset);
    transform(x, offset, false);
  }

  /** x ← s ∘ (Hᵀ x), in place: undoes {@link #apply}. */
  public void invert(float[] x, int offset) {
    if (isNone()) {
      return;
    }
    transform(x, offset, true);
    multiplySigns(x, offset);
  }

  private void multiplySigns(float[] x, int offset) {
    for (int i = 0; i < length; i++) {
      x[offset + i] *= signs[i];
    }
  }

  /** H_(2^k) within each run of 2^k, then H_m across the runs of a block; the two commute. */
  private void transform(float[] x, int offset, boolean transposed) {
    if (power > 1) {
      for (int run = 0; run < length; run += power) {
        kernels.hadamard(x, offset + run, power);
      }
    }
    if (order > 1) {
      for (int block = 0; block < length; block += order * power) {
        mix(x, offset + block, transposed);
      }
    }
  }

  /**
   * H_m across the runs of one block, some columns of the runs at a time so that the copy stays
   * small.
   */
  private void mix(float[] x, int offset, boolean transposed) {
    float[] weights = transposed ? unmixing : mixing;
    float[] mixed = MIXED.get();
    for (int first = 0; first < power; first += MIXED_COLS) {
      int cols = Math.min(MIXED_COLS, power - first);
      kernels.combine(weights, order, x, offset + first, power, mixed, MIXED_COLS, cols);
      for (int i = 0; i < order; i++) {
        System.arraycopy(mixed, i * MIXED_COLS, x, offset + i * power + first, cols);
      }
    }
  }
}
