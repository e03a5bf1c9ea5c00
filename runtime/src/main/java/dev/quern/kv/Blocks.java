package dev.quern.kv;

import dev.quern.kernels.HalfPanel;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.VectorGroups;
import java.util.Arrays;

/**
 * Elements of one kind in one layer, in blocks that come when they are needed. A block holds
 * panels: matrices of 64 rows, each column by column in an order of the kind's own; and runs of
 * elements one after the other.
 */
sealed interface Blocks permits Blocks.Half, Blocks.Single {

  void allocate(int block, int elements);

  /**
   * Stores a row of a panel.
   *
   * @param at where the panel begins
   * @param columns of the panel, as many as there are values
   */
  void putRow(int block, int at, int columns, int row, float[] from, int fromAt);

  /** Stores 64 values as a column of a panel that has room for some. */
  void putColumn(int block, int at, int columns, int column, float[] from, int fromAt);

  /** Stores n values as a run. */
  void putRun(int block, int at, float[] from, int fromAt, int n);

  /**
   * Reads columns from first on of a panel, column by column.
   *
   * @param columns that the panel has room for
   * @param count of columns to read
   */
  void loadPanel(
      Kernels kernels, int block, int at, int columns, int first, int count, float[] out);

  /** Reads a run of n values. */
  void loadRun(int block, int at, int n, float[] out, int outAt);

  void clear();

  static Blocks create(KvType type, int blocks) {
    return switch (type) {
      case F16 -> new Half(new short[blocks][]);
      case F32 -> new Single(new float[blocks][]);
    };
  }

  /**
   * Rounded to half precision, ties to even; what is larger becomes infinite. Of a row or column
   * that has an element of at least 2^-4, elements below the smallest normal half, 2^-14, become
   * the nearer of 0 and that, which is off by no more than the large element may be: multiplying
   * subnormal numbers takes many times as long on some processors (docs/decisions.md).
   */
  final class Half implements Blocks {
    private static final int SIGN = 0x8000;
    private static final int EXPONENT = 0x7C00;
    private static final int MANTISSA = 0x03FF;
    private static final int SMALLEST_NORMAL = 0x0400;
    private static final float LARGE = 0x1p-4f;

    private final short[][] blocks;
    private boolean finite = true;

    Half(short[][] blocks) {
      this.blocks = blocks;
    }

    /** Whether everything that was stored is, so that panels can be multiplied as they are. */
    boolean finite() {
      return finite;
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
    public void allocate(int block, int elements) {
      blocks[block] = new short[elements];
    }

    @Override
    public void putRow(int block, int at, int columns, int row, float[] from, int fromAt) {
      short[] to = blocks[block];
      boolean large = hasLarge(from, fromAt, columns);
      for (int c = 0; c < columns; c++) {
        to[at + HalfPanel.index(columns, c, row)] = half(from[fromAt + c], large);
      }
    }

    @Override
    public void putColumn(int block, int at, int columns, int column, float[] from, int fromAt) {
      short[] to = blocks[block];
      boolean large = hasLarge(from, fromAt, KvCache.PANEL);
      for (int r = 0; r < KvCache.PANEL; r++) {
        to[at + HalfPanel.index(columns, column, r)] = half(from[fromAt + r], large);
      }
    }

    @Override
    public void putRun(int block, int at, float[] from, int fromAt, int n) {
      short[] to = blocks[block];
      for (int i = 0; i < n; i++) {
        to[at + i] = half(from[fromAt + i], false);
      }
    }

    @Override
    public void loadPanel(
        Kernels kernels, int block, int at, int columns, int first, int count, float[] out) {
      kernels.widen(blocks[block], at + HalfPanel.index(columns, first, 0), columns, count, out);
    }

    @Override
    public void loadRun(int block, int at, int n, float[] out, int outAt) {
      short[] from = blocks[block];
      for (int i = 0; i < n; i++) {
        out[outAt + i] = Float.float16ToFloat(from[at + i]);
      }
    }

    /** Adds the product of a panel and vectors, see {@link VectorGroups#addProduct}. */
    void addProduct(
        int block, int at, int columns, int first, VectorGroups x, float[] sums, int sumsAt) {
      x.addProduct(blocks[block], at + HalfPanel.index(columns, first, 0), columns, sums, sumsAt);
    }

    @Override
    public void clear() {
      Arrays.fill(blocks, null);
      finite = true;
    }
  }

  /** As they come. */
  record Single(float[][] blocks) implements Blocks {
    @Override
    public void allocate(int block, int elements) {
      blocks[block] = new float[elements];
    }

    @Override
    public void putRow(int block, int at, int columns, int row, float[] from, int fromAt) {
      float[] to = blocks[block];
      for (int c = 0; c < columns; c++) {
        to[at + c * KvCache.TILE + row] = from[fromAt + c];
      }
    }

    @Override
    public void putColumn(int block, int at, int columns, int column, float[] from, int fromAt) {
      putRun(block, at + column * KvCache.PANEL, from, fromAt, KvCache.PANEL);
    }

    @Override
    public void putRun(int block, int at, float[] from, int fromAt, int n) {
      System.arraycopy(from, fromAt, blocks[block], at, n);
    }

    @Override
    public void loadPanel(
        Kernels kernels, int block, int at, int columns, int first, int count, float[] out) {
      loadRun(block, at + first * KvCache.PANEL, count * KvCache.PANEL, out, 0);
    }

    @Override
    public void loadRun(int block, int at, int n, float[] out, int outAt) {
      System.arraycopy(blocks[block], at, out, outAt, n);
    }

    @Override
    public void clear() {
      Arrays.fill(blocks, null);
    }
  }
}
