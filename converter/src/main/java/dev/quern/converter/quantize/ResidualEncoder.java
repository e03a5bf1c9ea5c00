package dev.quern.converter.quantize;

import dev.quern.kernels.TileLayout;
import dev.quern.kernels.TilePacking;
import dev.quern.quant.Rotation;
import java.lang.foreign.MemorySegment;

/**
 * One-bit residual of a tile (QJL): of r = w′ − ŵ′ the signs of R′ r and the norm ‖r‖ are kept, and
 * √(π/2)/√n · ‖r‖ · ⟨sign(R′ r), R′ x′⟩ estimates ⟨r, x′⟩ without bias over the choice of R′.
 *
 * <p>Source: A. Zandieh, M. Daliri, I. Han, "QJL: 1-bit quantized JL transform for KV cache
 * quantization with zero overhead", 2024, Definition 3.1 and Lemma 3.2, with a randomised Hadamard
 * transform for the Gaussian matrix.
 */
final class ResidualEncoder {
  private static final int ROWS = TileLayout.TILE_ROWS;
  private static final int RUN = TileLayout.RUN_COLS;

  private final TileLayout layout;
  private final Rotation rotation;
  private final float[] row;
  private final byte[] signs;
  private final byte[] run = new byte[ROWS * RUN];

  ResidualEncoder(TileLayout layout, Rotation rotation) {
    this.layout = layout;
    this.rotation = rotation;
    this.row = new float[layout.paddedCols()];
    this.signs = new byte[ROWS * layout.paddedCols()];
  }

  /**
   * @param tile rotated weights, [64·column + row]
   * @param value what the tile dequantizes to
   * @param out the residual's own layout, from 0
   */
  void encode(float[] tile, float[] value, int t, MemorySegment out) {
    int cols = layout.cols();
    double unbiased = Math.sqrt(Math.PI / 2) / Math.sqrt(cols);
    for (int r = 0; r < ROWS && t * ROWS + r < layout.rows(); r++) {
      double squares = 0;
      for (int c = 0; c < cols; c++) {
        row[c] = tile[c * ROWS + r] - value[c * ROWS + r];
        squares += (double) row[c] * row[c];
      }
      rotation.apply(row, 0);
      for (int c = 0; c < cols; c++) {
        signs[c * ROWS + r] = (byte) (row[c] < 0 ? 0 : 1);
      }
      short factor = Float.floatToFloat16((float) (unbiased * Math.sqrt(squares)));
      out.set(TileEncoder.F16, layout.factorOffset() + (long) (t * ROWS + r) * Short.BYTES, factor);
    }
    for (int from = 0; from < layout.paddedCols(); from += RUN) {
      System.arraycopy(signs, from * ROWS, run, 0, run.length);
      TilePacking.packRun(run, 1, out, TilePacking.runOffset(layout, t, from / RUN));
    }
  }
}
