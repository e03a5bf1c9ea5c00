package dev.quern.kernels;

import java.util.Arrays;

/**
 * The vectors of the small batches of one run as {@link ProductTable}s: a table serves all matrices
 * that read its vector. Kept and filled again by later runs.
 */
final class TableInputs {
  /** Index where no table is needed. */
  static final int NONE = -1;

  /** How far back a product looks for a table of its vector. */
  private static final int RECENT = 16;

  /** Columns below which filling the tables takes about as long as waking a thread. */
  private static final int MIN_SHARED_COLUMNS = 1 << 11;

  private final Kernels kernels;
  private final Workers.Task fill = this::fill;
  private Input[] inputs = {};
  private int count;
  private int columns;

  /** A vector and what it is multiplied with. */
  private static final class Input {
    private final ProductTable products = new ProductTable();
    private Matrix.Packed w;
    private float[] x;
    private int at;
  }

  TableInputs(Kernels kernels) {
    this.kernels = kernels;
  }

  /** The index of the table of x[at .. at + cols); {@link #NONE} if the matrix needs none. */
  int add(Matrix w, float[] x, int at) {
    if (!(w instanceof Matrix.Packed packed && ProductTable.serves(packed))) {
      return NONE;
    }
    for (int i = count - 1; i >= Math.max(0, count - RECENT); i--) {
      if (inputs[i].x == x && inputs[i].at == at && TableLevels.shared(inputs[i].w, packed)) {
        return i;
      }
    }
    if (count == inputs.length) {
      inputs = Arrays.copyOf(inputs, Math.max(8, 2 * count));
    }
    if (inputs[count] == null) {
      inputs[count] = new Input();
    }
    Input input = inputs[count];
    input.w = packed;
    input.x = x;
    input.at = at;
    columns += packed.cols();
    return count++;
  }

  /** Fills the tables added since {@link #forget}. */
  void run(Workers workers) {
    if (count > 1 && columns >= MIN_SHARED_COLUMNS) {
      workers.run(count, fill);
    } else {
      for (int i = 0; i < count; i++) {
        fill(i, 0);
      }
    }
  }

  private void fill(int index, int thread) {
    Input input = inputs[index];
    kernels.multiplyLevels(input.w, input.x, input.at, input.products);
  }

  ProductTable table(int index) {
    return inputs[index].products;
  }

  void forget() {
    for (int i = 0; i < count; i++) {
      inputs[i].w = null;
      inputs[i].x = null;
    }
    count = 0;
    columns = 0;
  }
}
