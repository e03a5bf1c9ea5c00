package dev.quern.converter.quantize;

import dev.quern.kernels.TileLayout;
import dev.quern.kernels.TilePacking;
import dev.quern.quant.QuantScheme;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Chooses scales and indices of one tile of 64 rows and writes its bytes.
 *
 * <p>Tiles are held column by column, {@code tile[64·column + row]}, the order in which they are
 * stored.
 */
final class TileEncoder {
  static final ValueLayout.OfShort F16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int ROWS = TileLayout.TILE_ROWS;
  private static final int RUN = TileLayout.RUN_COLS;

  /** Scales tried per group around its RMS before least squares settles it. */
  private static final float[] MULTIPLES = multiples(0.70f, 0.05f, 16);

  private static final int LEAST_SQUARES_ROUNDS = 2;

  private final QuantScheme.Method method;
  private final TileLayout layout;
  private final Tables tables;
  private final LevelSearch search;
  private final float[] index;
  private final float[] value;
  private final float[] base = new float[ROWS];
  private final float[] scale = new float[ROWS];
  private final float[] best = new float[ROWS];
  private final byte[] run = new byte[ROWS * RUN];
  private final byte[] codes = new byte[2 * ROWS];

  TileEncoder(QuantScheme scheme, TileLayout layout) {
    this.method = scheme.method();
    this.layout = layout;
    this.tables = Tables.of(scheme);
    this.search =
        switch (method) {
          case LLOYD_U4, LLOYD_F16, RMS_F16 -> new LevelSearch(tables.codebook());
          case AFFINE, ABSMAX -> null;
        };
    this.index = new float[ROWS * layout.paddedCols()];
    this.value = new float[ROWS * layout.paddedCols()];
  }

  private static float[] multiples(float first, float step, int count) {
    float[] result = new float[count];
    for (int i = 0; i < count; i++) {
      result[i] = first + i * step;
    }
    return result;
  }

  /** What the last tile dequantizes to, in the order of the tile. */
  float[] value() {
    return value;
  }

  /** Writes tile number t of the matrix at out, whose layout begins at 0. */
  void encode(float[] tile, int t, MemorySegment out) {
    switch (method) {
      case LLOYD_U4 -> encodeU4(tile, t, out);
      case LLOYD_F16, RMS_F16 -> encodeF16(tile, t, out);
      case AFFINE, ABSMAX -> encodeSteps(tile, t, out);
    }
  }

  private void encodeU4(float[] tile, int t, MemorySegment out) {
    rootMeanSquares(tile, 0, layout.paddedCols(), base);
    if (layout.factorRows() == ROWS) {
      Arrays.fill(base, rootMeanSquare(base));
    }
    round(base);
    for (int block = 0; block < layout.blocks(); block++) {
      long at = layout.blockOffset(t, block);
      for (int h = 0; h < 2; h++) {
        int from = (2 * block + h) * RUN * ROWS;
        search.search(tile, from, RUN, base, tables.scaleTable(), best);
        for (int r = 0; r < ROWS; r++) {
          int code = (int) best[r];
          codes[h * ROWS + r] = (byte) code;
          scale[r] = base[r] * tables.scaleTable()[code];
        }
        search.assign(tile, from, RUN, scale, index, value);
        writeRun(from, out, at + layout.scaleBytes() + (long) h * layout.runBytes());
      }
      TilePacking.putScaleCodes(codes, out, at);
    }
    settleFactors(tile, t, out);
  }

  /** Indices and codes given, the best factor is the least-squares one. */
  private void settleFactors(float[] tile, int t, MemorySegment out) {
    double[] products = new double[ROWS];
    double[] squares = new double[ROWS];
    addProducts(tile, value, 0, layout.paddedCols(), products);
    addProducts(value, value, 0, layout.paddedCols(), squares);
    if (layout.factorRows() == ROWS) {
      Arrays.fill(products, Arrays.stream(products).sum());
      Arrays.fill(squares, Arrays.stream(squares).sum());
    }
    for (int r = 0; r < ROWS; r++) {
      float settled = squares[r] > 0 ? (float) (base[r] * products[r] / squares[r]) : base[r];
      short bits = Float.floatToFloat16(settled);
      scale[r] = base[r] == 0 ? 0 : Float.float16ToFloat(bits) / base[r];
      putFactor(t * ROWS + r, bits, out);
    }
    for (int at = 0; at < value.length; at += ROWS) {
      for (int r = 0; r < ROWS; r++) {
        value[at + r] *= scale[r];
      }
    }
  }

  private void putFactor(int row, short bits, MemorySegment out) {
    if (row < layout.rows() && row % layout.factorRows() == 0) {
      long factor = row / layout.factorRows();
      out.set(F16, layout.factorOffset() + factor * Short.BYTES, bits);
    }
  }

  private void encodeF16(float[] tile, int t, MemorySegment out) {
    int cols = layout.groupSize();
    for (int block = 0; block < layout.blocks(); block++) {
      int from = block * cols * ROWS;
      rootMeanSquares(tile, from, cols, scale);
      if (method == QuantScheme.Method.LLOYD_F16) {
        System.arraycopy(scale, 0, base, 0, ROWS);
        search.search(tile, from, cols, base, MULTIPLES, best);
        for (int r = 0; r < ROWS; r++) {
          scale[r] = base[r] * MULTIPLES[(int) best[r]];
        }
        for (int round = 0; round < LEAST_SQUARES_ROUNDS; round++) {
          search.assign(tile, from, cols, scale, index, value);
          settleScales(tile, from, cols);
        }
      }
      round(scale);
      search.assign(tile, from, cols, scale, index, value);
      writeBlock(t, block, out);
    }
  }

  private void settleScales(float[] tile, int from, int cols) {
    double[] products = new double[ROWS];
    double[] squares = new double[ROWS];
    addProducts(tile, value, from, cols, products);
    addProducts(value, value, from, cols, squares);
    for (int r = 0; r < ROWS; r++) {
      if (squares[r] > 0) {
        scale[r] *= (float) (products[r] / squares[r]);
      }
    }
  }

  /**
   * AFFINE: from minimum to maximum in 2^bits − 1 steps. ABSMAX: the largest magnitude is the last
   * positive code.
   */
  private void encodeSteps(float[] tile, int t, MemorySegment out) {
    int cols = layout.groupSize();
    boolean affine = method == QuantScheme.Method.AFFINE;
    int last = affine ? (1 << layout.bits()) - 1 : (1 << (layout.bits() - 1)) - 1;
    int first = affine ? 0 : layout.bits() == Byte.SIZE ? -last : -last - 1;
    for (int block = 0; block < layout.blocks(); block++) {
      int from = block * cols * ROWS;
      for (int r = 0; r < ROWS; r++) {
        float min = Float.POSITIVE_INFINITY;
        float max = Float.NEGATIVE_INFINITY;
        for (int i = from + r; i < from + cols * ROWS; i += ROWS) {
          min = Math.min(min, tile[i]);
          max = Math.max(max, tile[i]);
        }
        scale[r] = affine ? (max - min) / last : Math.max(-min, max) / last;
        base[r] = affine ? min : 0;
      }
      round(scale);
      round(base);
      for (int i = from; i < from + cols * ROWS; i++) {
        float s = scale[i % ROWS];
        float offset = base[i % ROWS];
        int code = s == 0 ? 0 : Math.clamp(Math.round((tile[i] - offset) / s), first, last);
        value[i] = s * code + offset;
        index[i] = layout.bits() == Byte.SIZE ? code : code - first;
      }
      writeBlock(t, block, out);
    }
  }

  private void writeBlock(int t, int block, MemorySegment out) {
    long at = layout.blockOffset(t, block);
    for (int r = 0; r < ROWS; r++) {
      out.set(F16, at + (long) r * Short.BYTES, Float.floatToFloat16(scale[r]));
      if (layout.offsets()) {
        out.set(F16, at + (long) (ROWS + r) * Short.BYTES, Float.floatToFloat16(base[r]));
      }
    }
    for (int k = 0; k < layout.blockCols() / RUN; k++) {
      int from = (block * layout.blockCols() + k * RUN) * ROWS;
      writeRun(from, out, at + layout.scaleBytes() + (long) k * layout.runBytes());
    }
  }

  private void writeRun(int from, MemorySegment out, long at) {
    for (int i = 0; i < run.length; i++) {
      run[i] = (byte) (int) index[from + i];
    }
    TilePacking.packRun(run, layout.bits(), out, at);
  }

  /** RMS of each row over some columns. */
  private static void rootMeanSquares(float[] tile, int from, int cols, float[] rms) {
    double[] squares = new double[ROWS];
    addProducts(tile, tile, from, cols, squares);
    for (int r = 0; r < ROWS; r++) {
      rms[r] = (float) Math.sqrt(squares[r] / cols);
    }
  }

  /** Adds the products of the elements of some columns to the sums of their rows: vectorised. */
  private static void addProducts(float[] a, float[] b, int from, int cols, double[] sums) {
    for (int at = from; at < from + cols * ROWS; at += ROWS) {
      for (int r = 0; r < ROWS; r++) {
        sums[r] += (double) a[at + r] * b[at + r];
      }
    }
  }

  private static float rootMeanSquare(float[] x) {
    double squares = 0;
    int live = 0;
    for (float v : x) {
      squares += (double) v * v;
      live += v == 0 ? 0 : 1;
    }
    return (float) Math.sqrt(squares / Math.max(1, live));
  }

  private static void round(float[] x) {
    for (int i = 0; i < x.length; i++) {
      x[i] = Float.float16ToFloat(Float.floatToFloat16(x[i]));
    }
  }
}
