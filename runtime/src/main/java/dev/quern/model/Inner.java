package dev.quern.model;

import dev.quern.experts.ExpertStore;
import dev.quern.kernels.Workers;

/** Gate and up of some rows, until they are joined in gate, the input of down. */
final class Inner {
  /** No rows. */
  static final Inner NONE = new Inner(null, 0);

  private final int size;
  private final Rows down;
  private int rows;
  private float[] gate = {};
  private float[] up = {};

  /**
   * @param size of the expert or MLP
   */
  Inner(Workers workers, int size) {
    this.size = size;
    down = new Rows(workers, size);
  }

  void start(int newRows) {
    rows = newRows;
    gate = down.start(rows);
    up = Rows.grown(up, rows, size);
  }

  /** Adds the products with input rows [from, from + count), to rows from row on. */
  void addGateAndUp(
      Products products, ExpertStore.Expert expert, Rows input, int from, int count, int row) {
    products.add(expert.gate(), input, from, count, gate, row * size);
    products.add(expert.up(), input, from, count, up, row * size);
  }

  int size() {
    return size;
  }

  int rows() {
    return rows;
  }

  /** [rows, size]; after the activation what down reads. */
  float[] gate() {
    return gate;
  }

  float[] up() {
    return up;
  }

  Rows down() {
    return down;
  }
}
