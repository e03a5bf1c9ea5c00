package dev.quern.kernels;

import static dev.quern.kernels.Lanes.COUNT;
import static dev.quern.kernels.TileLayout.RUN_COLS;
import static dev.quern.kernels.WholeMemory.ADDRESSES;
import static dev.quern.kernels.WholeMemory.MEMORY;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.MAX;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/** Fills {@link ProductTable}s: {@link Kernels#multiplyLevels}. */
final class LevelLoops {
  private static final int VECTOR_BYTES = ProductTable.ALIGNMENT;

  /** Of vectors of 16 entries for each unit: a lane has 4. */
  private static final int[] UNIT_OF_LANE = new int[COUNT];

  static {
    Arrays.setAll(UNIT_OF_LANE, lane -> lane / 4);
  }

  private LevelLoops() {}

  /**
   * @param table started
   */
  static void fill(ProductTable table) {
    TableLevels levels = table.levels();
    scaleRuns(levels, table.x(), 0, table.runs(), table.x(), table.scales(), 1, 0);
    MemorySegment entries = table.entries();
    fill(levels, table.x(), table.runs(), entries.address(), VECTOR_BYTES);
    Reference.reachabilityFence(entries);
    table.copyUnaligned();
  }

  /**
   * Scales and what the levels are multiplied with, of the first runs.
   *
   * @param x the columns from xOffset on, a whole number of runs
   * @param a [columns]: x, each run times a factor; may be x
   * @param scales those of the runs, at at + stride·run
   */
  static void scaleRuns(
      TableLevels levels,
      float[] x,
      int xOffset,
      int runs,
      float[] a,
      float[] scales,
      int stride,
      int at) {
    boolean pairs = levels.unitCols() == 2;
    for (int run = 0; run < runs; run++) {
      int col = run * RUN_COLS;
      IntVector sizes = IntVector.zero(Lanes.INTS); // bits of floats from 0 on compare as integers
      for (int i = col; i < col + RUN_COLS; i += COUNT) {
        FloatVector size = Lanes.floats(x, xOffset + i).abs();
        size = size.add(Lanes.swapped(size, 1));
        if (pairs) {
          size = size.add(Lanes.swapped(size, 2));
        }
        sizes = sizes.max(size.reinterpretAsInts());
      }
      float peak = levels.max() * Float.intBitsToFloat(sizes.reduceLanes(MAX));
      boolean none = peak < ProductTable.MIN_PEAK;
      scales[at + stride * run] = none ? 0 : peak / ProductTable.MAX_PRODUCT;
      float factor = none ? 0 : ProductTable.MAX_PRODUCT / peak;
      for (int i = col; i < col + RUN_COLS; i += COUNT) {
        Lanes.floats(x, xOffset + i).mul(factor).intoArray(a, i);
      }
    }
  }

  /**
   * Entries of the first runs.
   *
   * @param a as {@link #scaleRuns} leaves it; a vector beyond its end is read too
   * @param entries address of the first 64; there is room for all
   * @param stride bytes from 64 entries to the next
   */
  static void fill(TableLevels levels, float[] a, int runs, long entries, int stride) {
    int units = runs * levels.unitsPerRun();
    if (levels.unitEntries() == ProductTable.PAIR_ENTRIES) {
      fillPairs(levels, a, units, entries, stride);
    } else {
      fillNibbles(levels, a, units, entries, stride);
    }
  }

  /**
   * 64 entries for each pair of columns. This method and the next are written out: what is not
   * longer than 325 bytes of bytecode C2 inlines into its caller, which is slow, see {@link
   * TileLoops}.
   */
  private static void fillPairs(
      TableLevels levels, float[] a, int units, long entries, int stride) {
    FloatVector rounder = FloatVector.broadcast(Lanes.FLOATS, ProductTable.ROUNDER);
    for (int i = 0; i < ProductTable.PAIR_ENTRIES; i += 4 * COUNT) {
      FloatVector f0 = Lanes.floats(levels.firstOfBytes(), i);
      FloatVector f1 = Lanes.floats(levels.firstOfBytes(), i + COUNT);
      FloatVector f2 = Lanes.floats(levels.firstOfBytes(), i + 2 * COUNT);
      FloatVector f3 = Lanes.floats(levels.firstOfBytes(), i + 3 * COUNT);
      FloatVector g0 = Lanes.floats(levels.secondOfBytes(), i);
      FloatVector g1 = Lanes.floats(levels.secondOfBytes(), i + COUNT);
      FloatVector g2 = Lanes.floats(levels.secondOfBytes(), i + 2 * COUNT);
      FloatVector g3 = Lanes.floats(levels.secondOfBytes(), i + 3 * COUNT);
      for (int unit = 0; unit < units; unit++) {
        FloatVector a0 = FloatVector.broadcast(Lanes.FLOATS, a[2 * unit]);
        FloatVector a1 = FloatVector.broadcast(Lanes.FLOATS, a[2 * unit + 1]);
        IntVector p0 = g0.fma(a1, f0.fma(a0, rounder)).reinterpretAsInts();
        IntVector p1 = g1.fma(a1, f1.fma(a0, rounder)).reinterpretAsInts();
        IntVector p2 = g2.fma(a1, f2.fma(a0, rounder)).reinterpretAsInts();
        IntVector p3 = g3.fma(a1, f3.fma(a0, rounder)).reinterpretAsInts();
        IntVector low = p0.lanewise(LSHR, 8).and(0xFF).or(p1.and(0xFF00));
        IntVector third = p2.lanewise(LSHL, 8).and(0xFF_0000);
        IntVector high = p3.lanewise(LSHL, 16).and(0xFF00_0000);
        long to = entries + unit * stride + i;
        low.or(third.or(high)).intoMemorySegment(MEMORY, to & ADDRESSES, ByteOrder.LITTLE_ENDIAN);
      }
    }
  }

  /** 16 entries for each column or pair of columns. */
  private static void fillNibbles(
      TableLevels levels, float[] a, int units, long entries, int stride) {
    FloatVector f0 = Lanes.floats(levels.firstOfBytes(), 0);
    FloatVector f1 = Lanes.floats(levels.firstOfBytes(), COUNT);
    FloatVector f2 = Lanes.floats(levels.firstOfBytes(), 2 * COUNT);
    FloatVector f3 = Lanes.floats(levels.firstOfBytes(), 3 * COUNT);
    FloatVector g0 = Lanes.floats(levels.secondOfBytes(), 0);
    FloatVector g1 = Lanes.floats(levels.secondOfBytes(), COUNT);
    FloatVector g2 = Lanes.floats(levels.secondOfBytes(), 2 * COUNT);
    FloatVector g3 = Lanes.floats(levels.secondOfBytes(), 3 * COUNT);
    FloatVector rounder = FloatVector.broadcast(Lanes.FLOATS, ProductTable.ROUNDER);
    int unitCols = levels.unitCols();
    IntVector first = IntVector.fromArray(Lanes.INTS, UNIT_OF_LANE, 0).mul(unitCols);
    IntVector last = first.add(unitCols - 1);
    for (int unit = 0; unit < units; unit += COUNT / 4) {
      IntVector columns = Lanes.ints(a, unitCols * unit);
      FloatVector a0 = first.selectFrom(columns).reinterpretAsFloats();
      FloatVector a1 = last.selectFrom(columns).reinterpretAsFloats();
      IntVector p0 = g0.fma(a1, f0.fma(a0, rounder)).reinterpretAsInts();
      IntVector p1 = g1.fma(a1, f1.fma(a0, rounder)).reinterpretAsInts();
      IntVector p2 = g2.fma(a1, f2.fma(a0, rounder)).reinterpretAsInts();
      IntVector p3 = g3.fma(a1, f3.fma(a0, rounder)).reinterpretAsInts();
      IntVector low = p0.lanewise(LSHR, 8).and(0xFF).or(p1.and(0xFF00));
      IntVector third = p2.lanewise(LSHL, 8).and(0xFF_0000);
      IntVector high = p3.lanewise(LSHL, 16).and(0xFF00_0000);
      long to = entries + (unit >> 2) * stride + 16 * (unit & 3);
      low.or(third.or(high)).intoMemorySegment(MEMORY, to & ADDRESSES, ByteOrder.LITTLE_ENDIAN);
    }
  }
}
