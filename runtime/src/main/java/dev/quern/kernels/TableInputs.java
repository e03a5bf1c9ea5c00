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

  /** Of a piece: with fewer, filling them takes about as long as handing them over. */
  private static final int PIECE_ENTRIES = 32 << 10;

  private final Kernels kernels;
  private final Workers.Task fill = this::fill;
  private Input[] inputs = {};
  private int[] firstPieces = {};
  private int count;
  private int pieces;

  /** A vector and what it is multiplied with. */
  private static final class Input {
    private final ProductTable products = new ProductTable();
    private Matrix.Packed w;
    private float[] x;
    private int at;
    private int pieceRuns;
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
      firstPieces = Arrays.copyOf(firstPieces, inputs.length);
    }
    if (inputs[count] == null) {
      inputs[count] = new Input();
    }
    Input input = inputs[count];
    input.w = packed;
    input.x = x;
    input.at = at;
    input.products.start(packed);
    input.pieceRuns = PIECE_ENTRIES / input.products.levels().runEntries();
    firstPieces[count] = pieces;
    pieces += Math.ceilDiv(input.products.runs(), input.pieceRuns);
    return count++;
  }

  /** Fills the tables added since {@link #forget}. */
  void run(Workers workers) {
    if (pieces > 0) {
      workers.run(pieces, fill);
    }
  }

  private void fill(int piece, int thread) {
    int found = Arrays.binarySearch(firstPieces, 0, count, piece);
    int index = found >= 0 ? found : -found - 2;
    Input input = inputs[index];
    int first = (piece - firstPieces[index]) * input.pieceRuns;
    int end = Math.min(first + input.pieceRuns, input.products.runs());
    kernels.multiplyLevels(input.x, input.at, input.products, first, end);
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
    pieces = 0;
  }
}
