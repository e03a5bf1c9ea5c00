package dev.quern.kernels;

import static dev.quern.kernels.HalfPanel.PAIR;
import static dev.quern.kernels.Lanes.COUNT;
import static dev.quern.kernels.TileLayout.TILE_ROWS;
import static dev.quern.kernels.VectorGroups.GROUP_STRIDE;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Panels of halves times groups of vectors, {@link Kernels#multiplyHalves}, and widened, {@link
 * Kernels#widen}; a lane of integers is a pair of rows.
 *
 * <p>A half's bits, moved to where a float has exponent and mantissa, are its value · 2^-112: two
 * operations on integers, which overlap with the multiplications, and nothing is stored between.
 * Bodies are as those of {@link PanelVectors}, for even sizes of a group: of an odd one the empty
 * place is computed too, and stored before the last vector's sums, which overwrite it.
 */
final class HalfVectors {
  private static final VectorSpecies<Short> SHORTS = Lanes.FLOATS.withLanes(short.class);

  /** Of a pair of halves the sign and 15 places to the right of it, 3 of them empty. */
  private static final int HALF_BITS = 0x8FFF_E000;

  private static final int FLOAT_MAGNITUDE = 0x0FFF_E000;
  private static final int F16_INFINITY = 0x0F80_0000;
  private static final int F32_EXPONENT = 0x7F80_0000;
  private static final float TWO_POW_112 = HalfPanel.SCALE;

  private HalfVectors() {}

  /**
   * @param prefetches whether to prefetch halves
   */
  static void multiply(
      short[] halves,
      int at,
      int stride,
      int columns,
      int vectors,
      float[] x,
      int xAt,
      float[] sums,
      int sumsAt,
      boolean prefetches) {
    int part = prefetches ? Prefetch.HALF_COLUMNS : columns;
    for (int row = 0; row < TILE_ROWS; row += HalfPanel.ROWS) {
      for (int lane = 0; lane < PAIR; lane += COUNT) {
        int from = at + row * stride + 2 * lane;
        int to = sumsAt + row + lane;
        for (int column = 0; column < columns; column += part) {
          int partAt = from + column * HalfPanel.ROWS;
          if (prefetches && lane == 0) {
            Prefetch.halves(halves, partAt);
          }
          int count = Math.min(part, columns - column);
          multiply(halves, partAt, count, vectors, x, xAt + column * GROUP_STRIDE, sums, to);
        }
      }
    }
  }

  private static void multiply(
      short[] halves, int at, int columns, int vectors, float[] x, int xAt, float[] sums, int to) {
    int toLast = to + (vectors - 1) * TILE_ROWS;
    switch (vectors) {
      case 1, 2 -> multiply2(halves, at, columns, x, xAt, toLast, sums, to);
      case 3, 4 -> multiply4(halves, at, columns, x, xAt, toLast, sums, to);
      case 5, 6 -> LargeHalfGroups.multiply6(halves, at, columns, x, xAt, toLast, sums, to);
      case 7, 8 -> LargeHalfGroups.multiply8(halves, at, columns, x, xAt, toLast, sums, to);
      default -> throw new IllegalArgumentException("vectors of a group: " + vectors);
    }
  }

  private static void multiply2(
      short[] halves, int at, int columns, float[] x, int xAt, int toLast, float[] sums, int to) {
    FloatVector a0 = sum(sums, to);
    FloatVector b0 = sum(sums, to + PAIR);
    FloatVector a1 = sum(sums, toLast);
    FloatVector b1 = sum(sums, toLast + PAIR);
    for (int c = 0; c < columns; c++) {
      FloatVector a = lower(halves, at + c * HalfPanel.ROWS);
      FloatVector b = upper(halves, at + c * HalfPanel.ROWS);
      FloatVector y = broadcast(x[xAt + c * GROUP_STRIDE]);
      a0 = a.fma(y, a0);
      b0 = b.fma(y, b0);
      y = broadcast(x[xAt + c * GROUP_STRIDE + 1]);
      a1 = a.fma(y, a1);
      b1 = b.fma(y, b1);
    }
    a1.intoArray(sums, toLast);
    b1.intoArray(sums, toLast + PAIR);
    a0.intoArray(sums, to);
    b0.intoArray(sums, to + PAIR);
  }

  private static void multiply4(
      short[] halves, int at, int columns, float[] x, int xAt, int toLast, float[] sums, int to) {
    FloatVector a0 = sum(sums, to);
    FloatVector b0 = sum(sums, to + PAIR);
    FloatVector a1 = sum(sums, to + TILE_ROWS);
    FloatVector b1 = sum(sums, to + TILE_ROWS + PAIR);
    FloatVector a2 = sum(sums, to + 2 * TILE_ROWS);
    FloatVector b2 = sum(sums, to + 2 * TILE_ROWS + PAIR);
    FloatVector a3 = sum(sums, toLast);
    FloatVector b3 = sum(sums, toLast + PAIR);
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
    }
    a3.intoArray(sums, toLast);
    b3.intoArray(sums, toLast + PAIR);
    a0.intoArray(sums, to);
    b0.intoArray(sums, to + PAIR);
    a1.intoArray(sums, to + TILE_ROWS);
    b1.intoArray(sums, to + TILE_ROWS + PAIR);
    a2.intoArray(sums, to + 2 * TILE_ROWS);
    b2.intoArray(sums, to + 2 * TILE_ROWS + PAIR);
  }

  /** Whole panels of 64 rows, with infinities and NaN. */
  static void widen(short[] halves, int at, int stride, int columns, float[] panel) {
    for (int row = 0; row < TILE_ROWS; row += HalfPanel.ROWS) {
      for (int lane = 0; lane < PAIR; lane += COUNT) {
        widen(halves, at + row * stride + 2 * lane, columns, panel, row + lane);
      }
    }
  }

  private static void widen(short[] halves, int at, int columns, float[] panel, int to) {
    for (int c = 0; c < columns; c++) {
      widened(lower(halves, at + c * HalfPanel.ROWS)).intoArray(panel, to + c * TILE_ROWS);
      widened(upper(halves, at + c * HalfPanel.ROWS)).intoArray(panel, to + c * TILE_ROWS + PAIR);
    }
  }

  private static FloatVector widened(FloatVector scaled) {
    IntVector bits = scaled.reinterpretAsInts();
    IntVector value = scaled.mul(TWO_POW_112).reinterpretAsInts();
    return value
        .blend(
            value.or(F32_EXPONENT),
            bits.and(FLOAT_MAGNITUDE).compare(VectorOperators.GE, F16_INFINITY))
        .reinterpretAsFloats();
  }

  /** The first half of each pair · 2^-112: the second of the ints that begin a half earlier. */
  static FloatVector lower(short[] halves, int at) {
    return upper(halves, at - 1);
  }

  /** The second half of each pair · 2^-112. */
  static FloatVector upper(short[] halves, int at) {
    IntVector pairs = ShortVector.fromArray(SHORTS, halves, at).reinterpretAsInts();
    return pairs.lanewise(VectorOperators.ASHR, 3).and(HALF_BITS).reinterpretAsFloats();
  }

  private static FloatVector sum(float[] sums, int at) {
    return FloatVector.fromArray(Lanes.FLOATS, sums, at);
  }

  private static FloatVector broadcast(float value) {
    return FloatVector.broadcast(Lanes.FLOATS, value);
  }
}
