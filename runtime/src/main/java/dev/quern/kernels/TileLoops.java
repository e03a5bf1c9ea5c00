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

/**
 * The loops of {@link PackedVectors} over 64 rows; a lane is an output row.
 *
 * <p>C2 stops inlining when a compiled method, with all that is inlined into it, grows beyond a
 * fixed number of nodes, and then boxes every vector (measured: 10 to 100 times slower). So a loop
 * has at most 8 lookups, and one that has so many must not be inlined into its caller together with
 * others: C2 leaves alone what is longer than 325 bytes of bytecode (its FreqInlineSize), and a
 * test keeps these methods above. {@link TableBatchLoops} tells how a body may have more.
 */
final class TileLoops {
  /** Ints of one run as nibbles. */
  static final int RUN_INTS = 128;

  private static final int LOW_NIBBLES = 0x0F0F_0F0F;
  private static final int HIGH_NIBBLES = 0xF0F0_F0F0;

  private TileLoops() {}

  static void unpack1(MemorySegment data, long at, int[] out, int outAt) {
    for (int i = 0; i < 2 * 16; i += COUNT) {
      IntVector bits = Lanes.ints(data, at + 4L * i);
      int to = outAt + i / 16 * 64 + i % 16;
      nibbles(bits, bits.lanewise(LSHL, 3)).intoArray(out, to);
      nibbles(bits.lanewise(LSHR, 2), bits.lanewise(LSHL, 1)).intoArray(out, to + 16);
      nibbles(bits.lanewise(LSHR, 4), bits.lanewise(LSHR, 1)).intoArray(out, to + 32);
      nibbles(bits.lanewise(LSHR, 6), bits.lanewise(LSHR, 3)).intoArray(out, to + 48);
    }
  }

  static void unpack2(MemorySegment data, long at, int[] out, int outAt) {
    for (int i = 0; i < 4 * 16; i += COUNT) {
      IntVector bits = Lanes.ints(data, at + 4L * i);
      int to = outAt + i / 16 * 32 + i % 16;
      nibbles(bits, bits.lanewise(LSHL, 2)).intoArray(out, to);
      nibbles(bits.lanewise(LSHR, 4), bits.lanewise(LSHR, 2)).intoArray(out, to + 16);
    }
  }

  static void unpack3(MemorySegment data, long at, int[] out, int outAt) {
    for (int i = 0; i < 2 * 16; i += COUNT) {
      int half = i / 16;
      long from = at + 192L * half + 4L * (i % 16);
      int to = outAt + 64 * half + i % 16;
      IntVector f0 = Lanes.ints(data, from);
      IntVector f1 = Lanes.ints(data, from + 64);
      IntVector f2 = Lanes.ints(data, from + 128);
      IntVector f3 = TableLoops.fourthField(f0, f1, f2);
      nibbles(f0, f0.lanewise(LSHL, 1)).intoArray(out, to);
      nibbles(f1, f1.lanewise(LSHL, 1)).intoArray(out, to + 16);
      nibbles(f2, f2.lanewise(LSHL, 1)).intoArray(out, to + 32);
      nibbles(f3, f3.lanewise(LSHL, 1)).intoArray(out, to + 48);
    }
  }

  static void unpack4(MemorySegment data, long at, int[] out, int outAt) {
    for (int i = 0; i < RUN_INTS; i += COUNT) {
      Lanes.ints(data, at + 4L * i).intoArray(out, outAt + i);
    }
  }

  private static IntVector nibbles(IntVector low, IntVector high) {
    return low.and(LOW_NIBBLES).or(high.and(HIGH_NIBBLES));
  }

  /** sums[64·run + row] = Σ over the 16 columns of the run of level · x. */
  static void sumNibbles(
      int[] nibbles, int runs, float[] x, int xOffset, float[] levels, float[] sums) {
    IntVector t0 = Lanes.part(levels, 0);
    IntVector t1 = Lanes.part(levels, 1);
    IntVector t2 = Lanes.part(levels, 2);
    IntVector t3 = Lanes.part(levels, 3);
    for (int run = 0; run < runs; run++) {
      for (int m = 0; m < 16; m += COUNT) {
        FloatVector s0 = FloatVector.zero(Lanes.FLOATS);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        int at = run * RUN_INTS + m;
        int col = xOffset + run * RUN_COLS;
        for (int v = 0; v < 8; v++) {
          IntVector i = IntVector.fromArray(Lanes.INTS, nibbles, at + 16 * v);
          FloatVector even = FloatVector.broadcast(Lanes.FLOATS, x[col + 2 * v]);
          FloatVector odd = FloatVector.broadcast(Lanes.FLOATS, x[col + 2 * v + 1]);
          s0 = Lanes.lookup(i, t0, t1, t2, t3).fma(even, s0);
          s0 = Lanes.lookup(i.lanewise(LSHR, 4), t0, t1, t2, t3).fma(odd, s0);
          s1 = Lanes.lookup(i.lanewise(LSHR, 8), t0, t1, t2, t3).fma(even, s1);
          s1 = Lanes.lookup(i.lanewise(LSHR, 12), t0, t1, t2, t3).fma(odd, s1);
          s2 = Lanes.lookup(i.lanewise(LSHR, 16), t0, t1, t2, t3).fma(even, s2);
          s2 = Lanes.lookup(i.lanewise(LSHR, 20), t0, t1, t2, t3).fma(odd, s2);
          s3 = Lanes.lookup(i.lanewise(LSHR, 24), t0, t1, t2, t3).fma(even, s3);
          s3 = Lanes.lookup(i.lanewise(LSHR, 28), t0, t1, t2, t3).fma(odd, s3);
        }
        int to = run * TILE_ROWS + m;
        s0.intoArray(sums, to);
        s1.intoArray(sums, to + 16);
        s2.intoArray(sums, to + 32);
        s3.intoArray(sums, to + 48);
      }
    }
  }

  /** The same for one run of signed bytes. */
  static void sumBytes(MemorySegment data, long at, float[] x, int col, float[] sums, int to) {
    for (int m = 0; m < 16; m += COUNT) {
      FloatVector s0 = FloatVector.zero(Lanes.FLOATS);
      FloatVector s1 = s0;
      FloatVector s2 = s0;
      FloatVector s3 = s0;
      for (int c = 0; c < RUN_COLS; c++) {
        IntVector codes = Lanes.ints(data, at + 64L * c + 4L * m);
        FloatVector a = FloatVector.broadcast(Lanes.FLOATS, x[col + c]);
        s0 = code(codes, 0).fma(a, s0);
        s1 = code(codes, 1).fma(a, s1);
        s2 = code(codes, 2).fma(a, s2);
        s3 = code(codes, 3).fma(a, s3);
      }
      s0.intoArray(sums, to + m);
      s1.intoArray(sums, to + m + 16);
      s2.intoArray(sums, to + m + 32);
      s3.intoArray(sums, to + m + 48);
    }
  }

  /** The signed byte q of each int as a float. */
  private static FloatVector code(IntVector codes, int q) {
    return (FloatVector) codes.lanewise(LSHL, 24 - 8 * q).lanewise(ASHR, 24).convert(I2F, 0);
  }

  /** rowSums[r] += Σ over the runs of scale · runSums, for U4 blocks. */
  static void addScaled(
      MemorySegment data,
      long first,
      int blocks,
      int blockBytes,
      float[] table,
      float[] runSums,
      float[] rowSums) {
    IntVector t0 = Lanes.part(table, 0);
    IntVector t1 = Lanes.part(table, 1);
    IntVector t2 = Lanes.part(table, 2);
    IntVector t3 = Lanes.part(table, 3);
    for (int m = 0; m < 16; m += COUNT) {
      FloatVector s0 = FloatVector.fromArray(Lanes.FLOATS, rowSums, m);
      FloatVector s1 = FloatVector.fromArray(Lanes.FLOATS, rowSums, m + 16);
      FloatVector s2 = FloatVector.fromArray(Lanes.FLOATS, rowSums, m + 32);
      FloatVector s3 = FloatVector.fromArray(Lanes.FLOATS, rowSums, m + 48);
      for (int run = 0; run < 2 * blocks; run++) {
        int at = run * TILE_ROWS + m;
        IntVector codes =
            Lanes.ints(data, first + (long) (run >> 1) * blockBytes + 4L * m)
                .lanewise(LSHR, 16 * (run & 1));
        s0 = scaled(Lanes.lookup(codes, t0, t1, t2, t3), runSums, at, s0);
        s1 = scaled(Lanes.lookup(codes.lanewise(LSHR, 4), t0, t1, t2, t3), runSums, at + 16, s1);
        s2 = scaled(Lanes.lookup(codes.lanewise(LSHR, 8), t0, t1, t2, t3), runSums, at + 32, s2);
        s3 = scaled(Lanes.lookup(codes.lanewise(LSHR, 12), t0, t1, t2, t3), runSums, at + 48, s3);
      }
      s0.intoArray(rowSums, m);
      s1.intoArray(rowSums, m + 16);
      s2.intoArray(rowSums, m + 32);
      s3.intoArray(rowSums, m + 48);
    }
  }

  private static FloatVector scaled(FloatVector scale, float[] sums, int at, FloatVector to) {
    return FloatVector.fromArray(Lanes.FLOATS, sums, at).fma(scale, to);
  }

  static void addRuns(float[] runSums, int at, int runs, float[] rowSums) {
    for (int r = 0; r < TILE_ROWS; r += COUNT) {
      FloatVector sum = FloatVector.fromArray(Lanes.FLOATS, rowSums, r);
      for (int run = 0; run < runs; run++) {
        sum = sum.add(FloatVector.fromArray(Lanes.FLOATS, runSums, at + run * TILE_ROWS + r));
      }
      sum.intoArray(rowSums, r);
    }
  }

  /** rowSums[r] += f16 at r · by[r]. */
  static void addHalvesTimes(MemorySegment data, long at, float[] by, float[] rowSums) {
    for (int r = 0; r < TILE_ROWS; r += COUNT) {
      FloatVector sum = FloatVector.fromArray(Lanes.FLOATS, rowSums, r);
      Lanes.f16(data, at + (long) r * Short.BYTES)
          .fma(FloatVector.fromArray(Lanes.FLOATS, by, r), sum)
          .intoArray(rowSums, r);
    }
  }

  /** Sum of n values, n a multiple of 16. */
  static float sum(float[] x, int at, int n) {
    FloatVector sum = FloatVector.zero(Lanes.FLOATS);
    for (int i = 0; i < n; i += COUNT) {
      sum = sum.add(FloatVector.fromArray(Lanes.FLOATS, x, at + i));
    }
    return Lanes.sum(sum);
  }

  static void multiply(float[] inOut, int at, float[] by, int n) {
    for (int r = 0; r < n; r += COUNT) {
      Lanes.floats(inOut, at + r).mul(Lanes.floats(by, r)).intoArray(inOut, at + r);
    }
  }
}
