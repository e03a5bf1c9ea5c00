package dev.quern.model;

import dev.quern.kernels.Kernels;
import dev.quern.kernels.MatMul;
import dev.quern.quant.Linear;
import java.util.Arrays;

/**
 * Collects products of linear maps with rows and runs them in one parallel region. What a map's
 * residual adds is computed beside it and added at the end.
 */
final class Products {
  private final MatMul matMul;
  private final Kernels kernels;
  private Pending[] pending = {};
  private int count;

  /** What a residual gives, until it is added. */
  private static final class Pending {
    private float[] sums = {};
    private float[] y;
    private int yOffset;
    private int length;
  }

  Products(MatMul matMul, Kernels kernels) {
    this.matMul = matMul;
    this.kernels = kernels;
  }

  /**
   * Adds y[yOffset + r·out .. + out) = W · row firstRow + r for r in [0, rows), out = rows of W.
   * Neither input nor output may change its array before {@link #run}.
   */
  void add(Linear map, Rows input, int firstRow, int rows, float[] y, int yOffset) {
    int in = input.width();
    int out = map.weight().rows();
    float[] x = input.rotated(map.rotation());
    matMul.add(map.weight(), x, firstRow * in, in, rows, y, yOffset, out);
    if (map.residual().isPresent()) {
      Pending sums = nextPending();
      sums.length = rows * out;
      sums.sums = Rows.grown(sums.sums, rows, out);
      sums.y = y;
      sums.yOffset = yOffset;
      float[] twice = input.residual(map);
      matMul.add(map.residual().get().signs(), twice, firstRow * in, in, rows, sums.sums, 0, out);
    }
  }

  private Pending nextPending() {
    if (count == pending.length) {
      pending = Arrays.copyOf(pending, Math.max(4, 2 * count));
    }
    if (pending[count] == null) {
      pending[count] = new Pending();
    }
    return pending[count++];
  }

  /** Forgets products that were added and not run: a pass begins without those of a failed one. */
  void forget() {
    count = 0;
    matMul.forget();
  }

  /** Computes all products added since the last run. */
  void run() {
    int added = count;
    count = 0; // before anything can fail: a later run must not add these
    matMul.run();
    for (int i = 0; i < added; i++) {
      Pending sums = pending[i];
      kernels.axpy(1, sums.sums, 0, sums.y, sums.yOffset, sums.length);
    }
  }
}
