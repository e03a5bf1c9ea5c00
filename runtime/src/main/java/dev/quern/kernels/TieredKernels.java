package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.TILE_ROWS;

import java.time.Duration;

/**
 * {@link LaneKernels} at first, {@link VectorKernels} from then on: for processes that have just
 * begun. Both give the same bits, so it does not matter when one follows the other, in the middle
 * of a prompt or in another thread a little later.
 */
final class TieredKernels implements Kernels {
  /** From the first call on: the first tokens of a small model. */
  private static final Duration PLAIN = Duration.ofMillis(400);

  /**
   * Multiplications of a product that takes plain loops a millisecond. Where one is larger, many
   * are, and what comes is left to vectors: doing that has them compiled soonest.
   */
  private static final long LARGE = 1 << 18;

  private static TieredKernels ofProcess; // null until asked for

  private final LaneKernels plain = new LaneKernels();
  private final VectorKernels vectors = new VectorKernels();
  private final long plainNanos;
  private volatile long end; // of plain loops; 0 before the first call
  private volatile boolean ended;

  /** What is compiled, is so for all that runs in this process. */
  static synchronized TieredKernels ofProcess() {
    if (ofProcess == null) {
      ofProcess = new TieredKernels(PLAIN);
    }
    return ofProcess;
  }

  /**
   * @param plain how long plain loops compute, from the first call on
   */
  TieredKernels(Duration plain) {
    plainNanos = plain.toNanos();
  }

  private Kernels kernels() {
    if (ended) {
      return vectors;
    }
    long now = System.nanoTime();
    if (end == 0) {
      end = now + plainNanos;
    } else if (now - end >= 0) {
      ended = true;
    }
    return plain;
  }

  /** Whether plain loops are done with. */
  boolean ended() {
    return ended;
  }

  /** At the size of a product. */
  private void look(Matrix w, int firstTile, int endTile, int count) {
    if ((long) (endTile - firstTile) * TILE_ROWS * w.cols() * count > LARGE) {
      ended = true;
    }
  }

  @Override
  public void hadamard(float[] x, int offset, int n) {
    kernels().hadamard(x, offset, n);
  }

  @Override
  public void gemv(
      Matrix.InPlace w,
      int firstTile,
      int endTile,
      float[] x,
      int xOffset,
      float[] y,
      int yOffset) {
    look(w, firstTile, endTile, 1);
    kernels().gemv(w, firstTile, endTile, x, xOffset, y, yOffset);
  }

  @Override
  public void multiplyLevels(Matrix.Packed w, float[] x, int xOffset, ProductTable table) {
    kernels().multiplyLevels(w, x, xOffset, table);
  }

  @Override
  public void gemv(
      Matrix.Packed w, int firstTile, int endTile, ProductTable x, float[] y, int yOffset) {
    look(w, firstTile, endTile, 1);
    kernels().gemv(w, firstTile, endTile, x, y, yOffset);
  }

  @Override
  public void multiplyByTable(
      TableBatch batch, int firstTile, int endTile, int firstVector, int endVector) {
    Matrix.Packed w = batch.matrix(firstTile);
    look(w, firstTile, endTile, endVector - firstVector);
    kernels().multiplyByTable(batch, firstTile, endTile, firstVector, endVector);
  }

  @Override
  public int maxTableVectors() {
    return vectors.maxTableVectors();
  }

  @Override
  public void dequantize(Matrix.InPlace w, int tile, int firstCol, int endCol, float[] panel) {
    kernels().dequantize(w, tile, firstCol, endCol, panel);
  }

  @Override
  public int groupVectors() {
    return vectors.groupVectors();
  }

  @Override
  public void group(
      float[] x, int xOffset, int xStride, int count, int columns, float[] grouped, int at) {
    kernels().group(x, xOffset, xStride, count, columns, grouped, at);
  }

  @Override
  public void multiplyPanel(
      float[] panel, int columns, int count, float[] x, int xOffset, float[] sums, int sumsOffset) {
    kernels().multiplyPanel(panel, columns, count, x, xOffset, sums, sumsOffset);
  }

  @Override
  public void multiplyHalves(
      short[] panel,
      int offset,
      int stride,
      int columns,
      int count,
      float[] x,
      int xOffset,
      float[] sums,
      int sumsOffset) {
    kernels().multiplyHalves(panel, offset, stride, columns, count, x, xOffset, sums, sumsOffset);
  }

  @Override
  public boolean prefersHalves() {
    return vectors.prefersHalves();
  }

  @Override
  public void widen(short[] panel, int offset, int stride, int columns, float[] widened) {
    kernels().widen(panel, offset, stride, columns, widened);
  }

  @Override
  public void transpose(float[] x, int xOffset, float[] transposed, int at) {
    kernels().transpose(x, xOffset, transposed, at);
  }

  @Override
  public void deltaStep(
      float[] memory,
      int keyDim,
      float decay,
      float beta,
      float[] x,
      int query,
      int key,
      float[] values,
      float[] read) {
    kernels().deltaStep(memory, keyDim, decay, beta, x, query, key, values, read);
  }

  @Override
  public float dot(float[] a, int aOffset, float[] b, int bOffset, int n) {
    return kernels().dot(a, aOffset, b, bOffset, n);
  }

  @Override
  public void combine(
      float[] factors,
      int count,
      float[] x,
      int xOffset,
      int xStride,
      float[] y,
      int yStride,
      int n) {
    kernels().combine(factors, count, x, xOffset, xStride, y, yStride, n);
  }

  @Override
  public void axpy(float factor, float[] x, int xOffset, float[] y, int yOffset, int n) {
    kernels().axpy(factor, x, xOffset, y, yOffset, n);
  }

  @Override
  public void multiplyAdd(
      float[] a, int aOffset, float[] x, int xOffset, float[] y, int yOffset, int n) {
    kernels().multiplyAdd(a, aOffset, x, xOffset, y, yOffset, n);
  }

  @Override
  public void scale(float factor, float[] x, int offset, int n) {
    kernels().scale(factor, x, offset, n);
  }

  @Override
  public void rmsNorm(
      float[] x, int xOffset, float[] weight, float epsilon, float[] normed, int at, int n) {
    kernels().rmsNorm(x, xOffset, weight, epsilon, normed, at, n);
  }

  @Override
  public float maxOfRuns(float[] x, int offset, int stride, int count) {
    return kernels().maxOfRuns(x, offset, stride, count);
  }

  @Override
  public float exponentials(float[] x, int offset, int stride, int count, float max, float factor) {
    return kernels().exponentials(x, offset, stride, count, max, factor);
  }

  @Override
  public void softmax(float[] x, int offset, int n) {
    kernels().softmax(x, offset, n);
  }

  @Override
  public void sigmoidGate(float[] gate, int gateOffset, float[] x, int xOffset, int n) {
    kernels().sigmoidGate(gate, gateOffset, x, xOffset, n);
  }

  @Override
  public void swiGlu(float[] gate, int gateOffset, float[] up, int upOffset, int n) {
    kernels().swiGlu(gate, gateOffset, up, upOffset, n);
  }

  @Override
  public void clampedSwiGlu(
      float[] gate, int gateOffset, float[] up, int upOffset, int n, float limit, float alpha) {
    kernels().clampedSwiGlu(gate, gateOffset, up, upOffset, n, limit, alpha);
  }
}
