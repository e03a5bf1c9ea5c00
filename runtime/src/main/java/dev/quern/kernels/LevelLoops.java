package dev.quern.kernels;

import static dev.quern.kernels.Lanes.COUNT;
import static dev.quern.kernels.TileLayout.RUN_COLS;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.MAX;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/** Fills {@link ProductTable}s: {@link Kernels#multiplyLevels}. */
final class LevelLoops {
  private static final int VECTOR_BYTES = ProductTable.ALIGNMENT;

  /** Lanes of 4 entries each, 4 lanes for a column or a pair. */
  private static final int[] COLUMN_OF_LANE = columnsOfLanes(1);

  private static final int[] PAIR_OF_LANE = columnsOfLanes(2);

  private LevelLoops() {}

  private static int[] columnsOfLanes(int unitCols) {
    int[] columns = new int[COUNT];
    Arrays.setAll(columns, lane -> lane / 4 * unitCols);
    return columns;
  }

  /**
   * @param table started
   */
  static void fill(ProductTable table) {
    TableLevels levels = table.levels();
    scaleRuns(levels, table.x(), table.runs(), table.scales(), 1, 0);
    fill(levels, table.x(), table.runs(), table.entries(), VECTOR_BYTES, 0);
    if (COUNT < 16) {
      table.copyUnaligned();
    }
  }

  /**
   * The scales of the first runs to scales[at + stride·run]; their columns of x become what the
   * levels are multiplied with.
   */
  static void scaleRuns(
      TableLevels levels, float[] x, int runs, float[] scales, int stride, int at) {
    for (int run = 0; run < runs; run++) {
      int col = run * RUN_COLS;
      IntVector sizes = IntVector.zero(Lanes.INTS); // bits of floats from 0 on compare as integers
      for (int i = col; i < col + RUN_COLS; i += COUNT) {
        FloatVector size = FloatVector.fromArray(Lanes.FLOATS, x, i).abs();
        size = size.add(Lanes.swapped(size, 1));
        size = size.add(Lanes.swapped(size, 2));
        sizes = sizes.max(size.reinterpretAsInts());
      }
      float peak = levels.max() * Float.intBitsToFloat(sizes.reduceLanes(MAX));
      boolean none = peak < ProductTable.MIN_PEAK;
      scales[at + stride * run] = none ? 0 : peak / levels.maxProduct();
      float factor = none ? 0 : levels.maxProduct() / peak;
      for (int i = col; i < col + RUN_COLS; i += COUNT) {
        FloatVector.fromArray(Lanes.FLOATS, x, i).mul(factor).intoArray(x, i);
      }
    }
  }

  /**
   * Entries of the first runs: 64 together, those of run 0 at at, the next 64 stride bytes further
   * on.
   *
   * @param a as {@link #scaleRuns} leaves it; a vector beyond its end is read too
   */
  static void fill(
      TableLevels levels, float[] a, int runs, MemorySegment entries, int stride, int at) {
    int units = runs * levels.unitsPerRun();
    if (levels.unitEntries() == ProductTable.PAIR_ENTRIES) {
      fillWide(levels, a, units, entries, stride, at);
    } else if (levels.unitCols() == 2) {
      fillPairs(levels, a, units, entries, stride, at);
    } else {
      fillColumns(levels, a, units, entries, stride, at);
    }
  }

  /** 64 entries for each pair of columns. */
  private static void fillWide(
      TableLevels levels, float[] a, int units, MemorySegment entries, int stride, int at) {
    FloatVector rounder = FloatVector.broadcast(Lanes.FLOATS, levels.rounder());
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
        IntVector packed =
            packed(
                g0.fma(a1, f0.fma(a0, rounder)),
                g1.fma(a1, f1.fma(a0, rounder)),
                g2.fma(a1, f2.fma(a0, rounder)),
                g3.fma(a1, f3.fma(a0, rounder)));
        packed.intoMemorySegment(entries, at + unit * stride + i, ByteOrder.LITTLE_ENDIAN);
      }
    }
  }

  /** 16 entries for each column. */
  private static void fillColumns(
      TableLevels levels, float[] a, int units, MemorySegment entries, int stride, int at) {
    FloatVector f0 = Lanes.floats(levels.firstOfBytes(), 0);
    FloatVector f1 = Lanes.floats(levels.firstOfBytes(), COUNT);
    FloatVector f2 = Lanes.floats(levels.firstOfBytes(), 2 * COUNT);
    FloatVector f3 = Lanes.floats(levels.firstOfBytes(), 3 * COUNT);
    FloatVector rounder = FloatVector.broadcast(Lanes.FLOATS, levels.rounder());
    IntVector column = IntVector.fromArray(Lanes.INTS, COLUMN_OF_LANE, 0);
    for (int unit = 0; unit < units; unit += COUNT / 4) {
      FloatVector a0 = column.selectFrom(Lanes.ints(a, unit)).reinterpretAsFloats();
      IntVector packed =
          packed(
              f0.fma(a0, rounder), f1.fma(a0, rounder), f2.fma(a0, rounder), f3.fma(a0, rounder));
      int to = at + (unit >> 2) * stride + 16 * (unit & 3);
      packed.intoMemorySegment(entries, to, ByteOrder.LITTLE_ENDIAN);
    }
  }

  /** 16 entries for each pair of columns. */
  private static void fillPairs(
      TableLevels levels, float[] a, int units, MemorySegment entries, int stride, int at) {
    FloatVector f0 = Lanes.floats(levels.firstOfBytes(), 0);
    FloatVector f1 = Lanes.floats(levels.firstOfBytes(), COUNT);
    FloatVector f2 = Lanes.floats(levels.firstOfBytes(), 2 * COUNT);
    FloatVector f3 = Lanes.floats(levels.firstOfBytes(), 3 * COUNT);
    FloatVector g0 = Lanes.floats(levels.secondOfBytes(), 0);
    FloatVector g1 = Lanes.floats(levels.secondOfBytes(), COUNT);
    FloatVector g2 = Lanes.floats(levels.secondOfBytes(), 2 * COUNT);
    FloatVector g3 = Lanes.floats(levels.secondOfBytes(), 3 * COUNT);
    FloatVector rounder = FloatVector.broadcast(Lanes.FLOATS, levels.rounder());
    IntVector column = IntVector.fromArray(Lanes.INTS, PAIR_OF_LANE, 0);
    for (int unit = 0; unit < units; unit += COUNT / 4) {
      IntVector columns = Lanes.ints(a, 2 * unit);
      FloatVector a0 = column.selectFrom(columns).reinterpretAsFloats();
      FloatVector a1 = column.add(1).selectFrom(columns).reinterpretAsFloats();
      IntVector packed =
          packed(
              g0.fma(a1, f0.fma(a0, rounder)),
              g1.fma(a1, f1.fma(a0, rounder)),
              g2.fma(a1, f2.fma(a0, rounder)),
              g3.fma(a1, f3.fma(a0, rounder)));
      int to = at + (unit >> 2) * stride + 16 * (unit & 3);
      packed.intoMemorySegment(entries, to, ByteOrder.LITTLE_ENDIAN);
    }
  }

  /** Bits 8 to 15 of all, those of one int side by side. */
  private static IntVector packed(FloatVector p0, FloatVector p1, FloatVector p2, FloatVector p3) {
    IntVector low = p0.reinterpretAsInts().lanewise(LSHR, 8).and(0xFF);
    IntVector second = p1.reinterpretAsInts().and(0xFF00);
    IntVector third = p2.reinterpretAsInts().lanewise(LSHL, 8).and(0xFF_0000);
    IntVector high = p3.reinterpretAsInts().lanewise(LSHL, 16).and(0xFF00_0000);
    return low.or(second).or(third.or(high));
  }
}
