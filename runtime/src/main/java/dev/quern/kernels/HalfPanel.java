package dev.quern.kernels;

/**
 * Where the halves of a panel lie: a matrix of 64 rows whose columns come one after the other. What
 * attention multiplies comes from memory, and 32 rows are multiplied at once: so rows 0 to 31 of
 * all columns lie before rows 32 to 63 (measured with 8 vectors: 0.85 µs where whole columns follow
 * each other take 1.0). Of 32 rows, row i and row 16 + i are the lower and upper half of an int,
 * for vectors of every width.
 */
public final class HalfPanel {
  /** What vectors are multiplied with before {@link Kernels#multiplyHalves} reads them. */
  public static final float SCALE = 0x1p112f;

  /** Elements before the first panel of an array, which are read but do not matter. */
  public static final int LEAD = 1;

  /** Rows that lie together. */
  static final int ROWS = 32;

  /** Distance of the two rows of an int. */
  static final int PAIR = ROWS / 2;

  private HalfPanel() {}

  /**
   * Where an element lies in a panel.
   *
   * @param stride columns that the panel has room for
   * @param row in [0, 64)
   */
  public static int index(int stride, int column, int row) {
    return (row / ROWS * stride + column) * ROWS + row % PAIR * 2 + row % ROWS / PAIR;
  }
}
