package dev.quern.kernels;

import static dev.quern.kernels.HalfPanel.PAIR;
import static dev.quern.kernels.HalfVectors.lower;
import static dev.quern.kernels.HalfVectors.upper;
import static dev.quern.kernels.TileLayout.TILE_ROWS;
import static dev.quern.kernels.VectorGroups.GROUP_STRIDE;

import jdk.incubator.vector.FloatVector;

/** The bodies of {@link HalfVectors} for groups of 5 to 8 vectors. */
final class LargeHalfGroups {
  private LargeHalfGroups() {}

  static void multiply6(
      short[] halves, int at, int columns, float[] x, int xAt, int toLast, float[] sums, int to) {
    FloatVector a0 = sum(sums, to);
    FloatVector b0 = sum(sums, to + PAIR);
    FloatVector a1 = sum(sums, to + TILE_ROWS);
    FloatVector b1 = sum(sums, to + TILE_ROWS + PAIR);
    FloatVector a2 = sum(sums, to + 2 * TILE_ROWS);
    FloatVector b2 = sum(sums, to + 2 * TILE_ROWS + PAIR);
    FloatVector a3 = sum(sums, to + 3 * TILE_ROWS);
    FloatVector b3 = sum(sums, to + 3 * TILE_ROWS + PAIR);
    FloatVector a4 = sum(sums, to + 4 * TILE_ROWS);
    FloatVector b4 = sum(sums, to + 4 * TILE_ROWS + PAIR);
    FloatVector a5 = sum(sums, toLast);
    FloatVector b5 = sum(sums, toLast + PAIR);
    for (int c = 0; c < columns; c++) {
      FloatVector a = lower(halves, at + c * HalfPanel.ROWS);
      FloatVector b = upper(halves, at + c * HalfPanel.ROWS);
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
    a5.intoArray(sums, toLast);
    b5.intoArray(sums, toLast + PAIR);
    a0.intoArray(sums, to);
    b0.intoArray(sums, to + PAIR);
    a1.intoArray(sums, to + TILE_ROWS);
    b1.intoArray(sums, to + TILE_ROWS + PAIR);
    a2.intoArray(sums, to + 2 * TILE_ROWS);
    b2.intoArray(sums, to + 2 * TILE_ROWS + PAIR);
    a3.intoArray(sums, to + 3 * TILE_ROWS);
    b3.intoArray(sums, to + 3 * TILE_ROWS + PAIR);
    a4.intoArray(sums, to + 4 * TILE_ROWS);
    b4.intoArray(sums, to + 4 * TILE_ROWS + PAIR);
  }

  static void multiply8(
      short[] halves, int at, int columns, float[] x, int xAt, int toLast, float[] sums, int to) {
    FloatVector a0 = sum(sums, to);
    FloatVector b0 = sum(sums, to + PAIR);
    FloatVector a1 = sum(sums, to + TILE_ROWS);
    FloatVector b1 = sum(sums, to + TILE_ROWS + PAIR);
    FloatVector a2 = sum(sums, to + 2 * TILE_ROWS);
    FloatVector b2 = sum(sums, to + 2 * TILE_ROWS + PAIR);
    FloatVector a3 = sum(sums, to + 3 * TILE_ROWS);
    FloatVector b3 = sum(sums, to + 3 * TILE_ROWS + PAIR);
    FloatVector a4 = sum(sums, to + 4 * TILE_ROWS);
    FloatVector b4 = sum(sums, to + 4 * TILE_ROWS + PAIR);
    FloatVector a5 = sum(sums, to + 5 * TILE_ROWS);
    FloatVector b5 = sum(sums, to + 5 * TILE_ROWS + PAIR);
    FloatVector a6 = sum(sums, to + 6 * TILE_ROWS);
    FloatVector b6 = sum(sums, to + 6 * TILE_ROWS + PAIR);
    FloatVector a7 = sum(sums, toLast);
    FloatVector b7 = sum(sums, toLast + PAIR);
    for (int c = 0; c < columns; c++) {
      FloatVector a = lower(halves, at + c * HalfPanel.ROWS);
      FloatVector b = upper(halves, at + c * HalfPanel.ROWS);
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
    a7.intoArray(sums, toLast);
    b7.intoArray(sums, toLast + PAIR);
    a0.intoArray(sums, to);
    b0.intoArray(sums, to + PAIR);
    a1.intoArray(sums, to + TILE_ROWS);
    b1.intoArray(sums, to + TILE_ROWS + PAIR);
    a2.intoArray(sums, to + 2 * TILE_ROWS);
    b2.intoArray(sums, to + 2 * TILE_ROWS + PAIR);
    a3.intoArray(sums, to + 3 * TILE_ROWS);
    b3.intoArray(sums, to + 3 * TILE_ROWS + PAIR);
    a4.intoArray(sums, to + 4 * TILE_ROWS);
    b4.intoArray(sums, to + 4 * TILE_ROWS + PAIR);
    a5.intoArray(sums, to + 5 * TILE_ROWS);
    b5.intoArray(sums, to + 5 * TILE_ROWS + PAIR);
    a6.intoArray(sums, to + 6 * TILE_ROWS);
    b6.intoArray(sums, to + 6 * TILE_ROWS + PAIR);
  }

  private static FloatVector sum(float[] sums, int at) {
    return FloatVector.fromArray(Lanes.FLOATS, sums, at);
  }

  private static FloatVector broadcast(float value) {
    return FloatVector.broadcast(Lanes.FLOATS, value);
  }
}
