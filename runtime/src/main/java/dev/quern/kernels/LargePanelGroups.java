package dev.quern.kernels;

import static dev.quern.kernels.Lanes.COUNT;
import static dev.quern.kernels.TileLayout.TILE_ROWS;
import static dev.quern.kernels.VectorGroups.GROUP_STRIDE;

import jdk.incubator.vector.FloatVector;

/** The bodies of {@link PanelVectors} for groups of 5 to 8 vectors. */
final class LargePanelGroups {
  private LargePanelGroups() {}

  static void multiply5(
      float[] panel, int row, int columns, float[] x, int xAt, float[] sums, int at) {
    FloatVector a0 = load(sums, at);
    FloatVector b0 = load(sums, at + COUNT);
    FloatVector a1 = load(sums, at + TILE_ROWS);
    FloatVector b1 = load(sums, at + TILE_ROWS + COUNT);
    FloatVector a2 = load(sums, at + 2 * TILE_ROWS);
    FloatVector b2 = load(sums, at + 2 * TILE_ROWS + COUNT);
    FloatVector a3 = load(sums, at + 3 * TILE_ROWS);
    FloatVector b3 = load(sums, at + 3 * TILE_ROWS + COUNT);
    FloatVector a4 = load(sums, at + 4 * TILE_ROWS);
    FloatVector b4 = load(sums, at + 4 * TILE_ROWS + COUNT);
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
      y = broadcast(x[xAt + c * GROUP_STRIDE + 4]);
      a4 = a.fma(y, a4);
      b4 = b.fma(y, b4);
    }
    a0.intoArray(sums, at);
    b0.intoArray(sums, at + COUNT);
    a1.intoArray(sums, at + TILE_ROWS);
    b1.intoArray(sums, at + TILE_ROWS + COUNT);
    a2.intoArray(sums, at + 2 * TILE_ROWS);
    b2.intoArray(sums, at + 2 * TILE_ROWS + COUNT);
    a3.intoArray(sums, at + 3 * TILE_ROWS);
    b3.intoArray(sums, at + 3 * TILE_ROWS + COUNT);
    a4.intoArray(sums, at + 4 * TILE_ROWS);
    b4.intoArray(sums, at + 4 * TILE_ROWS + COUNT);
  }

  static void multiply6(
      float[] panel, int row, int columns, float[] x, int xAt, float[] sums, int at) {
    FloatVector a0 = load(sums, at);
    FloatVector b0 = load(sums, at + COUNT);
    FloatVector a1 = load(sums, at + TILE_ROWS);
    FloatVector b1 = load(sums, at + TILE_ROWS + COUNT);
    FloatVector a2 = load(sums, at + 2 * TILE_ROWS);
    FloatVector b2 = load(sums, at + 2 * TILE_ROWS + COUNT);
    FloatVector a3 = load(sums, at + 3 * TILE_ROWS);
    FloatVector b3 = load(sums, at + 3 * TILE_ROWS + COUNT);
    FloatVector a4 = load(sums, at + 4 * TILE_ROWS);
    FloatVector b4 = load(sums, at + 4 * TILE_ROWS + COUNT);
    FloatVector a5 = load(sums, at + 5 * TILE_ROWS);
    FloatVector b5 = load(sums, at + 5 * TILE_ROWS + COUNT);
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
      y = broadcast(x[xAt + c * GROUP_STRIDE + 4]);
      a4 = a.fma(y, a4);
      b4 = b.fma(y, b4);
      y = broadcast(x[xAt + c * GROUP_STRIDE + 5]);
      a5 = a.fma(y, a5);
      b5 = b.fma(y, b5);
    }
    a0.intoArray(sums, at);
    b0.intoArray(sums, at + COUNT);
    a1.intoArray(sums, at + TILE_ROWS);
    b1.intoArray(sums, at + TILE_ROWS + COUNT);
    a2.intoArray(sums, at + 2 * TILE_ROWS);
    b2.intoArray(sums, at + 2 * TILE_ROWS + COUNT);
    a3.intoArray(sums, at + 3 * TILE_ROWS);
    b3.intoArray(sums, at + 3 * TILE_ROWS + COUNT);
    a4.intoArray(sums, at + 4 * TILE_ROWS);
    b4.intoArray(sums, at + 4 * TILE_ROWS + COUNT);
    a5.intoArray(sums, at + 5 * TILE_ROWS);
    b5.intoArray(sums, at + 5 * TILE_ROWS + COUNT);
  }

  static void multiply7(
      float[] panel, int row, int columns, float[] x, int xAt, float[] sums, int at) {
    FloatVector a0 = load(sums, at);
    FloatVector b0 = load(sums, at + COUNT);
    FloatVector a1 = load(sums, at + TILE_ROWS);
    FloatVector b1 = load(sums, at + TILE_ROWS + COUNT);
    FloatVector a2 = load(sums, at + 2 * TILE_ROWS);
    FloatVector b2 = load(sums, at + 2 * TILE_ROWS + COUNT);
    FloatVector a3 = load(sums, at + 3 * TILE_ROWS);
    FloatVector b3 = load(sums, at + 3 * TILE_ROWS + COUNT);
    FloatVector a4 = load(sums, at + 4 * TILE_ROWS);
    FloatVector b4 = load(sums, at + 4 * TILE_ROWS + COUNT);
    FloatVector a5 = load(sums, at + 5 * TILE_ROWS);
    FloatVector b5 = load(sums, at + 5 * TILE_ROWS + COUNT);
    FloatVector a6 = load(sums, at + 6 * TILE_ROWS);
    FloatVector b6 = load(sums, at + 6 * TILE_ROWS + COUNT);
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
      y = broadcast(x[xAt + c * GROUP_STRIDE + 4]);
      a4 = a.fma(y, a4);
      b4 = b.fma(y, b4);
      y = broadcast(x[xAt + c * GROUP_STRIDE + 5]);
      a5 = a.fma(y, a5);
      b5 = b.fma(y, b5);
      y = broadcast(x[xAt + c * GROUP_STRIDE + 6]);
      a6 = a.fma(y, a6);
      b6 = b.fma(y, b6);
    }
    a0.intoArray(sums, at);
    b0.intoArray(sums, at + COUNT);
    a1.intoArray(sums, at + TILE_ROWS);
    b1.intoArray(sums, at + TILE_ROWS + COUNT);
    a2.intoArray(sums, at + 2 * TILE_ROWS);
    b2.intoArray(sums, at + 2 * TILE_ROWS + COUNT);
    a3.intoArray(sums, at + 3 * TILE_ROWS);
    b3.intoArray(sums, at + 3 * TILE_ROWS + COUNT);
    a4.intoArray(sums, at + 4 * TILE_ROWS);
    b4.intoArray(sums, at + 4 * TILE_ROWS + COUNT);
    a5.intoArray(sums, at + 5 * TILE_ROWS);
    b5.intoArray(sums, at + 5 * TILE_ROWS + COUNT);
    a6.intoArray(sums, at + 6 * TILE_ROWS);
    b6.intoArray(sums, at + 6 * TILE_ROWS + COUNT);
  }

  static void multiply8(
      float[] panel, int row, int columns, float[] x, int xAt, float[] sums, int at) {
    FloatVector a0 = load(sums, at);
    FloatVector b0 = load(sums, at + COUNT);
    FloatVector a1 = load(sums, at + TILE_ROWS);
    FloatVector b1 = load(sums, at + TILE_ROWS + COUNT);
    FloatVector a2 = load(sums, at + 2 * TILE_ROWS);
    FloatVector b2 = load(sums, at + 2 * TILE_ROWS + COUNT);
    FloatVector a3 = load(sums, at + 3 * TILE_ROWS);
    FloatVector b3 = load(sums, at + 3 * TILE_ROWS + COUNT);
    FloatVector a4 = load(sums, at + 4 * TILE_ROWS);
    FloatVector b4 = load(sums, at + 4 * TILE_ROWS + COUNT);
    FloatVector a5 = load(sums, at + 5 * TILE_ROWS);
    FloatVector b5 = load(sums, at + 5 * TILE_ROWS + COUNT);
    FloatVector a6 = load(sums, at + 6 * TILE_ROWS);
    FloatVector b6 = load(sums, at + 6 * TILE_ROWS + COUNT);
    FloatVector a7 = load(sums, at + 7 * TILE_ROWS);
    FloatVector b7 = load(sums, at + 7 * TILE_ROWS + COUNT);
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
      y = broadcast(x[xAt + c * GROUP_STRIDE + 4]);
      a4 = a.fma(y, a4);
      b4 = b.fma(y, b4);
      y = broadcast(x[xAt + c * GROUP_STRIDE + 5]);
      a5 = a.fma(y, a5);
      b5 = b.fma(y, b5);
      y = broadcast(x[xAt + c * GROUP_STRIDE + 6]);
      a6 = a.fma(y, a6);
      b6 = b.fma(y, b6);
      y = broadcast(x[xAt + c * GROUP_STRIDE + 7]);
      a7 = a.fma(y, a7);
      b7 = b.fma(y, b7);
    }
    a0.intoArray(sums, at);
    b0.intoArray(sums, at + COUNT);
    a1.intoArray(sums, at + TILE_ROWS);
    b1.intoArray(sums, at + TILE_ROWS + COUNT);
    a2.intoArray(sums, at + 2 * TILE_ROWS);
    b2.intoArray(sums, at + 2 * TILE_ROWS + COUNT);
    a3.intoArray(sums, at + 3 * TILE_ROWS);
    b3.intoArray(sums, at + 3 * TILE_ROWS + COUNT);
    a4.intoArray(sums, at + 4 * TILE_ROWS);
    b4.intoArray(sums, at + 4 * TILE_ROWS + COUNT);
    a5.intoArray(sums, at + 5 * TILE_ROWS);
    b5.intoArray(sums, at + 5 * TILE_ROWS + COUNT);
    a6.intoArray(sums, at + 6 * TILE_ROWS);
    b6.intoArray(sums, at + 6 * TILE_ROWS + COUNT);
    a7.intoArray(sums, at + 7 * TILE_ROWS);
    b7.intoArray(sums, at + 7 * TILE_ROWS + COUNT);
  }

  private static FloatVector load(float[] from, int at) {
    return FloatVector.fromArray(Lanes.FLOATS, from, at);
  }

  private static FloatVector broadcast(float value) {
    return FloatVector.broadcast(Lanes.FLOATS, value);
  }
}
