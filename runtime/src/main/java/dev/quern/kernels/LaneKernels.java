package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.RUN_COLS;
import static dev.quern.kernels.TileLayout.TILE_ROWS;
import static dev.quern.kernels.VectorGroups.GROUP_STRIDE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * The bits of {@link VectorKernels} from plain loops. Until C2 has compiled them, vectors are
 * objects and take some hundred times as long; a plain loop is bearable from the start. What {@link
 * ScalarKernels} adds up in double is rounded here after every operation, in the order of the
 * vectors and their lanes.
 *
 * <p>Methods allocate what scratch space they need.
 */
final class LaneKernels extends ScalarKernels {
  private static final int LANES = Lanes.COUNT;

  /** Vectors of sums that {@link #dot} keeps. */
  private static final int DOT_VECTORS = 2;

  private static final int QUARTER_ROWS = TILE_ROWS / 4;

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
      case Matrix.Dense dense -> {
        int endRow = Math.min(TILE_ROWS * endTile, dense.rows());
        float[] sums = new float[DenseVectors.step(dense.element())];
        float[] weights = new float[dense.cols()];
        for (int row = TILE_ROWS * firstTile; row < endRow; row++) {
          load(dense, row, weights);
          y[yOffset + row] = product(weights, x, xOffset, sums);
        }
      }
      case Matrix.Packed packed -> {
        for (int tile = firstTile; tile < endTile; tile++) {
          multiply(packed, tile, x, xOffset, y, yOffset);
        }
      }
    }
  }

  /** Copied first, as an element of a segment takes long to read before C2 has compiled it. */
  private static void load(Matrix.Dense w, int row, float[] weights) {
    long at = (long) row * w.cols() * w.element().bytes();
    if (w.element() == Matrix.Element.F32) {
      MemorySegment.copy(w.data(), TilePacking.LE_FLOAT, at, weights, 0, weights.length);
      return;
    }
    boolean bf16 = w.element() == Matrix.Element.BF16;
    short[] stored = new short[weights.length];
    MemorySegment.copy(w.data(), TilePacking.LE_SHORT, at, stored, 0, stored.length);
    for (int i = 0; i < stored.length; i++) {
      weights[i] = bf16 ? Float.intBitsToFloat(stored[i] << 16) : Float.float16ToFloat(stored[i]);
    }
  }

  private static float product(float[] weights, float[] x, int xOffset, float[] sums) {
    Arrays.fill(sums, 0);
    int whole = weights.length - weights.length % sums.length;
    for (int col = 0; col < whole; col += sums.length) {
      for (int i = 0; i < sums.length; i++) {
        sums[i] = Math.fma(weights[col + i], x[xOffset + col + i], sums[i]);
      }
    }
    for (int vectors = sums.length / LANES; vectors > 1; vectors /= 2) { // (0 + 1) + (2 + 3)
      for (int i = 0; i < vectors / 2 * LANES; i++) {
        int first = i / LANES * 2 * LANES + i % LANES;
        sums[i] = sums[first] + sums[first + LANES];
      }
    }
    float sum = sumOfLanes(sums);
    for (int col = whole; col < weights.length; col++) {
      sum += weights[col] * x[xOffset + col];
    }
    return sum;
  }

  /** As {@link Lanes#sum}, of the first lanes; leaves them changed. */
  private static float sumOfLanes(float[] lanes) {
    for (int half = LANES / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) {
        lanes[i] += lanes[i + half];
      }
    }
    return lanes[0];
  }

  /**
   * One tile, as {@link PackedVectors} does it: sums of runs, then of their products with scales.
   */
  private static void multiply(
      Matrix.Packed w, int tile, float[] x, int xOffset, float[] y, int yOffset) {
    TileLayout layout = w.layout();
    int rows = Math.min(TILE_ROWS, layout.rows() - TILE_ROWS * tile);
    float[] padded = new float[layout.paddedCols()];
    System.arraycopy(x, xOffset, padded, 0, layout.cols());
    for (int r = 0; r < rows; r++) {
      int row = TILE_ROWS * tile + r;
      float sum = 0;
      for (int block = 0; block < layout.blocks(); block++) {
        sum = addBlock(w, row, block, padded, sum);
      }
      boolean factors = layout.factors() > 0;
      y[yOffset + row] = factors ? sum * TilePacking.factor(layout, w.data(), row) : sum;
    }
  }

  private static float addBlock(Matrix.Packed w, int row, int block, float[] x, float sum) {
    TileLayout layout = w.layout();
    int first = block * layout.blockCols() / RUN_COLS;
    int end = (block + 1) * layout.blockCols() / RUN_COLS;
    if (layout.scales() == TileLayout.Scales.F16) {
      float ofRuns = 0;
      for (int run = first; run < end; run++) {
        ofRuns += sumOfRun(w, row, run, x);
      }
      long at = layout.blockOffset(row / TILE_ROWS, block);
      int r = row % TILE_ROWS;
      float scaled = Math.fma(TilePacking.scale(w.data(), at, r), ofRuns, sum);
      return layout.offsets()
          ? Math.fma(
              TilePacking.offset(w.data(), at, r),
              sumOfColumns(x, block, layout.blockCols()),
              scaled)
          : scaled;
    }
    float total = sum;
    for (int run = first; run < end; run++) {
      float ofRun = sumOfRun(w, row, run, x);
      total =
          layout.scales() == TileLayout.Scales.U4
              ? Math.fma(ofRun, w.scaleTable()[TilePacking.scaleCode(w, row, run)], total)
              : total + ofRun;
    }
    return total;
  }

  private static float sumOfRun(Matrix.Packed w, int row, int run, float[] x) {
    boolean codes = w.layout().bits() == Byte.SIZE;
    float sum = 0;
    for (int c = 0; c < RUN_COLS; c++) {
      int index = TilePacking.index(w, row, run, c);
      sum = Math.fma(codes ? index : w.codebook()[index], x[run * RUN_COLS + c], sum);
    }
    return sum;
  }

  private static float sumOfColumns(float[] x, int block, int columns) {
    float[] lanes = new float[LANES];
    for (int c = 0; c < columns; c++) {
      lanes[c % LANES] += x[block * columns + c];
    }
    return sumOfLanes(lanes);
  }

  @Override
  public void multiplyLevels(Matrix.Packed w, float[] x, int xOffset, ProductTable table) {
    super.multiplyLevels(w, x, xOffset, table);
    table.copyUnaligned(); // vectors may follow
  }

  /** The same integers as by definition, from a run of a tile at once. */
  @Override
  public void gemv(
      Matrix.Packed w, int firstTile, int endTile, ProductTable x, float[] y, int yOffset) {
    TileLayout layout = w.layout();
    byte[] run = new byte[layout.runBytes()];
    byte[] codes = new byte[TILE_ROWS];
    byte[] entries = new byte[x.levels().runEntries()];
    int[] ofRun = new int[TILE_ROWS];
    float[] sums = new float[TILE_ROWS];
    for (int tile = firstTile; tile < endTile; tile++) {
      Arrays.fill(sums, 0);
      for (int i = 0; i < x.runs(); i++) {
        copy(w.data(), TilePacking.runOffset(layout, tile, i), run);
        copy(w.data(), layout.blockOffset(tile, i / 2), codes);
        copy(x.entries(), (long) i * entries.length, entries);
        Arrays.fill(ofRun, -ProductTable.runBias(x.levels().unitsPerRun()));
        if (layout.bits() == 3) {
          addPairs(run, entries, ofRun);
        } else {
          addNibbles(run, entries, ofRun);
        }
        addScaled(ofRun, codes, i % 2, w.scaleTable(), x.scales()[i], sums);
      }
      int rows = Math.min(TILE_ROWS, layout.rows() - TILE_ROWS * tile);
      for (int r = 0; r < rows; r++) {
        int row = TILE_ROWS * tile + r;
        y[yOffset + row] = sums[r] * TilePacking.factor(layout, w.data(), row);
      }
    }
  }

  private static void copy(MemorySegment from, long at, byte[] to) {
    MemorySegment.copy(from, ValueLayout.JAVA_BYTE, at, to, 0, to.length);
  }

  /** At 2 and 4 bits: sums[b] grows by what the nibbles of byte b of every vector find. */
  private static void addNibbles(byte[] run, byte[] entries, int[] sums) {
    for (int first = 0; first < run.length; first += TILE_ROWS) {
      int low = first / TILE_ROWS * 32;
      int high = low + 16;
      for (int b = 0; b < TILE_ROWS; b++) {
        int pair = run[first + b];
        sums[b] += entries[low + (pair & 15)] + entries[high + (pair >> 4 & 15)] & 0xFF;
      }
    }
  }

  /** At 3 bits: of three vectors the lower six bits, and a fourth field of their upper two. */
  private static void addPairs(byte[] run, byte[] entries, int[] sums) {
    for (int first = 0, entry = 0; first < run.length; first += 3 * TILE_ROWS, entry += 256) {
      for (int b = 0; b < TILE_ROWS; b++) {
        int f0 = run[first + b];
        int f1 = run[first + TILE_ROWS + b];
        int f2 = run[first + 2 * TILE_ROWS + b];
        int f3 = f0 >> 6 & 3 | f1 >> 4 & 12 | f2 >> 2 & 48;
        sums[b] += entries[entry + (f0 & 63)] + entries[entry + 64 + (f1 & 63)] & 0xFF;
        sums[b] += entries[entry + 128 + (f2 & 63)] + entries[entry + 192 + f3] & 0xFF;
      }
    }
  }

  /**
   * Byte 4m + q of a vector belongs to row m + 16q, whose code is nibble q of the run's half int.
   */
  private static void addScaled(
      int[] ofRun, byte[] codes, int half, float[] table, float runScale, float[] sums) {
    for (int q = 0; q < 4; q++) {
      for (int m = 0; m < QUARTER_ROWS; m++) {
        int code = codes[4 * m + 2 * half + q / 2] >> 4 * (q % 2) & 15;
        int row = m + QUARTER_ROWS * q;
        sums[row] = Math.fma((float) ofRun[4 * m + q], table[code] * runScale, sums[row]);
      }
    }
  }

  @Override
  public void dequantize(Matrix.InPlace w, int tile, int firstCol, int endCol, float[] panel) {
    switch (w) {
      case Matrix.Dense dense -> super.dequantize(dense, tile, firstCol, endCol, panel);
      case Matrix.Packed packed -> {
        for (int col = firstCol; col < endCol; col++) {
          for (int r = 0; r < TILE_ROWS; r++) {
            int row = TILE_ROWS * tile + r;
            int to = TILE_ROWS * (col - firstCol) + r;
            panel[to] = row < packed.rows() ? dequantized(packed, row, col) : 0;
          }
        }
      }
    }
  }

  /**
   * As {@link TilePacking#weight}, with the factor times the scale first, and fused with an offset.
   */
  private static float dequantized(Matrix.Packed w, int row, int col) {
    TileLayout layout = w.layout();
    MemorySegment data = w.data();
    int run = col / RUN_COLS;
    int index = TilePacking.index(w, row, run, col % RUN_COLS);
    float level = layout.bits() == Byte.SIZE ? index : w.codebook()[index];
    long block = layout.blockOffset(row / TILE_ROWS, col / layout.blockCols());
    int r = row % TILE_ROWS;
    return switch (layout.scales()) {
      case U4 -> {
        float scale = w.scaleTable()[TilePacking.scaleCode(w, row, run)];
        yield Math.fma(level, scale * TilePacking.factor(layout, data, row), 0);
      }
      case F16 -> {
        float offset = layout.offsets() ? TilePacking.offset(data, block, r) : 0;
        yield Math.fma(level, TilePacking.scale(data, block, r), offset);
      }
      case NONE -> Math.fma(level, TilePacking.factor(layout, data, row), 0);
    };
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
    for (int c = 0; c < columns; c++) {
      for (int i = 0; i < vectors; i++) {
        float factor = x[xOffset + c * GROUP_STRIDE + i];
        axpy(factor, panel, TILE_ROWS * c, sums, sumsOffset + TILE_ROWS * i, TILE_ROWS);
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
    float[] column = new float[TILE_ROWS];
    for (int c = 0; c < columns; c++) {
      for (int r = 0; r < TILE_ROWS; r++) {
        short half = halves[offset + HalfPanel.index(stride, c, r)];
        column[r] = Float.float16ToFloat(half) * (1 / HalfPanel.SCALE); // exact
      }
      multiplyPanel(column, 1, vectors, x, xOffset + c * GROUP_STRIDE, sums, sumsOffset);
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
    float queryKey = dot(x, query, x, key, keyDim);
    float[] recalled = new float[TILE_ROWS];
    float[] read = new float[TILE_ROWS];
    for (int i = 0; i < keyDim; i++) {
      axpy(x[key + i], memory, TILE_ROWS * i, recalled, 0, TILE_ROWS);
      axpy(x[query + i], memory, TILE_ROWS * i, read, 0, TILE_ROWS);
    }
    for (int c = 0; c < TILE_ROWS; c++) {
      values[c] = (values[c] - recalled[c] * decay) * beta;
      out[c] = read[c] * decay + values[c] * queryKey;
    }
    for (int i = 0; i < keyDim; i++) {
      scale(decay, memory, TILE_ROWS * i, TILE_ROWS);
      axpy(x[key + i], values, 0, memory, TILE_ROWS * i, TILE_ROWS);
    }
  }

  @Override
  public float dot(float[] a, int aOffset, float[] b, int bOffset, int n) {
    float[] sums = new float[DOT_VECTORS * LANES];
    int whole = n - n % sums.length;
    int i = 0;
    for (; i < whole; i++) {
      int to = i % sums.length;
      sums[to] = Math.fma(a[aOffset + i], b[bOffset + i], sums[to]);
    }
    for (; i < n - n % LANES; i++) {
      int to = i % LANES;
      sums[to] = Math.fma(a[aOffset + i], b[bOffset + i], sums[to]);
    }
    for (int lane = 0; lane < LANES; lane++) {
      sums[lane] += sums[lane + LANES];
    }
    float sum = sumOfLanes(sums);
    for (; i < n; i++) {
      sum += a[aOffset + i] * b[bOffset + i];
    }
    return sum;
  }

  @Override
  public void rmsNorm(
      float[] x, int xOffset, float[] weight, float epsilon, float[] out, int outOffset, int n) {
    float squares = dot(x, xOffset, x, xOffset, n);
    normalize(squares, x, xOffset, weight, epsilon, out, outOffset, n);
  }

  @Override
  public float exponentials(float[] x, int offset, int stride, int runs, float max, float scale) {
    float[] sums = new float[LANES];
    for (int run = 0; run < runs; run++) {
      int at = offset + run * stride;
      for (int i = 0; i < TILE_ROWS; i++) {
        float e = Lanes.exp(x[at + i] - max);
        x[at + i] = e * scale;
        sums[i % LANES] += e;
      }
    }
    return sumOfLanes(sums);
  }

  @Override
  public void softmax(float[] x, int offset, int n) {
    float max = max(x, offset, n);
    float[] sums = new float[LANES];
    int i = 0;
    for (; i < n - n % LANES; i++) {
      float e = Lanes.exp(x[offset + i] - max);
      x[offset + i] = e;
      sums[i % LANES] += e;
    }
    float sum = sumOfLanes(sums);
    for (; i < n; i++) {
      x[offset + i] = (float) Math.exp(x[offset + i] - max);
      sum += x[offset + i];
    }
    scale(1 / sum, x, offset, n);
  }

  @Override
  public void sigmoidGate(float[] gate, int gateOffset, float[] x, int xOffset, int n) {
    int i = 0;
    for (; i < n - n % LANES; i++) {
      x[xOffset + i] /= Lanes.exp(-gate[gateOffset + i]) + 1;
    }
    super.sigmoidGate(gate, gateOffset + i, x, xOffset + i, n - i);
  }

  @Override
  public void swiGlu(float[] gate, int gateOffset, float[] up, int upOffset, int n) {
    int i = 0;
    for (; i < n - n % LANES; i++) {
      float g = gate[gateOffset + i];
      gate[gateOffset + i] = g / (Lanes.exp(-g) + 1) * up[upOffset + i];
    }
    super.swiGlu(gate, gateOffset + i, up, upOffset + i, n - i);
  }

  @Override
  public void clampedSwiGlu(
      float[] gate, int gateOffset, float[] up, int upOffset, int n, float limit, float alpha) {
    int i = 0;
    for (; i < n - n % LANES; i++) {
      float g = Math.min(gate[gateOffset + i], limit);
      float u = Math.min(Math.max(up[upOffset + i], -limit), limit);
      gate[gateOffset + i] = g * (u + 1) / (Lanes.exp(g * -alpha) + 1);
    }
    super.clampedSwiGlu(gate, gateOffset + i, up, upOffset + i, n - i, limit, alpha);
  }
}
