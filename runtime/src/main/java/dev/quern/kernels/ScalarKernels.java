package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.TILE_ROWS;
import static dev.quern.kernels.VectorGroups.GROUP_STRIDE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The definition: one obvious loop per method, sums in double. */
public sealed class ScalarKernels implements Kernels permits LaneKernels {

  @Override
  public void hadamard(float[] x, int offset, int n) {
    checkPowerOfTwo(n);
    for (int half = 1; half < n; half *= 2) {
      for (int block = offset; block < offset + n; block += 2 * half) {
        butterflies(x, block, half);
      }
    }
    scale(hadamardScale(n), x, offset, n);
  }

  static void checkPowerOfTwo(int n) {
    if (Integer.bitCount(n) != 1 || n < 1) {
      throw new IllegalArgumentException("Hadamard length: expected a power of two, found " + n);
    }
  }

  static float hadamardScale(int n) {
    return (float) (1 / Math.sqrt(n));
  }

  /** (a, b) ← (a + b, a − b) for the pairs (block + i, block + half + i), i in [0, half). */
  static void butterflies(float[] x, int block, int half) {
    for (int i = block; i < block + half; i++) {
      float a = x[i];
      float b = x[i + half];
      x[i] = a + b;
      x[i + half] = a - b;
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
    int endRow = Math.min(TILE_ROWS * endTile, w.rows());
    for (int row = TILE_ROWS * firstTile; row < endRow; row++) {
      double sum = 0;
      for (int col = 0; col < w.cols(); col++) {
        sum += (double) weight(w, row, col) * x[xOffset + col];
      }
      y[yOffset + row] = (float) sum;
    }
  }

  @Override
  public void multiplyLevels(Matrix.Packed w, float[] x, int xOffset, ProductTable table) {
    table.start(w, x, xOffset);
    byte[] entries = table.ofRun();
    int count = table.levels().runEntries();
    for (int run = 0; run < table.runs(); run++) {
      multiplyLevels(table, run, entries);
      long at = (long) run * count;
      MemorySegment.copy(entries, 0, table.entries(), ValueLayout.JAVA_BYTE, at, count);
    }
  }

  private static void multiplyLevels(ProductTable table, int run, byte[] entries) {
    TableLevels levels = table.levels();
    float[] x = table.x();
    int col = run * TileLayout.RUN_COLS;
    int unitCols = levels.unitCols();
    float max = 0;
    for (int c = col; c < col + TileLayout.RUN_COLS; c += ProductTable.COUPLE * unitCols) {
      float size = Math.abs(x[c]) + Math.abs(x[c + 1]);
      if (unitCols == 2) {
        size += Math.abs(x[c + 2]) + Math.abs(x[c + 3]);
      }
      max = Math.max(max, size);
    }
    float peak = levels.max() * max;
    boolean none = peak < ProductTable.MIN_PEAK;
    table.scales()[run] = none ? 0 : peak / ProductTable.MAX_PRODUCT;
    float factor = none ? 0 : ProductTable.MAX_PRODUCT / peak;
    for (int unit = 0; unit < levels.unitsPerRun(); unit++) {
      int c = col + unit * unitCols;
      float a0 = x[c] * factor;
      float a1 = unitCols == 1 ? 0 : x[c + 1] * factor;
      for (int i = 0; i < levels.unitEntries(); i++) {
        float sum = Math.fma(levels.first()[i], a0, ProductTable.ROUNDER);
        if (unitCols == 2) {
          sum = Math.fma(levels.second()[i], a1, sum);
        }
        entries[unit * levels.unitEntries() + i] = (byte) (Float.floatToRawIntBits(sum) >> 8);
      }
    }
  }

  @Override
  public void gemv(
      Matrix.Packed w, int firstTile, int endTile, ProductTable x, float[] y, int yOffset) {
    int endRow = Math.min(TILE_ROWS * endTile, w.rows());
    for (int row = TILE_ROWS * firstTile; row < endRow; row++) {
      float sum = 0;
      for (int run = 0; run < x.runs(); run++) {
        float scale = w.scaleTable()[TilePacking.scaleCode(w, row, run)] * x.scales()[run];
        sum = Math.fma((float) sumOfRun(w, row, run, x), scale, sum);
      }
      y[yOffset + row] = sum * TilePacking.factor(w.layout(), w.data(), row);
    }
  }

  @Override
  public void multiplyByTable(
      TableBatch batch, int firstTile, int endTile, int firstVector, int endVector) {
    ProductTable table = new ProductTable();
    for (int vector = firstVector; vector < endVector; vector++) {
      batch.multiplyOneByOne(this, table, firstTile, endTile, vector);
    }
  }

  @Override
  public int maxTableVectors() {
    return TiledMatMul.MAX_DECODE_VECTORS;
  }

  private static int sumOfRun(Matrix.Packed w, int row, int run, ProductTable table) {
    TableLevels levels = table.levels();
    int bits = levels.bits();
    int sum = -ProductTable.runBias(levels.unitsPerRun());
    byte couple = 0;
    for (int unit = 0; unit < levels.unitsPerRun(); unit++) {
      int entry = 0;
      for (int c = 0; c < levels.unitCols(); c++) {
        entry |= TilePacking.index(w, row, run, unit * levels.unitCols() + c) << bits * c;
      }
      int at = run * levels.runEntries() + unit * levels.unitEntries() + entry;
      couple += table.entries().get(ValueLayout.JAVA_BYTE, at);
      if ((unit + 1) % ProductTable.COUPLE == 0) {
        sum += Byte.toUnsignedInt(couple);
        couple = 0;
      }
    }
    return sum;
  }

  @Override
  public void dequantize(Matrix.InPlace w, int tile, int firstCol, int endCol, float[] panel) {
    for (int col = firstCol; col < endCol; col++) {
      for (int r = 0; r < TILE_ROWS; r++) {
        int row = TILE_ROWS * tile + r;
        panel[TILE_ROWS * (col - firstCol) + r] = row < w.rows() ? weight(w, row, col) : 0;
      }
    }
  }

  private static float weight(Matrix.InPlace w, int row, int col) {
    return switch (w) {
      case Matrix.Packed packed -> TilePacking.weight(packed, row, col);
      case Matrix.Dense dense -> weight(dense, row, col);
    };
  }

  static float weight(Matrix.Dense w, int row, int col) {
    long at = ((long) row * w.cols() + col) * w.element().bytes();
    return switch (w.element()) {
      case F32 -> w.data().get(TilePacking.LE_FLOAT, at);
      case F16 -> Float.float16ToFloat(w.data().get(TilePacking.LE_SHORT, at));
      case BF16 -> Float.intBitsToFloat(w.data().get(TilePacking.LE_SHORT, at) << 16);
    };
  }

  @Override
  public int groupVectors() {
    return GROUP_STRIDE;
  }

  @Override
  public void group(
      float[] x, int xOffset, int xStride, int vectors, int columns, float[] out, int outOffset) {
    for (int i = 0; i < vectors; i++) {
      for (int c = 0; c < columns; c++) {
        out[outOffset + c * GROUP_STRIDE + i] = x[xOffset + i * xStride + c];
      }
    }
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
    for (int i = 0; i < vectors; i++) {
      for (int r = 0; r < TILE_ROWS; r++) {
        double sum = sums[sumsOffset + TILE_ROWS * i + r];
        for (int c = 0; c < columns; c++) {
          sum += (double) panel[TILE_ROWS * c + r] * x[xOffset + c * GROUP_STRIDE + i];
        }
        sums[sumsOffset + TILE_ROWS * i + r] = (float) sum;
      }
    }
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
    for (int i = 0; i < vectors; i++) {
      for (int r = 0; r < TILE_ROWS; r++) {
        double sum = sums[sumsOffset + TILE_ROWS * i + r];
        for (int c = 0; c < columns; c++) {
          float half = Float.float16ToFloat(halves[offset + HalfPanel.index(stride, c, r)]);
          sum += half / (double) HalfPanel.SCALE * x[xOffset + c * GROUP_STRIDE + i];
        }
        sums[sumsOffset + TILE_ROWS * i + r] = (float) sum;
      }
    }
  }

  @Override
  public boolean prefersHalves() {
    return false;
  }

  @Override
  public void widen(short[] halves, int offset, int stride, int columns, float[] panel) {
    for (int c = 0; c < columns; c++) {
      for (int r = 0; r < TILE_ROWS; r++) {
        short half = halves[offset + HalfPanel.index(stride, c, r)];
        panel[TILE_ROWS * c + r] = Float.float16ToFloat(half);
      }
    }
  }

  @Override
  public void transpose(float[] x, int xOffset, float[] out, int outOffset) {
    for (int r = 0; r < TILE_ROWS; r++) {
      for (int c = 0; c < TILE_ROWS; c++) {
        out[outOffset + TILE_ROWS * c + r] = x[xOffset + TILE_ROWS * r + c];
      }
    }
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
    for (int column = 0; column < TILE_ROWS; column++) {
      double recalled = 0;
      for (int i = 0; i < keyDim; i++) {
        recalled += (double) decay * memory[i * TILE_ROWS + column] * x[key + i];
      }
      double delta = beta * (values[column] - recalled);
      double read = 0;
      for (int i = 0; i < keyDim; i++) {
        int at = i * TILE_ROWS + column;
        memory[at] = (float) ((double) decay * memory[at] + delta * x[key + i]);
        read += (double) memory[at] * x[query + i];
      }
      values[column] = (float) delta;
      out[column] = (float) read;
    }
  }

  @Override
  public float dot(float[] a, int aOffset, float[] b, int bOffset, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += (double) a[aOffset + i] * b[bOffset + i];
    }
    return (float) sum;
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
    combine(weights, count, x, xOffset, xStride, y, yStride, 0, n);
  }

  /** Elements [first, n) of each row of y. */
  static void combine(
      float[] weights,
      int count,
      float[] x,
      int xOffset,
      int xStride,
      float[] y,
      int yStride,
      int first,
      int n) {
    for (int i = 0; i < count; i++) {
      for (int c = first; c < n; c++) {
        float sum = 0;
        for (int j = 0; j < count; j++) {
          sum = Math.fma(weights[count * i + j], x[xOffset + xStride * j + c], sum);
        }
        y[yStride * i + c] = sum;
      }
    }
  }

  @Override
  public void axpy(float scale, float[] x, int xOffset, float[] y, int yOffset, int n) {
    for (int i = 0; i < n; i++) {
      y[yOffset + i] = Math.fma(scale, x[xOffset + i], y[yOffset + i]);
    }
  }

  @Override
  public void multiplyAdd(
      float[] a, int aOffset, float[] x, int xOffset, float[] y, int yOffset, int n) {
    for (int i = 0; i < n; i++) {
      y[yOffset + i] = Math.fma(a[aOffset + i], x[xOffset + i], y[yOffset + i]);
    }
  }

  @Override
  public void scale(float scale, float[] x, int offset, int n) {
    for (int i = offset; i < offset + n; i++) {
      x[i] *= scale;
    }
  }

  @Override
  public void rmsNorm(
      float[] x, int xOffset, float[] weight, float epsilon, float[] out, int outOffset, int n) {
    double squares = 0;
    for (int i = 0; i < n; i++) {
      squares += (double) x[xOffset + i] * x[xOffset + i];
    }
    normalize(squares, x, xOffset, weight, epsilon, out, outOffset, n);
  }

  /** {@link #rmsNorm} after the sum of squares. */
  static void normalize(
      double squares,
      float[] x,
      int xOffset,
      float[] weight,
      float epsilon,
      float[] out,
      int outOffset,
      int n) {
    float scale = (float) (1 / Math.sqrt(squares / n + epsilon));
    for (int i = 0; i < n; i++) {
      out[outOffset + i] = x[xOffset + i] * scale * weight[i];
    }
  }

  static float max(float[] x, int offset, int n) {
    float max = Float.NEGATIVE_INFINITY;
    for (int i = offset; i < offset + n; i++) {
      max = Math.max(max, x[i]);
    }
    return max;
  }

  /** x ← exp(x − max), in place; returns their sum. */
  private static float exponentials(float[] x, int offset, int n, float max) {
    double sum = 0;
    for (int i = offset; i < offset + n; i++) {
      x[i] = (float) Math.exp(x[i] - max);
      sum += x[i];
    }
    return (float) sum;
  }

  @Override
  public float maxOfRuns(float[] x, int offset, int stride, int runs) {
    float max = Float.NEGATIVE_INFINITY;
    for (int run = 0; run < runs; run++) {
      max = Math.max(max, max(x, offset + run * stride, TILE_ROWS));
    }
    return max;
  }

  @Override
  public float exponentials(float[] x, int offset, int stride, int runs, float max, float scale) {
    double sum = 0;
    for (int run = 0; run < runs; run++) {
      for (int i = offset + run * stride; i < offset + run * stride + TILE_ROWS; i++) {
        double e = Math.exp(x[i] - max);
        x[i] = (float) e * scale;
        sum += (float) e;
      }
    }
    return (float) sum;
  }

  @Override
  public void softmax(float[] x, int offset, int n) {
    float sum = exponentials(x, offset, n, max(x, offset, n));
    scale(1 / sum, x, offset, n);
  }

  @Override
  public void sigmoidGate(float[] gate, int gateOffset, float[] x, int xOffset, int n) {
    for (int i = 0; i < n; i++) {
      x[xOffset + i] = (float) (x[xOffset + i] / (1 + Math.exp(-gate[gateOffset + i])));
    }
  }

  @Override
  public void swiGlu(float[] gate, int gateOffset, float[] up, int upOffset, int n) {
    for (int i = 0; i < n; i++) {
      double g = gate[gateOffset + i];
      gate[gateOffset + i] = (float) (g / (1 + Math.exp(-g)) * up[upOffset + i]);
    }
  }

  @Override
  public void clampedSwiGlu(
      float[] gate, int gateOffset, float[] up, int upOffset, int n, float limit, float alpha) {
    for (int i = 0; i < n; i++) {
      double g = Math.min(gate[gateOffset + i], limit);
      double u = Math.clamp(up[upOffset + i], -limit, limit);
      gate[gateOffset + i] = (float) ((u + 1) * g / (1 + Math.exp(-alpha * g)));
    }
  }
}
