package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.RUN_COLS;

import java.util.Arrays;

/**
 * The levels of a codebook as {@link ProductTable}s are made of them: by unit and entry, as defined
 * there.
 */
final class TableLevels {
  private static final int MAX_UNIT_ENTRIES = ProductTable.PAIR_ENTRIES;

  private int bits;
  private float[] codebook = {};
  private final float[] first = new float[MAX_UNIT_ENTRIES];
  private final float[] second = new float[MAX_UNIT_ENTRIES];
  private final float[] firstOfBytes = new float[MAX_UNIT_ENTRIES];
  private final float[] secondOfBytes = new float[MAX_UNIT_ENTRIES];
  private float max;

  /** Takes the levels of a matrix that {@link ProductTable#serves}. */
  void set(Matrix.Packed w) {
    if (of(w)) {
      return;
    }
    bits = w.layout().bits();
    codebook = w.codebook();
    max = 0;
    for (float level : codebook) {
      max = Math.max(max, Math.abs(level));
    }
    for (int i = 0; i < unitEntries(); i++) {
      first[i] = codebook[i & codebook.length - 1];
      second[i] = unitCols() == 1 ? 0 : codebook[i >> bits];
    }
    spread(first, firstOfBytes);
    spread(second, secondOfBytes);
  }

  private void spread(float[] ofEntries, float[] ofBytes) {
    for (int i = 0; i < MAX_UNIT_ENTRIES; i++) {
      int vector = i / Lanes.COUNT;
      int entry = vector / 4 * 4 * Lanes.COUNT + 4 * (i % Lanes.COUNT) + vector % 4;
      ofBytes[i] = ofEntries[entry % unitEntries()];
    }
  }

  /** Whether they are those of a matrix. */
  boolean of(Matrix.Packed w) {
    return same(bits, codebook, w);
  }

  private static boolean same(int bits, float[] codebook, Matrix.Packed w) {
    return bits == w.layout().bits()
        && (codebook == w.codebook() || Arrays.equals(codebook, w.codebook()));
  }

  /** Whether two matrices of as many columns can share the table of a vector. */
  static boolean shared(Matrix.Packed w, Matrix.Packed other) {
    return w.cols() == other.cols() && same(w.layout().bits(), w.codebook(), other);
  }

  int bits() {
    return bits;
  }

  /** Columns that share an entry. */
  int unitCols() {
    return bits == 4 ? 1 : 2;
  }

  int unitEntries() {
    return bits == 3 ? ProductTable.PAIR_ENTRIES : 16;
  }

  int unitsPerRun() {
    return RUN_COLS / unitCols();
  }

  int runEntries() {
    return unitsPerRun() * unitEntries();
  }

  /** Level of a unit's first column, by entry. */
  float[] first() {
    return first;
  }

  /** Level of a unit's second column, by entry; 0 where there is none. */
  float[] second() {
    return second;
  }

  /** {@link #first} for 4 vectors of floats whose lane m is the level of entry 4m, 4m + 1, … */
  float[] firstOfBytes() {
    return firstOfBytes;
  }

  float[] secondOfBytes() {
    return secondOfBytes;
  }

  /** The greatest of the levels' magnitudes. */
  float max() {
    return max;
  }
}
