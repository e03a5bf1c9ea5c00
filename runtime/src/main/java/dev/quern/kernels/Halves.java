package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.TILE_ROWS;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Scales, offsets and factors of the rows of a tile, from f16 to floats. Keeps scratch space: one
 * per thread.
 *
 * <p>They are copied before they are converted. Vectors read from the segment in a loop end, where
 * it ends, in a check that the compiler has moved out of the loop and that fails every time: with
 * it went the compiled code of whoever had this inlined, until it was compiled no more.
 */
final class Halves {
  private final short[] halves = new short[TILE_ROWS];

  /** out[outAt .. + count) ← the f16 numbers that begin at a byte of data; count is at most 64. */
  void load(MemorySegment data, long at, int count, float[] out, int outAt) {
    MemorySegment.copy(data, TilePacking.LE_SHORT, at, halves, 0, count);
    for (int i = 0; i < count; i++) {
      out[outAt + i] = Float.float16ToFloat(halves[i]);
    }
  }

  /** factors[at .. + 64) ← the factors of the rows of a tile, of a layout that has any. */
  void loadFactors(Matrix.Packed w, int tile, float[] factors, int at) {
    TileLayout layout = w.layout();
    if (layout.factorRows() == TILE_ROWS) {
      Arrays.fill(
          factors, at, at + TILE_ROWS, TilePacking.factor(layout, w.data(), tile * TILE_ROWS));
      return;
    }
    int rows = Math.min(TILE_ROWS, layout.rows() - tile * TILE_ROWS);
    load(
        w.data(), layout.factorOffset() + (long) tile * TILE_ROWS * Short.BYTES, rows, factors, at);
  }
}
