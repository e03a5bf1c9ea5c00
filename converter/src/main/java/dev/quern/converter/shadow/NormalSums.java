package dev.quern.converter.shadow;

import dev.quern.kernels.Kernels;
import dev.quern.kernels.VectorGroups;
import java.io.Serializable;
import java.util.Arrays;

/**
 * The sums of the normal equations of a layer: XᵀX and XᵀY with features X = [features, 1] and
 * targets Y of all heads, side by side.
 *
 * <p>Rows are summed in float32 in batches of a fixed size, batches as integers of 2^-16. Integers
 * add up to the same whatever the order, so the sums do not depend on how rows were spread over
 * tasks, as long as every task has whole parts.
 */
public final class NormalSums implements Serializable {
  private static final long serialVersionUID = 1;
  private static final int BATCH_ROWS = 512;
  private static final double UNIT = 0x1p16;
  private static final double LIMIT = 0x1p50; // of a batch: 4,096 such still fit a long

  private long[] gram = {}; // [F + 1, F + 1]
  private long[] cross = {}; // [F + 1, O]
  private int size; // F + 1
  private int outputs; // O
  private long rows;

  /** Adds rows, with features as they are. */
  void add(LayerRows data, TokenTable table) {
    float[] ones = new float[data.hiddenSize() + table.width()];
    Arrays.fill(ones, 1);
    Features features = new Features(table, ones);
    int heads = data.distances() + 1;
    int count = features.count();
    reserve(count + 1, heads * data.numExperts());
    VectorGroups columns = new VectorGroups(Kernels.best());
    float[] x = new float[BATCH_ROWS * size];
    float[] y = new float[BATCH_ROWS * outputs];
    float[] transposed = new float[BATCH_ROWS * size];
    float[][] right = Panels.create(BATCH_ROWS, Math.max(size, outputs));
    float[][] sums = Panels.create(size, Math.max(size, outputs));
    float[] flat = new float[size * Math.max(size, outputs)];
    for (int from = 0; from < data.rows(); from += BATCH_ROWS) {
      int n = Math.min(BATCH_ROWS, data.rows() - from);
      for (int t = 0; t < n; t++) {
        features.read(data, from + t, x, t * size);
        x[t * size + count] = 1;
        for (int h = 0; h < heads; h++) {
          data.target(from + t, h, y, t * outputs + h * data.numExperts());
        }
      }
      Panels.transpose(x, n, size, transposed);
      columns.set(transposed, 0, n, size, n);
      product(columns, x, size, n, right, sums, flat, gram);
      product(columns, y, outputs, n, right, sums, flat, cross);
      rows += n;
    }
  }

  /** into += Xᵀ other, with Xᵀ [size, n] in columns. */
  private void product(
      VectorGroups columns,
      float[] other,
      int width,
      int n,
      float[][] right,
      float[][] sums,
      float[] flat,
      long[] into) {
    for (int b = 0; b < Panels.blocks(width); b++) {
      int used = Math.min(Panels.ROWS, width - b * Panels.ROWS);
      for (int t = 0; t < n; t++) {
        System.arraycopy(other, t * width + b * Panels.ROWS, right[b], t * Panels.ROWS, used);
      }
      Arrays.fill(sums[b], 0);
      columns.addProduct(right[b], sums[b], 0);
      for (int i = 0; i < size; i++) {
        System.arraycopy(sums[b], i * Panels.ROWS, flat, i * width + b * Panels.ROWS, used);
      }
    }
    for (int i = 0; i < into.length; i++) {
      if (!(Math.abs(flat[i]) < LIMIT / UNIT)) {
        throw new IllegalArgumentException(
            "traces: the router's inputs are too large to sum: " + flat[i]);
      }
      into[i] += Math.round(flat[i] * UNIT);
    }
  }

  private void reserve(int newSize, int newOutputs) {
    if (gram.length == 0) {
      size = newSize;
      outputs = newOutputs;
      gram = new long[Math.multiplyExact(size, size)];
      cross = new long[Math.multiplyExact(size, outputs)];
    } else if (size != newSize || outputs != newOutputs) {
      throw new IllegalArgumentException(
          "sums of %d by %d, rows of %d by %d".formatted(size, outputs, newSize, newOutputs));
    }
  }

  /** Adds the sums of other rows. */
  public NormalSums merge(NormalSums other) {
    if (other.rows == 0) {
      return this;
    }
    reserve(other.size, other.outputs);
    for (int i = 0; i < gram.length; i++) {
      gram[i] += other.gram[i];
    }
    for (int i = 0; i < cross.length; i++) {
      cross[i] += other.cross[i];
    }
    rows += other.rows;
    return this;
  }

  public long rows() {
    return rows;
  }

  /** Features without the constant. */
  int features() {
    return size - 1;
  }

  int outputs() {
    return outputs;
  }

  /** Mean product of two features; the last feature is the constant 1. */
  double gram(int i, int j) {
    return gram[i * size + j] / UNIT / rows;
  }

  /** Mean product of a feature and a target. */
  double cross(int i, int output) {
    return cross[i * outputs + output] / UNIT / rows;
  }
}
