package dev.quern.kernels;

import static dev.quern.kernels.Lanes.COUNT;
import static dev.quern.kernels.TileLayout.RUN_COLS;
import static dev.quern.kernels.TileLayout.TILE_ROWS;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/** The loops of {@link TilePanels}, kept apart for the reason that {@link TileLoops} gives. */
final class PanelLoops {
  private PanelLoops() {}

  static void fields1(MemorySegment data, long at, int[] out) {
    for (int i = 0; i < 2 * 16; i += COUNT) {
      IntVector bits = Lanes.ints(data, at + 4L * i);
      int to = i / 16 * 64 + i % 16;
      bits.intoArray(out, to);
      bits.lanewise(LSHR, 2).intoArray(out, to + 16);
      bits.lanewise(LSHR, 4).intoArray(out, to + 32);
      bits.lanewise(LSHR, 6).intoArray(out, to + 48);
    }
  }

  static void fields2(MemorySegment data, long at, int[] out) {
    for (int i = 0; i < 4 * 16; i += COUNT) {
      IntVector bits = Lanes.ints(data, at + 4L * i);
      int to = i / 16 * 32 + i % 16;
      bits.intoArray(out, to);
      bits.lanewise(LSHR, 4).intoArray(out, to + 16);
    }
  }

  static void fields3(MemorySegment data, long at, int[] out) {
    for (int i = 0; i < 2 * 16; i += COUNT) {
      int half = i / 16;
      long from = at + 192L * half + 4L * (i % 16);
      int to = 64 * half + i % 16;
      IntVector f0 = Lanes.ints(data, from);
      IntVector f1 = Lanes.ints(data, from + 64);
      IntVector f2 = Lanes.ints(data, from + 128);
      f0.intoArray(out, to);
      f1.intoArray(out, to + 16);
      f2.intoArray(out, to + 32);
      TableLoops.fourthField(f0, f1, f2).intoArray(out, to + 48);
    }
  }

  static void fields4(MemorySegment data, long at, int[] out) {
    for (int i = 0; i < 8 * 16; i += COUNT) {
      Lanes.ints(data, at + 4L * i).intoArray(out, i);
    }
  }

  /** scales[r] = factors[r] · table[code of row r], for one run of a U4 block. */
  static void loadScales(
      MemorySegment data, long block, int run, float[] table, float[] factors, float[] scales) {
    IntVector t0 = Lanes.part(table, 0);
    IntVector t1 = Lanes.part(table, 1);
    IntVector t2 = Lanes.part(table, 2);
    IntVector t3 = Lanes.part(table, 3);
    for (int m = 0; m < 16; m += COUNT) {
      IntVector codes = Lanes.ints(data, block + 4L * m).lanewise(LSHR, 16 * run);
      for (int row = m; row < TILE_ROWS; row += 16) {
        Lanes.lookup(codes, t0, t1, t2, t3)
            .mul(FloatVector.fromArray(Lanes.FLOATS, factors, row))
            .intoArray(scales, row);
        codes = codes.lanewise(LSHR, 4);
      }
    }
  }

  /**
   * out[64·column + row] = scale · level + offset for the 16 columns of a run.
   *
   * @param shift of the field of an odd column
   */
  static void levels(
      int[] fields,
      int shift,
      float[] levels,
      float[] scales,
      float[] offsets,
      float[] out,
      int outAt) {
    IntVector t0 = Lanes.part(levels, 0);
    IntVector t1 = Lanes.part(levels, 1);
    IntVector t2 = Lanes.part(levels, 2);
    IntVector t3 = Lanes.part(levels, 3);
    for (int m = 0; m < 16; m += COUNT) {
      FloatVector f0 = FloatVector.fromArray(Lanes.FLOATS, scales, m);
      FloatVector f1 = FloatVector.fromArray(Lanes.FLOATS, scales, m + 16);
      FloatVector f2 = FloatVector.fromArray(Lanes.FLOATS, scales, m + 32);
      FloatVector f3 = FloatVector.fromArray(Lanes.FLOATS, scales, m + 48);
      FloatVector o0 = FloatVector.fromArray(Lanes.FLOATS, offsets, m);
      FloatVector o1 = FloatVector.fromArray(Lanes.FLOATS, offsets, m + 16);
      FloatVector o2 = FloatVector.fromArray(Lanes.FLOATS, offsets, m + 32);
      FloatVector o3 = FloatVector.fromArray(Lanes.FLOATS, offsets, m + 48);
      for (int v = 0; v < 8; v++) {
        IntVector i = IntVector.fromArray(Lanes.INTS, fields, 16 * v + m);
        IntVector j = i.lanewise(LSHR, shift);
        int even = outAt + 2 * v * TILE_ROWS + m;
        int odd = even + TILE_ROWS;
        Lanes.lookup(i, t0, t1, t2, t3).fma(f0, o0).intoArray(out, even);
        Lanes.lookup(i.lanewise(LSHR, 8), t0, t1, t2, t3).fma(f1, o1).intoArray(out, even + 16);
        Lanes.lookup(i.lanewise(LSHR, 16), t0, t1, t2, t3).fma(f2, o2).intoArray(out, even + 32);
        Lanes.lookup(i.lanewise(LSHR, 24), t0, t1, t2, t3).fma(f3, o3).intoArray(out, even + 48);
        Lanes.lookup(j, t0, t1, t2, t3).fma(f0, o0).intoArray(out, odd);
        Lanes.lookup(j.lanewise(LSHR, 8), t0, t1, t2, t3).fma(f1, o1).intoArray(out, odd + 16);
        Lanes.lookup(j.lanewise(LSHR, 16), t0, t1, t2, t3).fma(f2, o2).intoArray(out, odd + 32);
        Lanes.lookup(j.lanewise(LSHR, 24), t0, t1, t2, t3).fma(f3, o3).intoArray(out, odd + 48);
      }
    }
  }

  /** The same for signed bytes. */
  static void bytes(
      MemorySegment data, long at, float[] scales, float[] offsets, float[] out, int outAt) {
    for (int m = 0; m < 16; m += COUNT) {
      FloatVector f0 = FloatVector.fromArray(Lanes.FLOATS, scales, m);
      FloatVector f1 = FloatVector.fromArray(Lanes.FLOATS, scales, m + 16);
      FloatVector f2 = FloatVector.fromArray(Lanes.FLOATS, scales, m + 32);
      FloatVector f3 = FloatVector.fromArray(Lanes.FLOATS, scales, m + 48);
      FloatVector o0 = FloatVector.fromArray(Lanes.FLOATS, offsets, m);
      FloatVector o1 = FloatVector.fromArray(Lanes.FLOATS, offsets, m + 16);
      FloatVector o2 = FloatVector.fromArray(Lanes.FLOATS, offsets, m + 32);
      FloatVector o3 = FloatVector.fromArray(Lanes.FLOATS, offsets, m + 48);
      for (int c = 0; c < RUN_COLS; c++) {
        IntVector codes = Lanes.ints(data, at + 64L * c + 4L * m);
        int to = outAt + c * TILE_ROWS + m;
        code(codes, 24).fma(f0, o0).intoArray(out, to);
        code(codes, 16).fma(f1, o1).intoArray(out, to + 16);
        code(codes, 8).fma(f2, o2).intoArray(out, to + 32);
        code(codes, 0).fma(f3, o3).intoArray(out, to + 48);
      }
    }
  }

  /** The signed byte that a shift to the left brings to the top of each int, as a float. */
  private static FloatVector code(IntVector codes, int shift) {
    return (FloatVector) codes.lanewise(LSHL, shift).lanewise(ASHR, 24).convert(I2F, 0);
  }
}
