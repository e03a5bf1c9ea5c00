package dev.quern.converter.shadow;

import dev.quern.kernels.VectorGroups;
import java.util.Arrays;

/**
 * Products of matrices that are cut into columns of 64 outputs, the shape of {@link
 * VectorGroups#addProduct}: block b holds outputs 64b to 64b + 63, element [64·i + r] belongs to
 * input i and output 64b + r. Weights, their gradients and a batch of activations all lie so, and
 * each is what the next product wants: nothing is repacked but the batch itself.
 */
final class Panels {
  static final int ROWS = 64;

  private static final int SQUARE = 16; // of a transposition, so that both sides stay in cache

  private Panels() {}

  /** Blocks that hold so many outputs. */
  static int blocks(int outputs) {
    return Math.ceilDiv(outputs, ROWS);
  }

  /** Zeros for a matrix of inputs × outputs. */
  static float[][] create(int inputs, int outputs) {
    return new float[blocks(outputs)][Math.multiplyExact(inputs, ROWS)];
  }

  static void clear(float[][] blocks, int inputs) {
    for (float[] block : blocks) {
      Arrays.fill(block, 0, inputs * ROWS, 0);
    }
  }

  /**
   * out[t, ·] += Σ_i x[t, i] w[i, ·] for t in [0, vectors).
   *
   * @param x [vectors, inputs]
   * @param groups scratch space
   */
  static void addProduct(
      VectorGroups groups, float[][] w, int inputs, float[] x, int vectors, float[][] out) {
    groups.set(x, 0, inputs, vectors, inputs);
    for (int b = 0; b < w.length; b++) {
      groups.addProduct(w[b], out[b], 0);
    }
  }

  /** rows[t · stride + 64b + r] = block b [64t + r]. */
  static void toRows(float[][] blocks, int vectors, float[] rows, int stride) {
    for (int b = 0; b < blocks.length; b++) {
      int width = Math.min(ROWS, stride - b * ROWS);
      for (int t = 0; t < vectors; t++) {
        System.arraycopy(blocks[b], t * ROWS, rows, t * stride + b * ROWS, width);
      }
    }
  }

  /** out [cols, rows] = the transpose of x [rows, cols]. */
  static void transpose(float[] x, int rows, int cols, float[] out) {
    for (int r0 = 0; r0 < rows; r0 += SQUARE) {
      int r1 = Math.min(rows, r0 + SQUARE);
      for (int c0 = 0; c0 < cols; c0 += SQUARE) {
        int c1 = Math.min(cols, c0 + SQUARE);
        for (int r = r0; r < r1; r++) {
          for (int c = c0; c < c1; c++) {
            out[c * rows + r] = x[r * cols + c];
          }
        }
      }
    }
  }
}
