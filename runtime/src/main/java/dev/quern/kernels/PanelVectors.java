package dev.quern.kernels;

import static dev.quern.kernels.Lanes.COUNT;
import static dev.quern.kernels.TileLayout.TILE_ROWS;
import static dev.quern.kernels.VectorGroups.GROUP_STRIDE;

import jdk.incubator.vector.FloatVector;

/**
 * Dequantized panels times groups of vectors, {@link Kernels#multiplyPanel}: one body for each size
 * of a group, so that none computes what nobody wants.
 *
 * <p>A body holds 2 lanes' worth of rows for each vector of the group in registers. All bodies add
 * the columns in the same order, so a vector's result does not depend on its group. They are kept
 * out of each other and of their caller, see {@link TileLoops}.
 */
final class PanelVectors {
  /**
   * Vectors of the largest group. With 16 registers, 6 x 2 sums leave room for two lanes of the
   * panel and a vector's element; AVX-512 has 32, and 8 x 2 reads the panel less often (measured as
   * fast as 6 x 4, which would need bodies of its own at other widths).
   */
  static final int MAX_VECTORS = COUNT == 16 ? 8 : 6;

  private static final int LANE_ROWS = 2 * COUNT;

  private PanelVectors() {}

  static void multiply(
      float[] panel, int columns, int vectors, float[] x, int xAt, float[] sums, int sumsAt) {
    for (int row = 0; row < TILE_ROWS; row += LANE_ROWS) {
      int at = sumsAt + row;
      switch (vectors) {
        case 1 -> multiply1(panel, row, columns, x, xAt, sums, at);
        case 2 -> multiply2(panel, row, columns, x, xAt, sums, at);
        case 3 -> multiply3(panel, row, columns, x, xAt, sums, at);
        case 4 -> multiply4(panel, row, columns, x, xAt, sums, at);
        case 5 -> LargePanelGroups.multiply5(panel, row, columns, x, xAt, sums, at);
        case 6 -> LargePanelGroups.multiply6(panel, row, columns, x, xAt, sums, at);
        case 7 -> LargePanelGroups.multiply7(panel, row, columns, x, xAt, sums, at);
        case 8 -> LargePanelGroups.multiply8(panel, row, columns, x, xAt, sums, at);
        default -> throw new IllegalArgumentException("vectors of a group: " + vectors);
      }
    }
  }

  private static void multiply1(
      float[] panel, int row, int columns, float[] x, int xAt, float[] sums, int at) {
    FloatVector a0 = load(sums, at);
    FloatVector b0 = load(sums, at + COUNT);
    for (int c = 0; c < columns; c++) {
      FloatVector a = load(panel, c * TILE_ROWS + row);
      FloatVector b = load(panel, c * TILE_ROWS + row + COUNT);
      FloatVector y = broadcast(x[xAt + c * GROUP_STRIDE]);
      a0 = a.fma(y, a0);
      b0 = b.fma(y, b0);
    }
    a0.intoArray(sums, at);
    b0.intoArray(sums, at + COUNT);
  }

  private static void multiply2(
      float[] panel, int row, int columns, float[] x, int xAt, float[] sums, int at) {
    FloatVector a0 = load(sums, at);
    FloatVector b0 = load(sums, at + COUNT);
    FloatVector a1 = load(sums, at + TILE_ROWS);
    FloatVector b1 = load(sums, at + TILE_ROWS + COUNT);
    for (int c = 0; c < columns; c++) {
      FloatVector a = load(panel, c * TILE_ROWS + row);
      FloatVector b = load(panel, c * TILE_ROWS + row + COUNT);
      FloatVector y = broadcast(x[xAt + c * GROUP_STRIDE]);
      a0 = a.fma(y, a0);
      b0 = b.fma(y, b0);
      y = broadcast(x[xAt + c * GROUP_STRIDE + 1]);
      a1 = a.fma(y, a1);
      b1 = b.fma(y, b1);
    }
    a0.intoArray(sums, at);
    b0.intoArray(sums, at + COUNT);
    a1.intoArray(sums, at + TILE_ROWS);
    b1.intoArray(sums, at + TILE_ROWS + COUNT);
  }

  private static void multiply3(
      float[] panel, int row, int columns, float[] x, int xAt, float[] sums, int at) {
    FloatVector a0 = load(sums, at);
    FloatVector b0 = load(sums, at + COUNT);
    FloatVector a1 = load(sums, at + TILE_ROWS);
    FloatVector b1 = load(sums, at + TILE_ROWS + COUNT);
    FloatVector a2 = load(sums, at + 2 * TILE_ROWS);
    FloatVector b2 = load(sums, at + 2 * TILE_ROWS + COUNT);
    for (int c = 0; c < columns; c++) {
      FloatVector a = load(panel, c * TILE_ROWS + row);
      FloatVector b = load(panel, c * TILE_ROWS + row + COUNT);
      FloatVector y = broadcast(x[xAt + c * GROUP_STRIDE]);
      a0 = a.fma(y, a0);
      b0 = b.fma(y, b0);
      y = broadcast(x[xAt + c * GROUP_STRIDE + 1]);
      a1 = a.fma(y, a1);
      b1 = b.fma(y, b1);
      y = broadcast(x[xAt + c * GROUP_STRIDE + 2]);
      a2 = a.fma(y, a2);
      b2 = b.fma(y, b2);
    }
    a0.intoArray(sums, at);
    b0.intoArray(sums, at + COUNT);
    a1.intoArray(sums, at + TILE_ROWS);
    b1.intoArray(sums, at + TILE_ROWS + COUNT);
    a2.intoArray(sums, at + 2 * TILE_ROWS);
    b2.intoArray(sums, at + 2 * TILE_ROWS + COUNT);
  }

  private static void multiply4(
      float[] panel, int row, int columns, float[] x, int xAt, float[] sums, int at) {
    FloatVector a0 = load(sums, at);
    FloatVector b0 = load(sums, at + COUNT);
    FloatVector a1 = load(sums, at + TILE_ROWS);
    FloatVector b1 = load(sums, at + TILE_ROWS + COUNT);
    FloatVector a2 = load(sums, at + 2 * TILE_ROWS);
    FloatVector b2 = load(sums, at + 2 * TILE_ROWS + COUNT);
    FloatVector a3 = load(sums, at + 3 * TILE_ROWS);
    FloatVector b3 = load(sums, at + 3 * TILE_ROWS + COUNT);
    for (int c = 0; c < columns; c++) {
      FloatVector a = load(panel, c * TILE_ROWS + row);
      FloatVector b = load(panel, c * TILE_ROWS + row + COUNT);
      FloatVector y = broadcast(x[xAt + c * GROUP_STRIDE]);
      a0 = a.fma(y, a0);
      b0 = b.fma(y, b0);
      y = broadcast(x[xAt + c * GROUP_STRIDE + 1]);
      a1 = a.fma(y, a1);
      b1 = b.fma(y, b1);
      y = broadcast(x[xAt + c * GROUP_STRIDE + 2]);
      a2 = a.fma(y, a2);
      b2 = b.fma(y, b2);
      y = broadcast(x[xAt + c * GROUP_STRIDE + 3]);
      a3 = a.fma(y, a3);
      b3 = b.fma(y, b3);
    }
    a0.intoArray(sums, at);
    b0.intoArray(sums, at + COUNT);
    a1.intoArray(sums, at + TILE_ROWS);
    b1.intoArray(sums, at + TILE_ROWS + COUNT);
    a2.intoArray(sums, at + 2 * TILE_ROWS);
    b2.intoArray(sums, at + 2 * TILE_ROWS + COUNT);
    a3.intoArray(sums, at + 3 * TILE_ROWS);
    b3.intoArray(sums, at + 3 * TILE_ROWS + COUNT);
  }

  private static FloatVector load(float[] from, int at) {
    return FloatVector.fromArray(Lanes.FLOATS, from, at);
  }

  private static FloatVector broadcast(float value) {
    return FloatVector.broadcast(Lanes.FLOATS, value);
  }
}
