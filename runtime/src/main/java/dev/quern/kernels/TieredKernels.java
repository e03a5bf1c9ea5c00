package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.STRIP_COLS;
import static dev.quern.kernels.TileLayout.TILE_ROWS;
import static dev.quern.kernels.VectorGroups.GROUP_STRIDE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.function.Consumer;

/**
 * {@link LaneKernels}, and of {@link VectorKernels} what the JVM has compiled: for processes that
 * have just begun. Both give the same bits, so it does not matter when one follows the other.
 */
final class TieredKernels implements Kernels {
  /** What is compiled, is so for all that runs in this process. */
  static final TieredKernels OF_PROCESS = new TieredKernels(Duration.ofMillis(300));

  /**
   * Multiplications of a product that takes plain loops a millisecond. Where one is larger, many
   * are, and what comes is left to vectors: doing that has them compiled soonest.
   */
  private static final long LARGE = 1 << 18;

  /** Of a rehearsal's matrix: two strips. */
  private static final int COLUMNS = 2 * STRIP_COLS;

  /** Enough to be prefetched; a rehearsal multiplies the first tile. */
  private static final int ROWS = 2048;

  /** Of a batch by table: a group, and one that is left over. */
  private static final int BATCH_VECTORS = TableScratch.GROUP_VECTORS + 1;

  /** Elements of a rehearsal's vector. */
  private static final int LENGTH = 256;

  private static final int MAX_BITS = Byte.SIZE;

  private final LaneKernels plain = new LaneKernels();
  private final VectorKernels vectors = new VectorKernels();
  private final Rehearsals rehearsals = new Rehearsals(plain, vectors);

  // What rehearsals read and write; one runs at a time.
  private final float[] zeros = new float[GROUP_STRIDE * COLUMNS];
  private final float[] out = new float[GROUP_STRIDE * COLUMNS];
  private final float[] weights = new float[LENGTH];
  private final short[] halves = new short[HalfPanel.LEAD + TILE_ROWS * TILE_ROWS];

  // Which ones there are depends on bits, elements of matrices and sizes of groups.
  private final Rehearsals.Part[] dense = new Rehearsals.Part[Matrix.Element.values().length];
  private final Rehearsals.Part[] denseTiles = new Rehearsals.Part[dense.length];
  private final Rehearsals.Part[] packed = new Rehearsals.Part[MAX_BITS + 1];
  private final Rehearsals.Part[] packedTiles = new Rehearsals.Part[MAX_BITS + 1];
  private final Rehearsals.Part[] levels = new Rehearsals.Part[MAX_BITS + 1];
  private final Rehearsals.Part[] tables = new Rehearsals.Part[MAX_BITS + 1];
  private final Rehearsals.Part[] batches = new Rehearsals.Part[MAX_BITS + 1];
  private final Rehearsals.Part[] panels = new Rehearsals.Part[GROUP_STRIDE + 1];
  private final Rehearsals.Part[] halfPanels = new Rehearsals.Part[GROUP_STRIDE + 1];

  private final Rehearsals.Part hadamard = part(k -> k.hadamard(zeros, 0, LENGTH));
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
        float max = k.maxOfRuns(weights, 0, TILE_ROWS, LENGTH / TILE_ROWS);
        k.exponentials(weights, 0, TILE_ROWS, LENGTH / TILE_ROWS, max, 1);
      });
  private final Rehearsals.Part softmax = part(k -> k.softmax(weights, 0, LENGTH));
  private final Rehearsals.Part sigmoidGate = part(k -> k.sigmoidGate(zeros, 0, zeros, 0, LENGTH));
  private final Rehearsals.Part swiGlu = part(k -> k.swiGlu(zeros, 0, zeros, 0, LENGTH));
  private final Rehearsals.Part clampedSwiGlu =
      part(k -> k.clampedSwiGlu(zeros, 0, zeros, 0, LENGTH, 1, 1));

  /**
   * @param headStart of plain loops before rehearsals
   */
  TieredKernels(Duration headStart) {
    rehearsals.beginAfter(headStart);
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
          case Matrix.Dense d -> {
            int i = d.element().ordinal();
            yield dense[i] != null ? dense[i] : add(dense, i, gemv(sample(d.element())));
          }
          case Matrix.Packed p -> {
            int bits = p.layout().bits();
            yield packed[bits] != null ? packed[bits] : add(packed, bits, gemv(sample(p)));
          }
        };
    part.kernels().gemv(w, firstTile, endTile, x, xOffset, y, yOffset);
  }

  private Consumer<Kernels> gemv(Matrix.InPlace sample) {
    return k -> k.gemv(sample, 0, 1, zeros, 0, out, 0);
  }

  @Override
  public void multiplyLevels(Matrix.Packed w, float[] x, int xOffset, ProductTable table) {
    int bits = w.layout().bits();
    Rehearsals.Part part = levels[bits];
    if (part == null) {
      Matrix.Packed sample = sample(w);
      ProductTable of = new ProductTable();
      part = add(levels, bits, k -> k.multiplyLevels(sample, zeros, 0, of));
    }
    part.kernels().multiplyLevels(w, x, xOffset, table);
  }

  @Override
  public void gemv(
      Matrix.Packed w, int firstTile, int endTile, ProductTable x, float[] y, int yOffset) {
    look(w, firstTile, endTile, 1);
    int bits = w.layout().bits();
    Rehearsals.Part part = tables[bits];
    if (part == null) {
      Matrix.Packed sample = sample(w);
      ProductTable of = new ProductTable();
      plain.multiplyLevels(sample, zeros, 0, of);
      part = add(tables, bits, k -> k.gemv(sample, 0, 1, of, out, 0));
    }
    part.kernels().gemv(w, firstTile, endTile, x, y, yOffset);
  }

  @Override
  public void multiplyByTable(
      TableBatch batch, int firstTile, int endTile, int firstVector, int endVector) {
    Matrix.Packed w = batch.matrix(firstTile);
    look(w, firstTile, endTile, endVector - firstVector);
    int bits = w.layout().bits();
    Rehearsals.Part part = batches[bits];
    if (part == null) {
      TableBatch of = new TableBatch();
      of.start(zeros, 0, COLUMNS, BATCH_VECTORS);
      of.add(sample(w), out, 0, TILE_ROWS);
      part = add(batches, bits, k -> k.multiplyByTable(of, 0, 1, 0, BATCH_VECTORS));
    }
    part.kernels().multiplyByTable(batch, firstTile, endTile, firstVector, endVector);
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
          case Matrix.Dense d -> {
            int i = d.element().ordinal();
            yield denseTiles[i] != null
                ? denseTiles[i]
                : add(denseTiles, i, dequantize(sample(d.element())));
          }
          case Matrix.Packed p -> {
            int bits = p.layout().bits();
            yield packedTiles[bits] != null
                ? packedTiles[bits]
                : add(packedTiles, bits, dequantize(sample(p)));
          }
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
    Rehearsals.Part part = panels[count];
    if (part == null) {
      part = add(panels, count, k -> k.multiplyPanel(zeros, TILE_ROWS, count, zeros, 0, out, 0));
    }
    part.kernels().multiplyPanel(panel, columns, count, x, xOffset, sums, sumsOffset);
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
    Rehearsals.Part part = halfPanels[count];
    if (part == null) {
      part =
          add(
              halfPanels,
              count,
              k ->
                  k.multiplyHalves(
                      halves, HalfPanel.LEAD, TILE_ROWS, TILE_ROWS, count, zeros, 0, out, 0));
    }
    part.kernels()
        .multiplyHalves(panel, offset, stride, columns, count, x, xOffset, sums, sumsOffset);
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

  private synchronized Rehearsals.Part add(
      Rehearsals.Part[] parts, int index, Consumer<Kernels> call) {
    if (parts[index] == null) {
      parts[index] = part(call);
    }
    return parts[index];
  }

  private static Matrix.Dense sample(Matrix.Element element) {
    long bytes = (long) TILE_ROWS * COLUMNS * element.bytes();
    return new Matrix.Dense(element, TILE_ROWS, COLUMNS, zeros(bytes));
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
