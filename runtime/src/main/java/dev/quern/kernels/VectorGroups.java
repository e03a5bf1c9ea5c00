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
    vectors = newVectors;
    columns = newColumns;
    groups = count(vectors, kernels.groupVectors());
    int needed = Math.multiplyExact(groups * GROUP_STRIDE, columns);
    if (values.length < needed) {
      values = new float[needed];
    }
    for (int g = 0; g < groups; g++) {
      int first = first(g, groups, vectors);
      int size = first(g + 1, groups, vectors) - first;
      int at = g * columns * GROUP_STRIDE;
      kernels.group(x, offset + first * stride, stride, size, columns, values, at);
    }
  }

  /**
   * sums[sumsOffset + 64·t + r] += Σ_c panel[64·c + r] · vector t [c].
   *
   * @param panel 64 · columns values
   * @param sums 64 for each vector
   */
  public void addProduct(float[] panel, float[] sums, int sumsOffset) {
    for (int g = 0; g < groups; g++) {
      int first = first(g, groups, vectors);
      int size = first(g + 1, groups, vectors) - first;
      int at = g * columns * GROUP_STRIDE;
      kernels.multiplyPanel(
          panel, columns, size, values, at, sums, sumsOffset + first * TileLayout.TILE_ROWS);
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
