package dev.quern.kv;

import static dev.quern.kernels.HalfPanel.LEAD;

import dev.quern.kernels.HalfPanel;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.VectorGroups;
import java.util.Arrays;

/**
 * Keys and values of one layer, in chunks that come when they are needed. A chunk holds panels:
 * matrices of 64 rows, each column by column in an order of the type's own; and runs of elements
 * one after the other.
 */
sealed interface Chunks permits Chunks.Half, Chunks.Single {

  void allocate(int chunk, int elements);

  /**
   * Stores a row of a panel.
   *
   * @param at where the panel begins
   * @param columns of the panel, as many as there are values
   */
  void putRow(int chunk, int at, int columns, int row, float[] from, int fromAt);

  /** Stores 64 values as a column of a panel that has room for some. */
  void putColumn(int chunk, int at, int columns, int column, float[] from, int fromAt);

  /** Stores n values as a run. */
  void putRun(int chunk, int at, float[] from, int fromAt, int n);

  /**
   * Reads columns from first on of a panel, column by column.
   *
   * @param columns that the panel has room for
   * @param count of columns to read
   */
  void loadPanel(
      Kernels kernels, int chunk, int at, int columns, int first, int count, float[] out);

  /** Reads a run of n values. */
  void loadRun(int chunk, int at, int n, float[] out, int outAt);

  /** Whether everything that was stored is, after rounding. */
  boolean finite();

  void clear();

  static Chunks create(KvType type, int chunks) {
    return switch (type) {
      case F16 -> new Half(new short[chunks][]);
      case F32 -> new Single(new float[chunks][]);
    };
  }

  /**
   * Rounded to half precision, ties to even; what is larger becomes infinite. Of a row or column
   * that has an element of at least 2^-4, elements below the smallest normal half, 2^-14, become
   * the nearer of 0 and that, which is off by no more than the large element may be: multiplying
   * subnormal numbers takes many times as long on some processors (docs/decisions.md).
   */
  final class Half implements Chunks {
    private static final int SIGN = 0x8000;
    private static final int EXPONENT = 0x7C00;
    private static final int MANTISSA = 0x03FF;
    private static final int SMALLEST_NORMAL = 0x0400;
    private static final float LARGE = 0x1p-4f;

    private final short[][] chunks;
    private boolean finite = true;

    Half(short[][] chunks) {
      this.chunks = chunks;
    }

    private short half(float value, boolean besideLarge) {
      short half = Float.floatToFloat16(value);
      if ((half & EXPONENT) == EXPONENT) {
        finite = false;
      }
      return besideLarge ? withoutSubnormal(half) : half;
    }

    private static short withoutSubnormal(short half) {
      if ((half & EXPONENT) != 0) {
        return half;
      }
      boolean nearerToNormal = (half & MANTISSA) > SMALLEST_NORMAL / 2;
      return (short) (half & SIGN | (nearerToNormal ? SMALLEST_NORMAL : 0));
    }

    private static boolean hasLarge(float[] x, int at, int n) {
      for (int i = at; i < at + n; i++) {
        if (Math.abs(x[i]) >= LARGE) {
          return true;
        }
      }
      return false;
    }

    @Override
    public void allocate(int chunk, int elements) {
      chunks[chunk] = new short[LEAD + elements];
    }

    @Override
    public void putRow(int chunk, int at, int columns, int row, float[] from, int fromAt) {
      short[] to = chunks[chunk];
      boolean large = hasLarge(from, fromAt, columns);
      for (int c = 0; c < columns; c++) {
        to[LEAD + at + HalfPanel.index(columns, c, row)] = half(from[fromAt + c], large);
      }
    }

    @Override
    public void putColumn(int chunk, int at, int columns, int column, float[] from, int fromAt) {
      short[] to = chunks[chunk];
      boolean large = hasLarge(from, fromAt, KvCache.PANEL);
      for (int r = 0; r < KvCache.PANEL; r++) {
        to[LEAD + at + HalfPanel.index(columns, column, r)] = half(from[fromAt + r], large);
      }
    }

    @Override
    public void putRun(int chunk, int at, float[] from, int fromAt, int n) {
      short[] to = chunks[chunk];
      for (int i = 0; i < n; i++) {
        to[LEAD + at + i] = half(from[fromAt + i], false);
      }
    }

    @Override
    public void loadPanel(
        Kernels kernels, int chunk, int at, int columns, int first, int count, float[] out) {
      kernels.widen(
          chunks[chunk], LEAD + at + HalfPanel.index(columns, first, 0), columns, count, out);
    }

    @Override
    public void loadRun(int chunk, int at, int n, float[] out, int outAt) {
      short[] from = chunks[chunk];
      for (int i = 0; i < n; i++) {
        out[outAt + i] = Float.float16ToFloat(from[LEAD + at + i]);
      }
    }

    /** Adds the product of a panel and vectors, see {@link VectorGroups#addProduct}. */
    void addProduct(
        int chunk, int at, int columns, int first, VectorGroups x, float[] sums, int sumsAt) {
      x.addProduct(
          chunks[chunk], LEAD + at + HalfPanel.index(columns, first, 0), columns, sums, sumsAt);
    }

    @Override
    public boolean finite() {
      return finite;
    }

    @Override
    public void clear() {
      Arrays.fill(chunks, null);
      finite = true;
    }
  }

  /** As they come. */
  final class Single implements Chunks {
    private final float[][] chunks;
    private boolean finite = true;

    Single(float[][] chunks) {
      this.chunks = chunks;
    }

    private void checkFinite(float[] x, int at, int n) {
      for (int i = at; i < at + n; i++) {
        if (!Float.isFinite(x[i])) {
          finite = false;
        }
      }
    }

    @Override
    public void allocate(int chunk, int elements) {
      chunks[chunk] = new float[elements];
    }

    @Override
    public void putRow(int chunk, int at, int columns, int row, float[] from, int fromAt) {
      float[] to = chunks[chunk];
      checkFinite(from, fromAt, columns);
      for (int c = 0; c < columns; c++) {
        to[at + c * KvCache.TILE + row] = from[fromAt + c];
      }
    }

    @Override
    public void putColumn(int chunk, int at, int columns, int column, float[] from, int fromAt) {
      putRun(chunk, at + column * KvCache.PANEL, from, fromAt, KvCache.PANEL);
    }

    @Override
    public void putRun(int chunk, int at, float[] from, int fromAt, int n) {
      checkFinite(from, fromAt, n);
      System.arraycopy(from, fromAt, chunks[chunk], at, n);
    }

    @Override
    public void loadPanel(
        Kernels kernels, int chunk, int at, int columns, int first, int count, float[] out) {
      loadRun(chunk, at + first * KvCache.PANEL, count * KvCache.PANEL, out, 0);
    }

    @Override
    public void loadRun(int chunk, int at, int n, float[] out, int outAt) {
      System.arraycopy(chunks[chunk], at, out, outAt, n);
    }

    @Override
    public boolean finite() {
      return finite;
    }

    @Override
    public void clear() {
      Arrays.fill(chunks, null);
      finite = true;
    }
  }
}
