package dev.quern.quant;

import dev.quern.kernels.TileLayout;
import java.io.Serializable;

/**
 * How a tensor is quantized: everything a reader needs besides codebook, scale table and seed.
 *
 * @param method how levels and scales are chosen
 * @param bits 2, 3 or 4; 8 with ABSMAX
 * @param groupSize as wished; a tensor whose width it does not divide takes the largest half of it
 *     that does, down to 32, see {@link #layout}
 * @param rotated whether the input dimension is rotated first
 * @param qjl whether a one-bit residual follows (rotated Lloyd–Max schemes only)
 */
public record QuantScheme(Method method, int bits, int groupSize, boolean rotated, boolean qjl)
    implements Serializable {

  /** How levels and scales of a group are chosen. */
  public enum Method {
    /**
     * Codebook and 16-entry scale table fitted together, 4-bit scale codes for groups of 16. The
     * default.
     */
    LLOYD_U4,
    /**
     * Lloyd–Max levels of the unit normal, f16 scale of a group found together with its indices.
     */
    LLOYD_F16,
    /** The same levels, scale = RMS of the group (what turboquant does): a baseline. */
    RMS_F16,
    /** Equal steps between minimum and maximum of the group: a baseline. */
    AFFINE,
    /**
     * Equal steps, symmetric about 0, largest magnitude at the end of the range: a baseline, and
     * all 8-bit codes.
     */
    ABSMAX
  }

  public QuantScheme {
    boolean bitsFit = method == Method.ABSMAX ? bits == 4 || bits == 8 : bits >= 2 && bits <= 4;
    if (!bitsFit) {
      throw new IllegalArgumentException(method + " with " + bits + " bits");
    }
    if (method == Method.LLOYD_U4
        ? groupSize != 16
        : groupSize != 32 && groupSize != 64 && groupSize != 128) {
      throw new IllegalArgumentException(method + " with groups of " + groupSize);
    }
    if (qjl && !(rotated && (method == Method.LLOYD_U4 || method == Method.LLOYD_F16))) {
      throw new IllegalArgumentException("a QJL residual needs a rotated Lloyd–Max scheme");
    }
  }

  /** The default: rotated, codebook and u4 scales fitted together. */
  public static QuantScheme turbo(int bits) {
    return new QuantScheme(Method.LLOYD_U4, bits, 16, true, false);
  }

  /**
   * Widths from which a factor per row costs at most 1/64 bit per weight; narrower ones share one
   * per tile.
   */
  private static final int MIN_COLS_FOR_ROW_FACTORS = 1024;

  /** Bytes of the indices and scales of a matrix [rows, cols]. */
  public TileLayout layout(int rows, int cols) {
    boolean u4 = method == Method.LLOYD_U4;
    int group = groupSize;
    while (!u4 && group > 32 && cols % group != 0) {
      group /= 2;
    }
    int factorRows = cols >= MIN_COLS_FOR_ROW_FACTORS ? 1 : TileLayout.TILE_ROWS;
    return new TileLayout(
        rows,
        cols,
        bits,
        u4 ? TileLayout.Scales.U4 : TileLayout.Scales.F16,
        group,
        method == Method.AFFINE,
        factorRows);
  }

  /** Bytes of the QJL residual: one sign per weight and one f16 norm per row. */
  public TileLayout residualLayout(int rows, int cols) {
    if (!qjl) {
      throw new IllegalArgumentException("no residual in " + this);
    }
    return new TileLayout(rows, cols, 1, TileLayout.Scales.NONE, TileLayout.RUN_COLS, false, 1);
  }

  /**
   * Bytes of a matrix [rows, cols] with its residual, a multiple of {@link TileLayout#ALIGNMENT}.
   */
  public long bytes(int rows, int cols) {
    return layout(rows, cols).bytes() + (qjl ? residualLayout(rows, cols).bytes() : 0);
  }
}
