package dev.quern.kernels;

import static dev.quern.kernels.Lanes.COUNT;
import static dev.quern.kernels.TileLayout.RUN_COLS;
import static jdk.incubator.vector.VectorOperators.MAX;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/** Fills a {@link ProductTable}: {@link Kernels#multiplyLevels}. */
final class LevelLoops {
  private LevelLoops() {}

  /**
   * @param table started
   */
  static void fill(ProductTable table) {
    scaleRuns(table);
    if (table.unitEntries() == ProductTable.PAIR_ENTRIES) {
      fillWide(table);
    } else {
      fillNarrow(table);
    }
    table.align();
  }

  /** Scales of the runs; x becomes a, what the levels are multiplied with. */
  private static void scaleRuns(ProductTable table) {
    float[] x = table.x();
    boolean pairs = table.unitCols() == 2;
    for (int run = 0; run < table.runs(); run++) {
      int col = run * RUN_COLS;
      FloatVector sizes = FloatVector.zero(Lanes.FLOATS);
      for (int i = col; i < col + RUN_COLS; i += COUNT) {
        FloatVector size = FloatVector.fromArray(Lanes.FLOATS, x, i).abs();
        sizes = sizes.max(pairs ? size.add(Lanes.swapped(size, 1)) : size);
      }
      float peak = table.maxLevel() * sizes.reduceLanes(MAX);
      boolean none = peak < ProductTable.MIN_PEAK;
      table.scales()[run] = none ? 0 : peak / ProductTable.MAX_ENTRY;
      float factor = none ? 0 : ProductTable.MAX_ENTRY / peak;
      for (int i = col; i < col + RUN_COLS; i += COUNT) {
        FloatVector.fromArray(Lanes.FLOATS, x, i).mul(factor).intoArray(x, i);
      }
    }
  }

  /** 64 entries for each pair of columns. */
  private static void fillWide(ProductTable table) {
    float[] a = table.x();
    float[] first = table.first();
    float[] second = table.second();
    byte[] entries = table.unaligned();
    int units = table.runs() * table.unitsPerRun();
    for (int i = 0; i < ProductTable.PAIR_ENTRIES; i += COUNT) {
      FloatVector level0 = FloatVector.fromArray(Lanes.FLOATS, first, i);
      FloatVector level1 = FloatVector.fromArray(Lanes.FLOATS, second, i);
      for (int unit = 0; unit < units; unit++) {
        FloatVector product = level0.mul(a[2 * unit]);
        product = level1.fma(FloatVector.broadcast(Lanes.FLOATS, a[2 * unit + 1]), product);
        store(product, entries, unit * ProductTable.PAIR_ENTRIES + i);
      }
    }
  }

  /** 16 entries for each column or pair of columns. */
  private static void fillNarrow(ProductTable table) {
    float[] a = table.x();
    byte[] entries = table.unaligned();
    int units = table.runs() * table.unitsPerRun();
    int unitCols = table.unitCols();
    for (int i = 0; i < 16; i += COUNT) {
      FloatVector level0 = FloatVector.fromArray(Lanes.FLOATS, table.first(), i);
      FloatVector level1 = FloatVector.fromArray(Lanes.FLOATS, table.second(), i);
      for (int unit = 0; unit < units; unit++) {
        FloatVector product = level0.mul(a[unit * unitCols]);
        if (unitCols == 2) {
          product = level1.fma(FloatVector.broadcast(Lanes.FLOATS, a[2 * unit + 1]), product);
        }
        store(product, entries, 16 * unit + i);
      }
    }
  }

  private static void store(FloatVector products, byte[] entries, int at) {
    IntVector rounded = products.add(ProductTable.ROUNDER).reinterpretAsInts();
    if (COUNT == 16) {
      ((ByteVector) rounded.castShape(ByteVector.SPECIES_128, 0)).intoArray(entries, at);
    } else if (COUNT == 8) {
      ((ByteVector) rounded.castShape(ByteVector.SPECIES_64, 0)).intoArray(entries, at);
    } else {
      for (int i = 0; i < COUNT; i++) {
        entries[at + i] = (byte) rounded.lane(i);
      }
    }
  }
}
