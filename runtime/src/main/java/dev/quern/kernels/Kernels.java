package dev.quern.kernels;

/**
 * The inner loops, each with a scalar definition ({@code ScalarKernels}) and a vector version
 * ({@code VectorKernels}) held equal by tests at every length and vector width.
 *
 * <p>Activations are float32 in heap arrays. Methods write only the ranges they name. Vector
 * kernels allocate nothing once the scratch space of a thread has grown to the shapes in use.
 */
public sealed interface Kernels permits ScalarKernels, TieredKernels, VectorKernels {

  /**
   * Walsh–Hadamard transform in place, x ← H x / √n; orthonormal, so it is its own inverse.
   *
   * @param n block length in elements, a power of two
   * @throws IllegalArgumentException if n is not a power of two
   */
  void hadamard(float[] x, int offset, int n);

  /**
   * Rows [64·firstTile, min(64·endTile, rows)) of y = W x for one vector.
   *
   * @param x read in [xOffset, xOffset + cols); columns padded beyond cols count as 0
   * @param y written in [yOffset + 64·firstTile, yOffset + min(64·endTile, rows))
   */
  void gemv(
      Matrix.InPlace w, int firstTile, int endTile, float[] x, int xOffset, float[] y, int yOffset);

  /**
   * Fills a table with the products of a vector and the levels of a matrix.
   *
   * @param w a matrix that {@link ProductTable#serves}
   * @param x read in [xOffset, xOffset + cols)
   */
  void multiplyLevels(Matrix.Packed w, float[] x, int xOffset, ProductTable table);

  /**
   * Rows [64·firstTile, min(64·endTile, rows)) of y = W x for the vector of a table. All versions
   * give the same bits: sums over a run are integers, and runs are added in order, each by one
   * fused multiply-add with (scale of the row's group · scale of the run).
   *
   * @param x filled for a matrix with the columns, bits and codebook of w
   * @param y written in [yOffset + 64·firstTile, yOffset + min(64·endTile, rows))
   * @throws IllegalArgumentException from vector kernels, which do not check what they read, if x
   *     is of another matrix
   * @throws IndexOutOfBoundsException if w has no such tiles
   */
  void gemv(Matrix.Packed w, int firstTile, int endTile, ProductTable x, float[] y, int yOffset);

  /**
   * Tiles of all matrices of a batch times some of its vectors, as {@link #multiplyLevels} and
   * {@link #gemv} would multiply each by itself, to the bit.
   *
   * @param batch its tiles [firstTile, endTile) and vectors [firstVector, endVector)
   */
  void multiplyByTable(
      TableBatch batch, int firstTile, int endTile, int firstVector, int endVector);

  /** Up to so many vectors, tables are the faster way to multiply a batch. */
  int maxTableVectors();

  /**
   * Dequantizes columns [firstCol, endCol) of a tile of 64 rows, column by column: panel[64·(c −
   * firstCol) + r]. Rows beyond the matrix are written as 0.
   *
   * @param firstCol a multiple of {@link TileLayout#RUN_COLS}
   * @param endCol at most cols
   */
  void dequantize(Matrix.InPlace w, int tile, int firstCol, int endCol, float[] panel);

  /** The most vectors that {@link #multiplyPanel} takes at once. */
  int groupVectors();

  /**
   * Puts some vectors side by side, as {@link #multiplyPanel} reads them: out[outOffset + 8·c + i]
   * = x[xOffset + i·xStride + c] for i in [0, vectors), c in [0, columns).
   *
   * @param vectors 1 to {@link #groupVectors}
   * @param out written in [outOffset, outOffset + 8 · columns), what belongs to no vector with
   *     anything
   */
  void group(
      float[] x, int xOffset, int xStride, int vectors, int columns, float[] out, int outOffset);

  /**
   * sums[sumsOffset + 64·i + r] += Σ_c panel[64·c + r] · x[xOffset + 8·c + i] for i in [0,
   * vectors), r in [0, 64): a dequantized tile times a group of vectors. A result does not depend
   * on how many vectors there are.
   *
   * @param panel as {@link #dequantize} writes it, 64 · columns values
   * @param vectors 1 to {@link #groupVectors}
   * @param x as {@link #group} writes it
   */
  void multiplyPanel(
      float[] panel,
      int columns,
      int vectors,
      float[] x,
      int xOffset,
      float[] sums,
      int sumsOffset);

  /**
   * The same with a panel of halves: sums[sumsOffset + 64·i + r] += Σ_c 2^-112 · half (c, r) ·
   * x[xOffset + 8·c + i], each product exact; so halves take part without being converted, and
   * vectors times {@link HalfPanel#SCALE} give the bits that {@link #multiplyPanel} gives with the
   * panel widened.
   *
   * @param halves element (c, r) at offset + {@link HalfPanel#index}(stride, c, r), all finite
   * @param offset at least {@link HalfPanel#LEAD}
   * @param stride columns that the panel has room for
   * @param columns the first ones, those that are multiplied
   * @param vectors 1 to {@link #groupVectors}
   * @param x as {@link #group} writes it
   */
  void multiplyHalves(
      short[] halves,
      int offset,
      int stride,
      int columns,
      int vectors,
      float[] x,
      int xOffset,
      float[] sums,
      int sumsOffset);

  /** Whether {@link #multiplyHalves} takes less time than widening first, for a few groups. */
  boolean prefersHalves();

  /**
   * panel[64·c + r] = half (c, r) for the first columns of a panel of halves, as in {@link
   * #multiplyHalves}, but any halves.
   */
  void widen(short[] halves, int offset, int stride, int columns, float[] panel);

  /** out[outOffset + 64·c + r] = x[xOffset + 64·r + c] for r and c in [0, 64). */
  void transpose(float[] x, int xOffset, float[] out, int outOffset);

  /**
   * One token of the gated delta rule (arXiv 2412.06464, eq. 10) for 64 columns of the memory S of
   * a head: S ← decay · S; δ = beta · (v − Sᵀk); S ← S + k δᵀ; out = Sᵀq.
   *
   * @param memory S, [keyDim, 64]
   * @param x holds q at query and k at key, keyDim elements each
   * @param values v in the first 64 elements, replaced by δ
   * @param out written in the first 64 elements
   */
  void deltaStep(
      float[] memory,
      int keyDim,
      float decay,
      float beta,
      float[] x,
      int query,
      int key,
      float[] values,
      float[] out);

  /**
   * Σ a[i] b[i]; the vector version sums in lanes, so it differs from the scalar one by rounding.
   */
  float dot(float[] a, int aOffset, float[] b, int bOffset, int n);

  /**
   * y[yStride·i + c] = Σ_j weights[count·i + j] x[xOffset + xStride·j + c], added in the order of
   * j, for i and j in [0, count), c in [0, n).
   *
   * @param y another array than x
   */
  void combine(
      float[] weights,
      int count,
      float[] x,
      int xOffset,
      int xStride,
      float[] y,
      int yStride,
      int n);

  /** y ← y + scale · x. */
  void axpy(float scale, float[] x, int xOffset, float[] y, int yOffset, int n);

  /** y ← y + a ∘ x, elementwise. */
  void multiplyAdd(float[] a, int aOffset, float[] x, int xOffset, float[] y, int yOffset, int n);

  /** x ← scale · x, in place. */
  void scale(float scale, float[] x, int offset, int n);

  /** out ← x / √(mean(x²) + epsilon) · weight (RMSNorm); out may be x. */
  void rmsNorm(
      float[] x, int xOffset, float[] weight, float epsilon, float[] out, int outOffset, int n);

  /**
   * The largest of x[offset + i·stride .. + 64) for i in [0, runs); −∞ of none.
   *
   * @param stride from 64
   */
  float maxOfRuns(float[] x, int offset, int stride, int runs);

  /**
   * x ← scale · exp(x − max) for the same x, in place; returns Σ exp(x − max). Gives 0 for −∞.
   *
   * @param scale a power of two
   */
  float exponentials(float[] x, int offset, int stride, int runs, float max, float scale);

  /** x ← exp(x − max) / Σ exp(x − max), in place; at least one x must be finite. */
  void softmax(float[] x, int offset, int n);

  /** x ← x / (1 + exp(−gate)), elementwise: what passes a sigmoid gate. SiLU where gate is x. */
  void sigmoidGate(float[] gate, int gateOffset, float[] x, int xOffset, int n);

  /** gate ← silu(gate) · up, elementwise, in place in gate (SwiGLU). */
  void swiGlu(float[] gate, int gateOffset, float[] up, int upOffset, int n);

  /**
   * gate ← (up′ + 1) · gate′ · σ(alpha · gate′) with gate′ = min(gate, limit) and up′ = up clamped
   * to ±limit, elementwise, in place in gate. Source: gpt-oss, gpt_oss/torch/model.py, {@code
   * swiglu}.
   */
  void clampedSwiGlu(
      float[] gate, int gateOffset, float[] up, int upOffset, int n, float limit, float alpha);

  /**
   * The fastest kernels of this machine, scalar where it has no vectors; {@code
   * -Dquern.kernels=scalar|vector} forces one, {@code tiered} gives what vectors give, at first
   * from plain loops, which need not be compiled before; {@code -Dquern.prefetch=on|off|auto} says
   * whether vector kernels prefetch what they read into cache.
   *
   * @throws IllegalArgumentException if a property has another value
   */
  static Kernels best() {
    String choice = System.getProperty("quern.kernels", Lanes.available() ? "vector" : "scalar");
    return switch (choice) {
      case "scalar" -> new ScalarKernels();
      case "vector" -> new VectorKernels();
      case "tiered" -> Lanes.available() ? TieredKernels.ofProcess() : new ScalarKernels();
      default ->
          throw new IllegalArgumentException(
              "-Dquern.kernels: expected scalar, vector or tiered, found " + choice);
    };
  }
}
