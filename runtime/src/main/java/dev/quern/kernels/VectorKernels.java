package dev.quern.kernels;

import static dev.quern.kernels.Lanes.COUNT;
import static jdk.incubator.vector.VectorOperators.MAX;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** {@link ScalarKernels} with jdk.incubator.vector, at the width {@link Lanes} chose. */
public final class VectorKernels implements Kernels {
  private static final VectorSpecies<Float> FLOATS = Lanes.FLOATS;

  private static final ScalarKernels SCALAR = new ScalarKernels();

  /** [half, lane]: −1 where the lane holds b of a − b, else 1. */
  private static final float[] SIGNS = new float[COUNT * COUNT];

  static {
    for (int i = 0; i < SIGNS.length; i++) {
      SIGNS[i] = (i % COUNT & i / COUNT) == 0 ? 1 : -1;
    }
  }

  private final boolean prefetches = Prefetch.pays();
  private final ThreadLocal<PackedVectors> packed =
      ThreadLocal.withInitial(() -> new PackedVectors(prefetches));
  private final ThreadLocal<TilePanels> panels = ThreadLocal.withInitial(TilePanels::new);
  private final ThreadLocal<TableVectors> tables =
      ThreadLocal.withInitial(() -> new TableVectors(prefetches));
  private final ThreadLocal<TableBatches> batches =
      ThreadLocal.withInitial(() -> new TableBatches(prefetches));
  private final ThreadLocal<VectorGrouping> grouping = ThreadLocal.withInitial(VectorGrouping::new);
  private final ThreadLocal<DenseVectors> dense = ThreadLocal.withInitial(DenseVectors::new);

  @Override
  public void hadamard(float[] x, int offset, int n) {
    ScalarKernels.checkPowerOfTwo(n);
    if (n < COUNT) {
      SCALAR.hadamard(x, offset, n);
      return;
    }
    for (int half = 1; half < COUNT; half *= 2) {
      butterfliesWithin(x, offset, n, half);
    }
    for (int half = COUNT; half < n; half *= 2) {
      for (int block = offset; block < offset + n; block += 2 * half) {
        butterflies(x, block, half);
      }
    }
    scale(ScalarKernels.hadamardScale(n), x, offset, n);
  }

  /** Pairs closer than one vector: (a, b) ← (b + a, a + b · −1), the same two roundings. */
  private static void butterfliesWithin(float[] x, int offset, int n, int half) {
    FloatVector signs = FloatVector.fromArray(FLOATS, SIGNS, half * COUNT);
    for (int i = offset; i < offset + n; i += COUNT) {
      FloatVector a = FloatVector.fromArray(FLOATS, x, i);
      a.fma(signs, Lanes.swapped(a, half)).intoArray(x, i);
    }
  }

  private static void butterflies(float[] x, int block, int half) {
    for (int i = block; i < block + half; i += COUNT) {
      FloatVector a = FloatVector.fromArray(FLOATS, x, i);
      FloatVector b = FloatVector.fromArray(FLOATS, x, i + half);
      a.add(b).intoArray(x, i);
      a.sub(b).intoArray(x, i + half);
    }
  }

  @Override
  public void scale(float scale, float[] x, int offset, int n) {
    int i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      FloatVector.fromArray(FLOATS, x, offset + i).mul(scale).intoArray(x, offset + i);
    }
    for (; i < n; i++) {
      x[offset + i] *= scale;
    }
  }

  @Override
  public void gemv(
      Matrix.InPlace w,
      int firstTile,
      int endTile,
      float[] x,
      int xOffset,
      float[] y,
      int yOffset) {
    switch (w) {
      case Matrix.Packed p -> packed.get().gemv(p, firstTile, endTile, x, xOffset, y, yOffset);
      case Matrix.Dense d -> {
        DenseVectors vectors = dense.get();
        for (int tile = firstTile; tile < endTile; tile++) {
          vectors.gemv(d, tile, x, xOffset, y, yOffset);
        }
      }
    }
  }

  @Override
  public void multiplyLevels(Matrix.Packed w, float[] x, int xOffset, ProductTable table) {
    table.start(w, x, xOffset);
    LevelLoops.fill(table);
  }

  @Override
  public void gemv(
      Matrix.Packed w, int firstTile, int endTile, ProductTable x, float[] y, int yOffset) {
    tables.get().gemv(w, firstTile, endTile, x, y, yOffset);
  }

  @Override
  public void multiplyByTable(
      TableBatch batch, int firstTile, int endTile, int firstVector, int endVector) {
    if (COUNT == 16) {
      batches.get().multiply(batch, firstTile, endTile, firstVector, endVector);
    } else {
      SCALAR.multiplyByTable(batch, firstTile, endTile, firstVector, endVector);
    }
  }

  @Override
  public int maxTableVectors() {
    return COUNT == 16 ? Integer.MAX_VALUE : TiledMatMul.MAX_DECODE_VECTORS;
  }

  @Override
  public void dequantize(Matrix.InPlace w, int tile, int firstCol, int endCol, float[] panel) {
    switch (w) {
      case Matrix.Packed p -> panels.get().dequantize(p, tile, firstCol, endCol, panel);
      case Matrix.Dense d -> dense.get().dequantize(d, tile, firstCol, endCol, panel);
    }
  }

  @Override
  public int groupVectors() {
    return PanelVectors.MAX_VECTORS;
  }

  @Override
  public void group(
      float[] x, int xOffset, int xStride, int vectors, int columns, float[] out, int outOffset) {
    grouping.get().group(x, xOffset, xStride, vectors, columns, out, outOffset);
  }

  @Override
  public void multiplyPanel(
      float[] panel,
      int columns,
      int vectors,
      float[] x,
      int xOffset,
      float[] sums,
      int sumsOffset) {
    PanelVectors.multiply(panel, columns, vectors, x, xOffset, sums, sumsOffset);
  }

  @Override
  public void multiplyHalves(
      short[] halves,
      int offset,
      int stride,
      int columns,
      int vectors,
      float[] x,
      int xOffset,
      float[] sums,
      int sumsOffset) {
    HalfVectors.multiply(
        halves, offset, stride, columns, vectors, x, xOffset, sums, sumsOffset, prefetches);
  }

  @Override
  public boolean prefersHalves() {
    return true;
  }

  @Override
  public void widen(short[] halves, int offset, int stride, int columns, float[] panel) {
    HalfVectors.widen(halves, offset, stride, columns, panel);
  }

  @Override
  public void transpose(float[] x, int xOffset, float[] out, int outOffset) {
    dense.get().transpose(x, xOffset, out, outOffset);
  }

  @Override
  public void deltaStep(
      float[] memory,
      int keyDim,
      float decay,
      float beta,
      float[] x,
      int query,
      int key,
      float[] values,
      float[] out) {
    float queryKey = dot(x, query, x, key, keyDim);
    DeltaVectors.step(memory, keyDim, decay, beta, queryKey, x, query, key, values, out);
  }

  @Override
  public float dot(float[] a, int aOffset, float[] b, int bOffset, int n) {
    FloatVector s0 = FloatVector.zero(FLOATS);
    FloatVector s1 = s0;
    int i = 0;
    for (; i <= n - 2 * COUNT; i += 2 * COUNT) {
      s0 = product(a, aOffset + i, b, bOffset + i, s0);
      s1 = product(a, aOffset + i + COUNT, b, bOffset + i + COUNT, s1);
    }
    for (; i <= n - COUNT; i += COUNT) {
      s0 = product(a, aOffset + i, b, bOffset + i, s0);
    }
    float sum = Lanes.sum(s0.add(s1));
    for (; i < n; i++) {
      sum += a[aOffset + i] * b[bOffset + i];
    }
    return sum;
  }

  private static FloatVector product(float[] a, int aAt, float[] b, int bAt, FloatVector sum) {
    return FloatVector.fromArray(FLOATS, a, aAt).fma(FloatVector.fromArray(FLOATS, b, bAt), sum);
  }

  @Override
  public void combine(
      float[] weights,
      int count,
      float[] x,
      int xOffset,
      int xStride,
      float[] y,
      int yStride,
      int n) {
    int c = 0;
    for (; c <= n - COUNT; c += COUNT) {
      for (int i = 0; i < count; i++) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int j = 0; j < count; j++) {
          FloatVector weight = FloatVector.broadcast(FLOATS, weights[count * i + j]);
          sum = FloatVector.fromArray(FLOATS, x, xOffset + xStride * j + c).fma(weight, sum);
        }
        sum.intoArray(y, yStride * i + c);
      }
    }
    ScalarKernels.combine(weights, count, x, xOffset, xStride, y, yStride, c, n);
  }

  @Override
  public void axpy(float scale, float[] x, int xOffset, float[] y, int yOffset, int n) {
    FloatVector scales = FloatVector.broadcast(FLOATS, scale);
    int i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      FloatVector.fromArray(FLOATS, x, xOffset + i)
          .fma(scales, FloatVector.fromArray(FLOATS, y, yOffset + i))
          .intoArray(y, yOffset + i);
    }
    SCALAR.axpy(scale, x, xOffset + i, y, yOffset + i, n - i);
  }

  @Override
  public void multiplyAdd(
      float[] a, int aOffset, float[] x, int xOffset, float[] y, int yOffset, int n) {
    int i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      product(a, aOffset + i, x, xOffset + i, FloatVector.fromArray(FLOATS, y, yOffset + i))
          .intoArray(y, yOffset + i);
    }
    SCALAR.multiplyAdd(a, aOffset + i, x, xOffset + i, y, yOffset + i, n - i);
  }

  @Override
  public void rmsNorm(
      float[] x, int xOffset, float[] weight, float epsilon, float[] out, int outOffset, int n) {
    float squares = dot(x, xOffset, x, xOffset, n);
    float scale = (float) (1 / Math.sqrt((double) squares / n + epsilon));
    int i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      FloatVector.fromArray(FLOATS, x, xOffset + i)
          .mul(scale)
          .mul(FloatVector.fromArray(FLOATS, weight, i))
          .intoArray(out, outOffset + i);
    }
    for (; i < n; i++) {
      out[outOffset + i] = x[xOffset + i] * scale * weight[i];
    }
  }

  @Override
  public void softmax(float[] x, int offset, int n) {
    float sum = exponentials(x, offset, n, max(x, offset, n));
    scale(1 / sum, x, offset, n);
  }

  private static float max(float[] x, int offset, int n) {
    FloatVector m0 = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
    FloatVector m1 = m0;
    int i = 0;
    for (; i <= n - 2 * COUNT; i += 2 * COUNT) {
      m0 = m0.max(FloatVector.fromArray(FLOATS, x, offset + i));
      m1 = m1.max(FloatVector.fromArray(FLOATS, x, offset + i + COUNT));
    }
    float max = m0.max(m1).reduceLanes(MAX);
    for (; i < n; i++) {
      max = Math.max(max, x[offset + i]);
    }
    return max;
  }

  /** x ← exp(x − max), in place; returns their sum. */
  private static float exponentials(float[] x, int offset, int n, float max) {
    FloatVector sums = FloatVector.zero(FLOATS);
    int i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      FloatVector e = Lanes.exp(FloatVector.fromArray(FLOATS, x, offset + i).sub(max));
      e.intoArray(x, offset + i);
      sums = sums.add(e);
    }
    float sum = Lanes.sum(sums);
    for (; i < n; i++) {
      x[offset + i] = (float) Math.exp(x[offset + i] - max);
      sum += x[offset + i];
    }
    return sum;
  }

  @Override
  public float maxOfRuns(float[] x, int offset, int stride, int runs) {
    FloatVector m0 = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
    FloatVector m1 = m0;
    for (int run = 0; run < runs; run++) {
      int at = offset + run * stride;
      for (int i = at; i < at + TileLayout.TILE_ROWS; i += 2 * COUNT) {
        m0 = m0.max(FloatVector.fromArray(FLOATS, x, i));
        m1 = m1.max(FloatVector.fromArray(FLOATS, x, i + COUNT));
      }
    }
    return m0.max(m1).reduceLanes(MAX);
  }

  @Override
  public float exponentials(float[] x, int offset, int stride, int runs, float max, float scale) {
    FloatVector sums = FloatVector.zero(FLOATS);
    for (int run = 0; run < runs; run++) {
      int at = offset + run * stride;
      for (int i = at; i < at + TileLayout.TILE_ROWS; i += COUNT) {
        FloatVector e = Lanes.exp(FloatVector.fromArray(FLOATS, x, i).sub(max));
        e.mul(scale).intoArray(x, i);
        sums = sums.add(e);
      }
    }
    return Lanes.sum(sums);
  }

  @Override
  public void sigmoidGate(float[] gate, int gateOffset, float[] x, int xOffset, int n) {
    int i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      FloatVector g = FloatVector.fromArray(FLOATS, gate, gateOffset + i);
      FloatVector.fromArray(FLOATS, x, xOffset + i)
          .div(Lanes.exp(g.neg()).add(1))
          .intoArray(x, xOffset + i);
    }
    SCALAR.sigmoidGate(gate, gateOffset + i, x, xOffset + i, n - i);
  }

  @Override
  public void swiGlu(float[] gate, int gateOffset, float[] up, int upOffset, int n) {
    int i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      FloatVector g = FloatVector.fromArray(FLOATS, gate, gateOffset + i);
      g.div(Lanes.exp(g.neg()).add(1))
          .mul(FloatVector.fromArray(FLOATS, up, upOffset + i))
          .intoArray(gate, gateOffset + i);
    }
    SCALAR.swiGlu(gate, gateOffset + i, up, upOffset + i, n - i);
  }

  @Override
  public void clampedSwiGlu(
      float[] gate, int gateOffset, float[] up, int upOffset, int n, float limit, float alpha) {
    int i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      FloatVector g = FloatVector.fromArray(FLOATS, gate, gateOffset + i).min(limit);
      FloatVector u = FloatVector.fromArray(FLOATS, up, upOffset + i).max(-limit).min(limit);
      g.mul(u.add(1)).div(Lanes.exp(g.mul(-alpha)).add(1)).intoArray(gate, gateOffset + i);
    }
    SCALAR.clampedSwiGlu(gate, gateOffset + i, up, upOffset + i, n - i, limit, alpha);
  }
}
