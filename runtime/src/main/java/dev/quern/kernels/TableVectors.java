package dev.quern.kernels;

import static dev.quern.kernels.Lanes.COUNT;
import static dev.quern.kernels.TileLayout.BAND_TILES;
import static dev.quern.kernels.TileLayout.RUN_COLS;
import static dev.quern.kernels.TileLayout.STRIP_COLS;
import static dev.quern.kernels.TileLayout.TILE_ROWS;

import java.util.Arrays;

/**
 * Products of packed tiles with a vector given by its {@link ProductTable}, for one thread: strip
 * by strip, so that the strip's part of the table, 4 to 8 KiB, stays in L1 for all tiles of a band.
 */
final class TableVectors {
  private static final int STRIP_RUNS = STRIP_COLS / RUN_COLS;

  /**
   * On their way to a table, few enough for L1: vectors stored in a segment take twice as long, and
   * an array as long as the table would take twice the cache lines from memory.
   */
  private final byte[] entries = new byte[4 << 10];

  private final short[] sums = new short[STRIP_RUNS * TableLoops.RUN_SHORTS];
  private final short[] fields = new short[TILE_ROWS * 2];
  private final float[][] rowSums = new float[BAND_TILES][TILE_ROWS];
  private final float[] factors = new float[TILE_ROWS];
  private final Halves halves = new Halves();

  /** As {@link Kernels#multiplyLevels}, of runs whose part of x is loaded. */
  void fill(ProductTable table, int firstRun, int endRun) {
    if (COUNT < 16) { // entries are looked up in the array
      int at = firstRun * table.runEntries();
      LevelLoops.fill(table, firstRun, endRun, table.unaligned(), at);
      table.align(table.unaligned(), at, firstRun, endRun);
      return;
    }
    int runs = entries.length / table.runEntries();
    for (int run = firstRun; run < endRun; run += runs) {
      int end = Math.min(run + runs, endRun);
      LevelLoops.fill(table, run, end, entries, 0);
      table.align(entries, 0, run, end);
    }
  }

  /** As {@link Kernels#gemv}. */
  void gemv(Matrix.Packed w, int firstTile, int endTile, ProductTable x, float[] y, int yOffset) {
    for (int tile = firstTile; tile < endTile; ) {
      int end = Math.min(endTile, (tile / BAND_TILES + 1) * BAND_TILES);
      gemvBand(w, tile, end, x, y, yOffset);
      tile = end;
    }
  }

  /** Tiles of one band. */
  private void gemvBand(
      Matrix.Packed w, int firstTile, int endTile, ProductTable x, float[] y, int yOffset) {
    TileLayout layout = w.layout();
    for (int tile = firstTile; tile < endTile; tile++) {
      Arrays.fill(rowSums[tile - firstTile], 0);
    }
    int runs = x.runs();
    for (int run = 0; run < runs; run += STRIP_RUNS) {
      int count = Math.min(STRIP_RUNS, runs - run);
      for (int tile = firstTile; tile < endTile; tile++) {
        addUp(w, layout.blockOffset(tile, run / 2), run, count, x);
        float[] into = rowSums[tile - firstTile];
        TableLoops.addScaled(sums, count, w.scaleTable(), x.scales(), run, into);
      }
    }
    for (int tile = firstTile; tile < endTile; tile++) {
      float[] sum = rowSums[tile - firstTile];
      halves.loadFactors(w, tile, factors);
      TileLoops.multiply(sum, factors);
      int row = tile * TILE_ROWS;
      System.arraycopy(sum, 0, y, yOffset + row, Math.min(TILE_ROWS, layout.rows() - row));
    }
  }

  private void addUp(Matrix.Packed w, long block, int run, int count, ProductTable x) {
    TileLayout layout = w.layout();
    int at = run * x.runEntries();
    int blockBytes = layout.blockBytes();
    if (layout.bits() == 3) {
      TableLoops.sums3(w.data(), block, blockBytes, count, x, at, fields, sums);
    } else {
      int vectors = 2 * layout.bits();
      TableLoops.sumsOfNibbles(w.data(), block, blockBytes, vectors, count, x, at, sums);
    }
  }
}
