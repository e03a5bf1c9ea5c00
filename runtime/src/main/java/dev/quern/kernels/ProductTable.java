package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.RUN_COLS;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * All products that one input vector can have with the levels of a codebook, rounded: what a packed
 * matrix of 2 to 4 bits with U4 scales is multiplied with instead of the vector. Every row of every
 * matrix that reads the vector and has the codebook looks its products up here.
 *
 * <p>A run of 16 columns is cut into units: a column each at 4 bits, pairs of columns at 2 and 3. A
 * unit has an entry for each value of its indices, 16 at 2 and 4 bits and 64 at 3 bits; index i[c]
 * + 2^bits · i[c+1] for a pair. In float32, with rounding after every operation but the fused one,
 *
 * <pre>
 * peak  = max |level| · max over the couples of their columns' magnitudes together
 * scale = peak / 126                                                           of the run
 * a[c]  = x[c] · (126 / peak)
 * sum   = fma(level[i[c]], a[c], 49152 + 64 + 0.5)                              one column
 * sum   = fma(level[i[c+1]], a[c+1], fma(level[i[c]], a[c], 49152 + 64 + 0.5))  a pair
 * entry = ⌊sum⌋ mod 256
 * </pre>
 *
 * a rounded product and 64, modulo 256; so large a float is a multiple of 2<sup>-8</sup>. A couple
 * is two units, whose magnitudes are |x[c]| + |x[c+1]| at 4 bits and (|x[c]| + |x[c+1]|) +
 * (|x[c+2]| + |x[c+3]|) at 2 and 3. Its products are at most 126 together and their rounding adds
 * at most 1: kernels add its entries as bytes, modulo 256, and have a sum from 1 to 255 to widen. A
 * peak below {@link #MIN_PEAK} counts as 0: scale 0. The product of a row with the run is scale · Σ
 * over the couples ((Σ entries mod 256) − 128), in integers exact.
 */
public final class ProductTable {
  /** From it on scales stay normal floats, 2^-16 times as large too. */
  static final float MIN_PEAK = 1e-24f;

  /** Units whose entries are added in a byte. */
  static final int COUPLE = 2;

  /** Of the entries of a couple together: so much more than the products. */
  static final int COUPLE_BIAS = 128;

  /** The greatest sum of a couple's products: each of its entries may round up by a half. */
  static final int MAX_PRODUCT = COUPLE_BIAS - 1 - COUPLE / 2;

  /** What is added to it is rounded to multiples of 2^-8; bits 8 to 15 are then the entry. */
  static final float ROUNDER = 0x1.8p15f + COUPLE_BIAS / COUPLE + 0.5f;

  /** No vector of a table crosses a cache line: in arrays, whose address is not known, most do. */
  static final int ALIGNMENT = 64;

  /** Entries of one unit at 3 bits. */
  static final int PAIR_ENTRIES = 64;

  private final TableLevels levels = new TableLevels();
  private final byte[] ofRun = new byte[RUN_COLS / 2 * PAIR_ENTRIES];
  private int cols;
  private int runs;
  private MemorySegment entries = MemorySegment.NULL;
  private byte[] unaligned = {};
  private float[] scales = {};
  private float[] x = {};

  /** Whether a matrix can be multiplied with a table: 2 to 4 bits with U4 scales. */
  public static boolean serves(Matrix.Packed w) {
    TileLayout layout = w.layout();
    return layout.scales() == TileLayout.Scales.U4 && layout.bits() >= 2;
  }

  /**
   * Of the entries of a run together.
   *
   * @param units of a run
   */
  static int runBias(int units) {
    return units / COUPLE * COUPLE_BIAS;
  }

  /** Whether w can be multiplied with it. */
  boolean isFor(Matrix.Packed w) {
    return cols == w.cols() && levels.of(w);
  }

  /**
   * Begins a table of the vector values[at .. at + cols), which w is multiplied with; its entries
   * and scales are still those of another.
   */
  void start(Matrix.Packed w, float[] values, int at) {
    TileLayout layout = w.layout();
    cols = layout.cols();
    int padded = layout.paddedCols();
    if (x.length < padded) {
      x = new float[padded + Lanes.COUNT]; // loops read a vector beyond its end
      scales = new float[padded / RUN_COLS];
    }
    runs = padded / RUN_COLS;
    levels.set(w);
    long bytes = (long) runs * levels.runEntries();
    if (entries.byteSize() < bytes) {
      entries = Arena.ofAuto().allocate(bytes, ALIGNMENT);
      unaligned = new byte[Lanes.COUNT < 16 ? Math.toIntExact(bytes) : 0];
    }
    System.arraycopy(values, at, x, 0, cols);
    Arrays.fill(x, cols, padded, 0);
  }

  TableLevels levels() {
    return levels;
  }

  int runs() {
    return runs;
  }

  /** [runs, units, entries of a unit], unsigned bytes; may be longer. */
  MemorySegment entries() {
    return entries;
  }

  /** The entries in an array, which vectors narrower than 64 bytes read faster; for them only. */
  byte[] unaligned() {
    return unaligned;
  }

  /** Scratch for the entries of a run. */
  byte[] ofRun() {
    return ofRun;
  }

  /** Fills {@link #unaligned}, where it is read. */
  void copyUnaligned() {
    if (Lanes.COUNT == 16) {
      return;
    }
    int bytes = runs * levels.runEntries();
    MemorySegment.copy(entries, ValueLayout.JAVA_BYTE, 0, unaligned, 0, bytes);
  }

  /** One per run. */
  float[] scales() {
    return scales;
  }

  /** The vector, padded with zeros; a kernel may overwrite it. */
  float[] x() {
    return x;
  }
}
