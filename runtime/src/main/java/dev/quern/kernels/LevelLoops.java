package dev.quern.kernels;

import static dev.quern.kernels.Lanes.COUNT;
import static dev.quern.kernels.TileLayout.RUN_COLS;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.MAX;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Fills a {@link ProductTable}: {@link Kernels#multiplyLevels}. Four vectors of floats give a
 * vector of bytes: lane i of vector k is entry 4i + k, so that they are put together by shifts.
 */
final class LevelLoops {
  /** Entries that are computed together. */
  private static final int GROUP_ENTRIES = 4 * COUNT;

  /** Above the byte of the entry, in the bits of a sum with {@link ProductTable#ROUNDER}. */
  private static final int ABOVE_ENTRY = Float.floatToRawIntBits(ProductTable.ROUNDER) & ~0xFF;

  /** What entries 0 and 1 leave above their bytes; those of 2 and 3 are shifted out. */
  private static final int ABOVE_ENTRIES = ABOVE_ENTRY + (ABOVE_ENTRY << 8);

  /** Column of the entries in each lane where units have 16, at 4 and at 2 bits. */
  private static final int[] COLUMNS = columns(1);

  private static final int[] FIRST_COLUMNS = columns(2);

  private LevelLoops() {}

  private static int[] columns(int unitCols) {
    int[] columns = new int[COUNT];
    for (int i = 0; i < COUNT; i++) {
      columns[i] = i / 4 * unitCols;
    }
    return columns;
  }

  /** Levels of {@link ProductTable#PAIR_ENTRIES} entries in the order of the loops. */
  static void reorder(float[] levels, float[] reordered) {
    for (int i = 0; i < levels.length; i++) {
      int inGroup = i % GROUP_ENTRIES;
      reordered[i - inGroup + inGroup % 4 * COUNT + inGroup / 4] = levels[i];
    }
  }

  /**
   * Writes the entries of runs [firstRun, endRun), whose part of x is loaded.
   *
   * @param out written from at on
   */
  static void fill(ProductTable table, int firstRun, int endRun, byte[] out, int at) {
    scaleRuns(table, firstRun, endRun);
    int units = table.unitsPerRun();
    if (table.unitEntries() == ProductTable.PAIR_ENTRIES) {
      fillWide(table, firstRun * units, endRun * units, out, at);
    } else if (table.unitCols() == 2) {
      fillPairs(table, firstRun * units, endRun * units, out, at);
    } else {
      fillColumns(table, firstRun * units, endRun * units, out, at);
    }
  }

  /** Scales of the runs; x becomes a, what the levels are multiplied with. */
  private static void scaleRuns(ProductTable table, int firstRun, int endRun) {
    float[] x = table.x();
    boolean pairs = table.unitCols() == 2;
    for (int run = firstRun; run < endRun; run++) {
      int col = run * RUN_COLS;
      IntVector sizes = IntVector.zero(Lanes.INTS); // bits of floats from 0 on compare as integers
      for (int i = col; i < col + RUN_COLS; i += COUNT) {
        FloatVector size = FloatVector.fromArray(Lanes.FLOATS, x, i).abs();
        size = pairs ? size.add(Lanes.swapped(size, 1)) : size;
        sizes = sizes.max(size.reinterpretAsInts());
      }
      float peak = table.maxLevel() * Float.intBitsToFloat(sizes.reduceLanes(MAX));
      boolean none = peak < ProductTable.MIN_PEAK;
      table.scales()[run] = none ? 0 : peak / ProductTable.MAX_ENTRY;
      float factor = none ? 0 : ProductTable.MAX_ENTRY / peak;
      for (int i = col; i < col + RUN_COLS; i += COUNT) {
        FloatVector.fromArray(Lanes.FLOATS, x, i).mul(factor).intoArray(x, i);
      }
    }
  }

  /** 64 entries for each pair of columns. */
  private static void fillWide(ProductTable table, int firstUnit, int endUnit, byte[] out, int at) {
    float[] a = table.x();
    float[] first = table.reorderedFirst();
    float[] second = table.reorderedSecond();
    int to = at;
    for (int unit = firstUnit; unit < endUnit; unit++) {
      FloatVector a0 = FloatVector.broadcast(Lanes.FLOATS, a[2 * unit]);
      FloatVector a1 = FloatVector.broadcast(Lanes.FLOATS, a[2 * unit + 1]);
      for (int i = 0; i < ProductTable.PAIR_ENTRIES; i += GROUP_ENTRIES) {
        IntVector e0 = pairs(first, second, i, a0, a1);
        IntVector e1 = pairs(first, second, i + COUNT, a0, a1);
        IntVector e2 = pairs(first, second, i + 2 * COUNT, a0, a1);
        IntVector e3 = pairs(first, second, i + 3 * COUNT, a0, a1);
        bytes(e0, e1, e2, e3).reinterpretAsBytes().intoArray(out, to);
        to += GROUP_ENTRIES;
      }
    }
  }

  /** 16 entries for each pair of columns. */
  private static void fillPairs(
      ProductTable table, int firstUnit, int endUnit, byte[] out, int at) {
    float[] a = table.x();
    float[] first = table.reorderedFirst();
    float[] second = table.reorderedSecond();
    int to = at;
    for (int unit = firstUnit; unit < endUnit; unit += GROUP_ENTRIES / 16) {
      FloatVector a0 = spread(a, 2 * unit, FIRST_COLUMNS);
      FloatVector a1 = spread(a, 2 * unit + 1, FIRST_COLUMNS);
      IntVector e0 = pairs(first, second, 0, a0, a1);
      IntVector e1 = pairs(first, second, COUNT, a0, a1);
      IntVector e2 = pairs(first, second, 2 * COUNT, a0, a1);
      IntVector e3 = pairs(first, second, 3 * COUNT, a0, a1);
      bytes(e0, e1, e2, e3).reinterpretAsBytes().intoArray(out, to);
      to += GROUP_ENTRIES;
    }
  }

  /** 16 entries for each column. */
  private static void fillColumns(
      ProductTable table, int firstUnit, int endUnit, byte[] out, int at) {
    float[] a = table.x();
    float[] levels = table.reorderedFirst();
    int to = at;
    for (int unit = firstUnit; unit < endUnit; unit += GROUP_ENTRIES / 16) {
      FloatVector a0 = spread(a, unit, COLUMNS);
      IntVector e0 = columns(levels, 0, a0);
      IntVector e1 = columns(levels, COUNT, a0);
      IntVector e2 = columns(levels, 2 * COUNT, a0);
      IntVector e3 = columns(levels, 3 * COUNT, a0);
      bytes(e0, e1, e2, e3).reinterpretAsBytes().intoArray(out, to);
      to += GROUP_ENTRIES;
    }
  }

  /** a[at + columns[lane]], all of them in one aligned vector. */
  private static FloatVector spread(float[] a, int at, int[] columns) {
    int start = at & -COUNT;
    IntVector lanes = IntVector.fromArray(Lanes.INTS, columns, 0).add(at - start);
    return lanes.selectFrom(Lanes.ints(a, start)).reinterpretAsFloats();
  }

  private static IntVector pairs(
      float[] first, float[] second, int at, FloatVector a0, FloatVector a1) {
    FloatVector product = FloatVector.fromArray(Lanes.FLOATS, first, at).mul(a0);
    return FloatVector.fromArray(Lanes.FLOATS, second, at)
        .fma(a1, product)
        .add(ProductTable.ROUNDER)
        .reinterpretAsInts();
  }

  private static IntVector columns(float[] levels, int at, FloatVector a0) {
    return FloatVector.fromArray(Lanes.FLOATS, levels, at)
        .mul(a0)
        .add(ProductTable.ROUNDER)
        .reinterpretAsInts();
  }

  /** The low bytes of four lanes, which are no more than 255 above {@link #ABOVE_ENTRY}. */
  private static IntVector bytes(IntVector e0, IntVector e1, IntVector e2, IntVector e3) {
    IntVector low = e0.add(e1.lanewise(LSHL, 8)).sub(ABOVE_ENTRIES);
    return low.add(e2.lanewise(LSHL, 16).add(e3.lanewise(LSHL, 24)));
  }
}
