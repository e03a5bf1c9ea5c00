package dev.quern.kernels;

import static dev.quern.kernels.Lanes.COUNT;
import static dev.quern.kernels.TileLayout.TILE_ROWS;

import jdk.incubator.vector.FloatVector;

/** Dequantized panels times batches of vectors, {@link Kernels#multiplyPanel}. */
final class PanelVectors {
  /**
   * Vectors by lanes held in registers: 6 x 2. Twelve accumulators hide the latency of the
   * multiply-add and leave room in 16 registers, so one shape serves every width.
   */
  static final int VECTORS = 6;

  private static final int LANE_ROWS = 2 * COUNT;

  private PanelVectors() {}

  static void multiply(
      float[] panel, int columns, float[] x, int xOffset, int xStride, int vectors, float[] sums) {
    for (int t = 0; t < vectors; t += VECTORS) {
      // A last group of fewer repeats its last vector, which then is written more than once.
      int last = Math.min(VECTORS, vectors - t) - 1;
      for (int row = 0; row < TILE_ROWS; row += LANE_ROWS) {
        multiplyGroup(
            panel, row, columns, x, xOffset + t * xStride, xStride, last, sums, t * TILE_ROWS);
      }
    }
  }

  private static void multiplyGroup(
      float[] panel,
      int row,
      int columns,
      float[] x,
      int x0,
      int xStride,
      int last,
      float[] sums,
      int sumsAt) {
    int at = sumsAt + row;
    int t1 = Math.min(1, last);
    int t2 = Math.min(2, last);
    int t3 = Math.min(3, last);
    int t4 = Math.min(4, last);
    int t5 = Math.min(5, last);
    int x1 = x0 + t1 * xStride;
    int x2 = x0 + t2 * xStride;
    int x3 = x0 + t3 * xStride;
    int x4 = x0 + t4 * xStride;
    int x5 = x0 + t5 * xStride;
    FloatVector a0 = load(sums, at);
    FloatVector b0 = load(sums, at + COUNT);
    FloatVector a1 = load(sums, at + t1 * TILE_ROWS);
    FloatVector b1 = load(sums, at + t1 * TILE_ROWS + COUNT);
    FloatVector a2 = load(sums, at + t2 * TILE_ROWS);
    FloatVector b2 = load(sums, at + t2 * TILE_ROWS + COUNT);
    FloatVector a3 = load(sums, at + t3 * TILE_ROWS);
    FloatVector b3 = load(sums, at + t3 * TILE_ROWS + COUNT);
    FloatVector a4 = load(sums, at + t4 * TILE_ROWS);
    FloatVector b4 = load(sums, at + t4 * TILE_ROWS + COUNT);
    FloatVector a5 = load(sums, at + t5 * TILE_ROWS);
    FloatVector b5 = load(sums, at + t5 * TILE_ROWS + COUNT);
    for (int c = 0; c < columns; c++) {
      FloatVector a = load(panel, c * TILE_ROWS + row);
      FloatVector b = load(panel, c * TILE_ROWS + row + COUNT);
      FloatVector y = FloatVector.broadcast(Lanes.FLOATS, x[x0 + c]);
      a0 = a.fma(y, a0);
      b0 = b.fma(y, b0);
      y = FloatVector.broadcast(Lanes.FLOATS, x[x1 + c]);
      a1 = a.fma(y, a1);
      b1 = b.fma(y, b1);
      y = FloatVector.broadcast(Lanes.FLOATS, x[x2 + c]);
      a2 = a.fma(y, a2);
      b2 = b.fma(y, b2);
      y = FloatVector.broadcast(Lanes.FLOATS, x[x3 + c]);
      a3 = a.fma(y, a3);
      b3 = b.fma(y, b3);
      y = FloatVector.broadcast(Lanes.FLOATS, x[x4 + c]);
      a4 = a.fma(y, a4);
      b4 = b.fma(y, b4);
      y = FloatVector.broadcast(Lanes.FLOATS, x[x5 + c]);
      a5 = a.fma(y, a5);
      b5 = b.fma(y, b5);
    }
    a0.intoArray(sums, at);
    b0.intoArray(sums, at + COUNT);
    a1.intoArray(sums, at + t1 * TILE_ROWS);
    b1.intoArray(sums, at + t1 * TILE_ROWS + COUNT);
    a2.intoArray(sums, at + t2 * TILE_ROWS);
    b2.intoArray(sums, at + t2 * TILE_ROWS + COUNT);
    a3.intoArray(sums, at + t3 * TILE_ROWS);
    b3.intoArray(sums, at + t3 * TILE_ROWS + COUNT);
    a4.intoArray(sums, at + t4 * TILE_ROWS);
    b4.intoArray(sums, at + t4 * TILE_ROWS + COUNT);
    a5.intoArray(sums, at + t5 * TILE_ROWS);
    b5.intoArray(sums, at + t5 * TILE_ROWS + COUNT);
  }

  private static FloatVector load(float[] from, int at) {
    return FloatVector.fromArray(Lanes.FLOATS, from, at);
  }
}
