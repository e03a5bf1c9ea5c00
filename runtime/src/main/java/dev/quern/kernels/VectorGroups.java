package dev.quern.kernels;

/**
 * A batch of vectors in groups of about equal size, those of a group side by side: what {@link
 * Kernels#multiplyPanel} reads. Group g begins at element first(g) · columns.
 */
public final class VectorGroups {
  /** Room for the vectors of the largest group; those of a smaller one leave the rest unused. */
  static final int GROUP_STRIDE = 8;

  private final Kernels kernels;
  private float[] values = {};
  private int vectors;
  private int columns;
  private int groups;

  public VectorGroups(Kernels kernels) {
    this.kernels = kernels;
  }

  /**
   * Takes the vectors x[offset + t·stride .. + columns) for t in [0, vectors).
   *
   * @param newVectors 0 or more
   */
  public void set(float[] x, int offset, int stride, int newVectors, int newColumns) {
    start(newVectors, newColumns);
    setColumns(x, offset, stride, 0, columns);
  }

  /** Begins with vectors whose columns are to be set by {@link #setColumns}. */
  public void start(int newVectors, int newColumns) {
    vectors = newVectors;
    columns = newColumns;
    groups = count(vectors, kernels.groupVectors());
    int needed = Math.multiplyExact(groups * GROUP_STRIDE, columns);
    if (values.length < needed) {
      values = new float[needed];
    }
  }

  /** Columns [column, column + n) of vector t ← x[offset + t·stride .. + n). */
  public void setColumns(float[] x, int offset, int stride, int column, int n) {
    for (int g = 0; g < groups; g++) {
      int first = first(g, groups, vectors);
      int size = first(g + 1, groups, vectors) - first;
      int at = (g * columns + column) * GROUP_STRIDE;
      kernels.group(x, offset + first * stride, stride, size, n, values, at);
    }
  }

  /**
   * sums[sumsOffset + 64·t + r] += Σ_c panel[64·c + r] · vector t [c].
   *
   * @param panel 64 · columns values
   * @param sums 64 for each vector
   */
  public void addProduct(float[] panel, float[] sums, int sumsOffset) {
    addProduct(panel, 0, columns, sums, sumsOffset);
  }

  /**
   * sums[sumsOffset + 64·t + r] += Σ_c panel[64·c + r] · vector t [column + c], c in [0, n).
   *
   * @param panel 64 · n values
   */
  public void addProduct(float[] panel, int column, int n, float[] sums, int sumsOffset) {
    for (int g = 0; g < groups; g++) {
      int first = first(g, groups, vectors);
      int size = first(g + 1, groups, vectors) - first;
      int at = (g * columns + column) * GROUP_STRIDE;
      int to = sumsOffset + first * TileLayout.TILE_ROWS;
      kernels.multiplyPanel(panel, n, size, values, at, sums, to);
    }
  }

  /**
   * sums[sumsOffset + 64·t + r] += Σ_c 2^-112 · half (c, r) · vector t [c] for a panel of halves as
   * {@link Kernels#multiplyHalves} reads it.
   */
  public void addProduct(short[] halves, int offset, int stride, float[] sums, int sumsOffset) {
    for (int g = 0; g < groups; g++) {
      int first = first(g, groups, vectors);
      int size = first(g + 1, groups, vectors) - first;
      int at = g * columns * GROUP_STRIDE;
      int to = sumsOffset + first * TileLayout.TILE_ROWS;
      kernels.multiplyHalves(halves, offset, stride, columns, size, values, at, sums, to);
    }
  }

  /** Groups of at most so many vectors. */
  static int count(int vectors, int most) {
    return Math.ceilDiv(vectors, most);
  }

  /** First vector of a group; of the group after the last, the number of vectors. */
  static int first(int group, int groups, int vectors) {
    return (int) ((long) group * vectors / groups);
  }
}
