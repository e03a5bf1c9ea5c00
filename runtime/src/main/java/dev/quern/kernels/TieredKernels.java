package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.RUN_COLS;
import static dev.quern.kernels.TileLayout.STRIP_COLS;
import static dev.quern.kernels.TileLayout.TILE_ROWS;
import static dev.quern.kernels.VectorGroups.GROUP_STRIDE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * {@link LaneKernels}, and of {@link VectorKernels} what the JVM has compiled: for processes that
 * have just begun. Both give the same bits, so it does not matter when one follows the other.
 */
final class TieredKernels implements Kernels {
  /**
   * Multiplications of a product that takes plain loops a millisecond. Where one is larger, many
   * are, and what comes is left to vectors: doing that has them compiled soonest.
   */
  private static final long LARGE = 1 << 18;

  /** Of a rehearsal's matrix: two strips and some of a third. */
  private static final int COLUMNS = 2 * STRIP_COLS + RUN_COLS;

  /** Enough to be prefetched; a rehearsal multiplies the first tile. */
  private static final int ROWS = 2048;

  /** Of a batch by table: a group, and one that is left over. */
  private static final int BATCH_VECTORS = TableScratch.GROUP_VECTORS + 1;

  /** Elements of a rehearsal's vector; some are left over by vectors of every width. */
  private static final int LENGTH = 251;

  /** A power of two, and so many runs of 64. */
  private static final int WHOLE_LENGTH = 256;

  private static final int SCALES = TileLayout.Scales.values().length;

  private static final int MAX_BITS = Byte.SIZE;

  private static TieredKernels ofProcess; // null until asked for

  private final LaneKernels plain = new LaneKernels();
  private final VectorKernels vectors = new VectorKernels();
  private final Rehearsals rehearsals = new Rehearsals(plain, vectors);

  // What rehearsals read and write; one runs at a time. Zeros stay so.
  private final float[] ones = new float[BATCH_VECTORS * COLUMNS];
  private final float[] zeros = new float[GROUP_STRIDE * COLUMNS];
  private final float[] out = new float[GROUP_STRIDE * COLUMNS];
  private final float[] weights = new float[WHOLE_LENGTH];
  private final short[] halves = new short[HalfPanel.LEAD + TILE_ROWS * TILE_ROWS];

  // Which ones there are depends on bits, elements of matrices and sizes of groups.
  private final Rehearsals.Part[] dense = new Rehearsals.Part[Matrix.Element.values().length];
  private final Rehearsals.Part[] denseTiles = new Rehearsals.Part[dense.length];
  private final Rehearsals.Part[] packed = new Rehearsals.Part[(MAX_BITS + 1) * SCALES];
  private final Rehearsals.Part[] packedTiles = new Rehearsals.Part[(MAX_BITS + 1) * SCALES];
  private final Rehearsals.Part[] levels = new Rehearsals.Part[(MAX_BITS + 1) * SCALES];
  private final Rehearsals.Part[] tables = new Rehearsals.Part[(MAX_BITS + 1) * SCALES];
  private final Rehearsals.Part[] batches = new Rehearsals.Part[(MAX_BITS + 1) * SCALES];
  private final Rehearsals.Part[] panels = new Rehearsals.Part[GROUP_STRIDE + 1];
  private final Rehearsals.Part[] halfPanels = new Rehearsals.Part[GROUP_STRIDE + 1];

  private final Rehearsals.Part hadamard = part(k -> k.hadamard(zeros, 0, WHOLE_LENGTH));
  private final Rehearsals.Part group =
      part(k -> k.group(zeros, 0, LENGTH, GROUP_STRIDE, LENGTH, out, 0));
  private final Rehearsals.Part widen =
      part(k -> k.widen(halves, HalfPanel.LEAD, TILE_ROWS, TILE_ROWS, out));
  private final Rehearsals.Part transpose = part(k -> k.transpose(zeros, 0, out, 0));
  private final Rehearsals.Part deltaStep =
      part(k -> k.deltaStep(zeros, TILE_ROWS, 1, 1, zeros, 0, TILE_ROWS, weights, out));
  private final Rehearsals.Part dot = part(k -> k.dot(zeros, 0, out, 0, LENGTH));
  private final Rehearsals.Part combine =
      part(k -> k.combine(zeros, 4, zeros, 0, LENGTH, out, LENGTH, LENGTH));
  private final Rehearsals.Part axpy = part(k -> k.axpy(1, zeros, 0, out, 0, LENGTH));
  private final Rehearsals.Part multiplyAdd =
      part(k -> k.multiplyAdd(zeros, 0, zeros, 0, out, 0, LENGTH));
  private final Rehearsals.Part scale = part(k -> k.scale(1, zeros, 0, LENGTH));
  private final Rehearsals.Part rmsNorm = part(k -> k.rmsNorm(zeros, 0, zeros, 1, out, 0, LENGTH));
  private final Rehearsals.Part runs =
      part(k -> {
        float max = k.maxOfRuns(weights, 0, TILE_ROWS, WHOLE_LENGTH / TILE_ROWS);
        k.exponentials(weights, 0, TILE_ROWS, WHOLE_LENGTH / TILE_ROWS, max, 1);
      });
  private final Rehearsals.Part softmax = part(k -> k.softmax(weights, 0, LENGTH));
  private final Rehearsals.Part sigmoidGate = part(k -> k.sigmoidGate(zeros, 0, zeros, 0, LENGTH));
  private final Rehearsals.Part swiGlu = part(k -> k.swiGlu(zeros, 0, zeros, 0, LENGTH));
  private final Rehearsals.Part clampedSwiGlu =
      part(k -> k.clampedSwiGlu(zeros, 0, zeros, 0, LENGTH, 1, 1));

  /** What is compiled, is so for all that runs in this process. */
  static synchronized TieredKernels ofProcess() {
    if (ofProcess == null) {
      ofProcess = new TieredKernels(Duration.ofMillis(400));
    }
    return ofProcess;
  }

  /**
   * @param headStart of plain loops before rehearsals
   */
  TieredKernels(Duration headStart) {
    Arrays.fill(ones, 1);
    rehearsals.beginAfter(headStart);
  }

  /** Whether plain loops are done with. */
  boolean vectorsOnly() {
    return rehearsals.ended();
  }

  private Rehearsals.Part part(Consumer<Kernels> call) {
    return rehearsals.part(call);
  }

  @Override
  public void hadamard(float[] x, int offset, int n) {
    hadamard.kernels().hadamard(x, offset, n);
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
    Rehearsals.Part part =
        switch (w) {
          case Matrix.Dense d -> part(dense, d.element().ordinal(), () -> gemv(sample(d)));
          case Matrix.Packed p -> part(packed, index(p), () -> gemv(sample(p)));
        };
    part.kernels().gemv(w, firstTile, endTile, x, xOffset, y, yOffset);
  }

  private Consumer<Kernels> gemv(Matrix.InPlace sample) {
    return k -> k.gemv(sample, 0, 1, ones, 0, out, 0);
  }

  @Override
  public void multiplyLevels(Matrix.Packed w, float[] x, int xOffset, ProductTable table) {
    part(levels, index(w), () -> multiplyLevels(sample(w)))
        .kernels()
        .multiplyLevels(w, x, xOffset, table);
  }

  private Consumer<Kernels> multiplyLevels(Matrix.Packed sample) {
    ProductTable table = new ProductTable();
    return k -> k.multiplyLevels(sample, ones, 0, table);
  }

  @Override
  public void gemv(
      Matrix.Packed w, int firstTile, int endTile, ProductTable x, float[] y, int yOffset) {
    look(w, firstTile, endTile, 1);
    part(tables, index(w), () -> multiplyTable(sample(w)))
        .kernels()
        .gemv(w, firstTile, endTile, x, y, yOffset);
  }

  private Consumer<Kernels> multiplyTable(Matrix.Packed sample) {
    ProductTable table = new ProductTable();
    plain.multiplyLevels(sample, ones, 0, table);
    return k -> k.gemv(sample, 0, 1, table, out, 0);
  }

  @Override
  public void multiplyByTable(
      TableBatch batch, int firstTile, int endTile, int firstVector, int endVector) {
    Matrix.Packed w = batch.matrix(firstTile);
    look(w, firstTile, endTile, endVector - firstVector);
    part(batches, index(w), () -> multiplyBatch(sample(w)))
        .kernels()
        .multiplyByTable(batch, firstTile, endTile, firstVector, endVector);
  }

  private Consumer<Kernels> multiplyBatch(Matrix.Packed sample) {
    TableBatch batch = new TableBatch();
    batch.start(ones, 0, COLUMNS, BATCH_VECTORS);
    batch.add(sample, out, 0, TILE_ROWS);
    return k -> k.multiplyByTable(batch, 0, 1, 0, BATCH_VECTORS);
  }

  /** At the size of a product. */
  private void look(Matrix w, int firstTile, int endTile, int count) {
    if ((long) (endTile - firstTile) * TILE_ROWS * w.cols() * count > LARGE) {
      rehearsals.end();
    }
  }

  @Override
  public int maxTableVectors() {
    return vectors.maxTableVectors();
  }

  @Override
  public void dequantize(Matrix.InPlace w, int tile, int firstCol, int endCol, float[] panel) {
    Rehearsals.Part part =
        switch (w) {
          case Matrix.Dense d ->
              part(denseTiles, d.element().ordinal(), () -> dequantize(sample(d)));
          case Matrix.Packed p -> part(packedTiles, index(p), () -> dequantize(sample(p)));
        };
    part.kernels().dequantize(w, tile, firstCol, endCol, panel);
  }

  private Consumer<Kernels> dequantize(Matrix.InPlace sample) {
    return k -> k.dequantize(sample, 0, 0, TILE_ROWS, out);
  }

  @Override
  public int groupVectors() {
    return vectors.groupVectors();
  }

  @Override
  public void group(
      float[] x, int xOffset, int xStride, int count, int columns, float[] grouped, int at) {
    group.kernels().group(x, xOffset, xStride, count, columns, grouped, at);
  }

  @Override
  public void multiplyPanel(
      float[] panel, int columns, int count, float[] x, int xOffset, float[] sums, int sumsOffset) {
    part(panels, count, () -> k -> k.multiplyPanel(zeros, TILE_ROWS, count, zeros, 0, out, 0))
        .kernels()
        .multiplyPanel(panel, columns, count, x, xOffset, sums, sumsOffset);
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
    part(halfPanels, count, () -> multiplyHalves(count))
        .kernels()
        .multiplyHalves(panel, offset, stride, columns, count, x, xOffset, sums, sumsOffset);
  }

  private Consumer<Kernels> multiplyHalves(int count) {
    int lead = HalfPanel.LEAD;
    return k -> k.multiplyHalves(halves, lead, TILE_ROWS, TILE_ROWS, count, zeros, 0, out, 0);
  }

  @Override
  public boolean prefersHalves() {
    return vectors.prefersHalves();
  }

  @Override
  public void widen(short[] panel, int offset, int stride, int columns, float[] widened) {
    widen.kernels().widen(panel, offset, stride, columns, widened);
  }

  @Override
  public void transpose(float[] x, int xOffset, float[] transposed, int at) {
    transpose.kernels().transpose(x, xOffset, transposed, at);
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
    deltaStep.kernels().deltaStep(memory, keyDim, decay, beta, x, query, key, values, read);
  }

  @Override
  public float dot(float[] a, int aOffset, float[] b, int bOffset, int n) {
    return dot.kernels().dot(a, aOffset, b, bOffset, n);
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
    combine.kernels().combine(factors, count, x, xOffset, xStride, y, yStride, n);
  }

  @Override
  public void axpy(float factor, float[] x, int xOffset, float[] y, int yOffset, int n) {
    axpy.kernels().axpy(factor, x, xOffset, y, yOffset, n);
  }

  @Override
  public void multiplyAdd(
      float[] a, int aOffset, float[] x, int xOffset, float[] y, int yOffset, int n) {
    multiplyAdd.kernels().multiplyAdd(a, aOffset, x, xOffset, y, yOffset, n);
  }

  @Override
  public void scale(float factor, float[] x, int offset, int n) {
    scale.kernels().scale(factor, x, offset, n);
  }

  @Override
  public void rmsNorm(
      float[] x, int xOffset, float[] weight, float epsilon, float[] normed, int at, int n) {
    rmsNorm.kernels().rmsNorm(x, xOffset, weight, epsilon, normed, at, n);
  }

  @Override
  public float maxOfRuns(float[] x, int offset, int stride, int count) {
    return runs.kernels().maxOfRuns(x, offset, stride, count);
  }

  @Override
  public float exponentials(float[] x, int offset, int stride, int count, float max, float factor) {
    return runs.kernels().exponentials(x, offset, stride, count, max, factor);
  }

  @Override
  public void softmax(float[] x, int offset, int n) {
    softmax.kernels().softmax(x, offset, n);
  }

  @Override
  public void sigmoidGate(float[] gate, int gateOffset, float[] x, int xOffset, int n) {
    sigmoidGate.kernels().sigmoidGate(gate, gateOffset, x, xOffset, n);
  }

  @Override
  public void swiGlu(float[] gate, int gateOffset, float[] up, int upOffset, int n) {
    swiGlu.kernels().swiGlu(gate, gateOffset, up, upOffset, n);
  }

  @Override
  public void clampedSwiGlu(
      float[] gate, int gateOffset, float[] up, int upOffset, int n, float limit, float alpha) {
    clampedSwiGlu.kernels().clampedSwiGlu(gate, gateOffset, up, upOffset, n, limit, alpha);
  }

  private Rehearsals.Part part(
      Rehearsals.Part[] parts, int index, Supplier<Consumer<Kernels>> call) {
    Rehearsals.Part part = parts[index];
    return part != null ? part : add(parts, index, call);
  }

  private synchronized Rehearsals.Part add(
      Rehearsals.Part[] parts, int index, Supplier<Consumer<Kernels>> call) {
    if (parts[index] == null) {
      parts[index] = part(call.get());
    }
    return parts[index];
  }

  private static int index(Matrix.Packed w) {
    return w.layout().bits() * SCALES + w.layout().scales().ordinal();
  }

  private static Matrix.Dense sample(Matrix.Dense w) {
    long bytes = (long) TILE_ROWS * COLUMNS * w.element().bytes();
    return new Matrix.Dense(w.element(), TILE_ROWS, COLUMNS, zeros(bytes));
  }

  /** A matrix of zeros in the layout of another. */
  private static Matrix.Packed sample(Matrix.Packed w) {
    TileLayout of = w.layout();
    TileLayout layout =
        new TileLayout(
            ROWS, COLUMNS, of.bits(), of.scales(), of.groupSize(), of.offsets(), of.factorRows());
    return new Matrix.Packed(layout, zeros(layout.bytes()), w.codebook(), w.scaleTable());
  }

  private static MemorySegment zeros(long bytes) {
    return Arena.ofAuto().allocate(bytes, ProductTable.ALIGNMENT);
  }
}
