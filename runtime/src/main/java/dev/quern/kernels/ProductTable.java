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
 * peak  = max |level| · max over the units of Σ |x[c]|
 * scale = peak / 127            of the run
 * a[c]  = x[c] · (127 / peak)
 * entry = 128 + round(level[i[c]] · a[c])                                    one column
 * entry = 128 + round(fma(level[i[c+1]], a[c+1], level[i[c]] · a[c]))        a pair
 * </pre>
 *
 * rounded to the nearest integer, ties to even, 1 to 255. A peak below {@link #MIN_PEAK} counts as
 * 0: scale 0. The product of a row with the run is scale · (Σ entries − 128 · units), in integers
 * exact.
 *
 * <p>Not to be used by two threads while it is built.
 */
public final class ProductTable {
  /** Below it 127 / peak is no float. */
  static final float MIN_PEAK = 1e-30f;

  static final int MAX_ENTRY = 127;

  /** What is added to an entry so that it is an unsigned byte. */
  static final int BIAS = 128;

  /** Adding it rounds to an integer, to even in ties, and leaves 128 more in the low byte. */
  static final float ROUNDER = 0x1.8p23f + BIAS;

  /** No vector of a table crosses a cache line: in arrays, whose address is not known, most do. */
  static final int ALIGNMENT = 64;

  /** Entries of one unit at 3 bits. */
  static final int PAIR_ENTRIES = 64;

  private static final int MAX_UNIT_ENTRIES = PAIR_ENTRIES;

  private int bits;
  private int cols;
  private int runs;
  private byte[] unaligned = {};
  private MemorySegment entries = MemorySegment.NULL;
  private float[] scales = {};
  private float[] x = {};
  private float[] codebook = {};

  /**
   * Level of a unit's first and second column, by entry, of as many units as have 64 entries; the
   * second is 0 where there is none.
   */
  private final float[] first = new float[MAX_UNIT_ENTRIES];

  private final float[] second = new float[MAX_UNIT_ENTRIES];
  private final float[] reorderedFirst = new float[MAX_UNIT_ENTRIES];
  private final float[] reorderedSecond = new float[MAX_UNIT_ENTRIES];
  private float maxLevel;

  /** Whether a matrix can be multiplied with a table: 2 to 4 bits with U4 scales. */
  public static boolean serves(Matrix.Packed w) {
    TileLayout layout = w.layout();
    return layout.scales() == TileLayout.Scales.U4 && layout.bits() >= 2;
  }

  /** Begins a table of a vector that w is multiplied with. */
  void start(Matrix.Packed w) {
    TileLayout layout = w.layout();
    cols = layout.cols();
    int padded = layout.paddedCols();
    if (x.length < padded) {
      x = new float[padded];
      scales = new float[padded / RUN_COLS];
    }
    runs = padded / RUN_COLS;
    if (bits != layout.bits() || !Arrays.equals(codebook, w.codebook())) {
      bits = layout.bits();
      setLevels(w.codebook());
    }
    long bytes = (long) runs * runEntries();
    if (entries.byteSize() < bytes) {
      unaligned = new byte[Math.toIntExact(bytes)];
      entries = Arena.ofAuto().allocate(bytes, ALIGNMENT);
    }
  }

  /** Takes the columns of some runs from values[at .. at + cols); beyond cols they are 0. */
  void load(float[] values, int at, int firstRun, int endRun) {
    int from = Math.min(cols, firstRun * RUN_COLS);
    int end = Math.min(cols, endRun * RUN_COLS);
    System.arraycopy(values, at + from, x, from, end - from);
    Arrays.fill(x, end, Math.max(end, endRun * RUN_COLS), 0);
  }

  private void setLevels(float[] levels) {
    codebook = levels;
    maxLevel = 0;
    for (float level : levels) {
      maxLevel = Math.max(maxLevel, Math.abs(level));
    }
    for (int i = 0; i < MAX_UNIT_ENTRIES; i++) {
      int entry = i % unitEntries();
      first[i] = levels[entry & levels.length - 1];
      second[i] = unitCols() == 1 ? 0 : levels[entry >> bits];
    }
    LevelLoops.reorder(first, reorderedFirst);
    LevelLoops.reorder(second, reorderedSecond);
  }

  /** Whether two matrices that read the same vector can share its table. */
  static boolean shared(Matrix.Packed w, Matrix.Packed other) {
    return w.cols() == other.cols()
        && w.layout().bits() == other.layout().bits()
        && (w.codebook() == other.codebook() || Arrays.equals(w.codebook(), other.codebook()));
  }

  /** Columns that share an entry. */
  int unitCols() {
    return bits == 4 ? 1 : 2;
  }

  int unitEntries() {
    return bits == 3 ? PAIR_ENTRIES : 16;
  }

  int unitsPerRun() {
    return RUN_COLS / unitCols();
  }

  int runEntries() {
    return unitsPerRun() * unitEntries();
  }

  int bits() {
    return bits;
  }

  int runs() {
    return runs;
  }

  /** [runs, units, entries of a unit], unsigned bytes; may be longer. */
  MemorySegment entries() {
    return entries;
  }

  /**
   * The same in an array, for vectors narrower than 64 bytes: few of them cross a line. Not written
   * where they are wider.
   */
  byte[] unaligned() {
    return unaligned;
  }

  /** Copies the entries of runs [firstRun, endRun) from an array to {@link #entries}. */
  void align(byte[] from, int at, int firstRun, int endRun) {
    int bytes = (endRun - firstRun) * runEntries();
    long to = (long) firstRun * runEntries();
    MemorySegment.copy(from, at, entries, ValueLayout.JAVA_BYTE, to, bytes);
  }

  /** One per run. */
  float[] scales() {
    return scales;
  }

  /** The vector, padded with zeros; a kernel may overwrite it. */
  float[] x() {
    return x;
  }

  float[] first() {
    return first;
  }

  float[] second() {
    return second;
  }

  /** {@link #first} as {@link LevelLoops} reads it. */
  float[] reorderedFirst() {
    return reorderedFirst;
  }

  float[] reorderedSecond() {
    return reorderedSecond;
  }

  float maxLevel() {
    return maxLevel;
  }
}
