package dev.quern.kernels;

/**
 * The {@link ProductTable}s that one thread multiplies with. Every thread fills its own: in 2 to 4
 * microseconds for 2048 columns, less than handing out pieces of a common one takes, whose cache
 * lines would then travel between cores twice.
 */
final class ThreadTables {
  /** Vectors of a small batch, and some that other products of the same run read meanwhile. */
  private static final int KEPT = TiledMatMul.MAX_DECODE_VECTORS + 2;

  private final Kernels kernels;
  private final Kept[] kept = new Kept[KEPT];
  private int next;

  /** A table and where its vector was read. */
  private static final class Kept {
    private final ProductTable table = new ProductTable();
    private float[] x;
    private int at;
    private long run;
  }

  ThreadTables(Kernels kernels) {
    this.kernels = kernels;
  }

  /**
   * The table of x[at .. at + cols) and the levels of w.
   *
   * @param run in which the vector does not change
   */
  ProductTable table(Matrix.Packed w, float[] x, int at, long run) {
    for (Kept one : kept) {
      if (one != null && one.run == run && one.x == x && one.at == at && one.table.isFor(w)) {
        return one.table;
      }
    }
    if (kept[next] == null) {
      kept[next] = new Kept();
    }
    Kept one = kept[next];
    next = (next + 1) % KEPT;
    one.x = x;
    one.at = at;
    one.run = run;
    kernels.multiplyLevels(w, x, at, one.table);
    return one.table;
  }
}
