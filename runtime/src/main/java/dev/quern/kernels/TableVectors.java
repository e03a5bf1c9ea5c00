package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.BAND_TILES;
import static dev.quern.kernels.TileLayout.RUN_COLS;
import static dev.quern.kernels.TileLayout.STRIP_COLS;
import static dev.quern.kernels.TileLayout.TILE_ROWS;

import java.lang.ref.Reference;
import java.util.Arrays;
import java.util.Objects;

/**
 * Products of packed tiles with a vector given by its {@link ProductTable}, for one thread: strip
 * by strip, so that the strip's part of the table, 4 to 8 KiB, stays in L1 for all tiles of a band.
 */
final class TableVectors {
  private static final int STRIP_RUNS = STRIP_COLS / RUN_COLS;

  private final boolean prefetches;
  private final short[] sums = new short[STRIP_RUNS * TableLoops.RUN_SHORTS];
  private final short[] fields = new short[TILE_ROWS * 2];
  private final float[][] rowSums = new float[BAND_TILES][TILE_ROWS];
  private final float[] factors = new float[TILE_ROWS];
  private final Halves halves = new Halves();

  /**
   * @param prefetches whether weights are prefetched into the processor's cache
   */
  TableVectors(boolean prefetches) {
    this.prefetches = prefetches;
  }

  /** As {@link Kernels#gemv}. */
  void gemv(Matrix.Packed w, int firstTile, int endTile, ProductTable x, float[] y, int yOffset) {
    Objects.checkFromToIndex(firstTile, endTile, w.layout().tiles()); // loops do not check
    if (!x.isFor(w)) {
      throw new IllegalArgumentException("the table is of another matrix: " + w.layout());
    }
    for (int tile = firstTile; tile < endTile; ) {
      int end = Math.min(endTile, (tile / BAND_TILES + 1) * BAND_TILES);
      gemvBand(w, tile, end, x, y, yOffset);
      tile = end;
    }
    Reference.reachabilityFence(w.data()); // of which addresses were read
    Reference.reachabilityFence(x);
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
      halves.loadFactors(w, tile, factors, 0);
      TileLoops.multiply(sum, 0, factors, TILE_ROWS);
      int row = tile * TILE_ROWS;
      System.arraycopy(sum, 0, y, yOffset + row, Math.min(TILE_ROWS, layout.rows() - row));
    }
  }

  private void addUp(Matrix.Packed w, long block, int run, int count, ProductTable x) {
    TileLayout layout = w.layout();
    int at = run * x.levels().runEntries();
    int blockBytes = layout.blockBytes();
    boolean ahead = prefetches && w.bytes() >= Prefetch.MIN_BYTES;
    if (layout.bits() == 3) {
      TableLoops.sums3(w.data(), block, blockBytes, count, ahead, x, at, fields, sums);
    } else {
      int vectors = 2 * layout.bits();
      TableLoops.sumsOfNibbles(w.data(), block, blockBytes, vectors, count, ahead, x, at, sums);
    }
  }
}
