package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.TILE_ROWS;

import java.util.Arrays;

/** Products of packed tiles with a vector given by its {@link ProductTable}, for one thread. */
final class TableVectors {
  /** Runs handled between two steps: their sums, 6 KiB, and as much of the table stay in L1. */
  private static final int MAX_RUNS = 32;

  /**
   * Bytes of tiles that are brought into the cache before they are computed, where that pays: at 3
   * bits. There the table is four times as long as at 2, is itself read from the L2 cache, and
   * keeps the processor from reading weights ahead (measured: 1.25 times as fast with it; slower
   * with it at 2 and 4 bits).
   */
  private static final long AHEAD_BYTES = 128 << 10;

  private final short[] sums = new short[MAX_RUNS * TableLoops.RUN_SHORTS];
  private final short[] fields = new short[TILE_ROWS * 2];
  private final float[] rowSums = new float[TILE_ROWS];
  private final float[] factors = new float[TILE_ROWS];

  @SuppressWarnings("UnusedVariable") // written so that the reads are not left out
  private long touched;

  /** As {@link Kernels#gemv}. */
  void gemv(Matrix.Packed w, int firstTile, int endTile, ProductTable x, float[] y, int yOffset) {
    TileLayout layout = w.layout();
    int step = (int) Math.max(1, AHEAD_BYTES / layout.tileBytes());
    for (int first = firstTile; first < endTile; first += step) {
      int end = Math.min(first + step, endTile);
      if (layout.bits() == 3) {
        int bytes = (int) (layout.tileBytes() * (end - first));
        touched = TableLoops.touch(w.data(), layout.tileOffset(first), bytes);
      }
      for (int tile = first; tile < end; tile++) {
        gemv(w, tile, x, y, yOffset);
      }
    }
  }

  private void gemv(Matrix.Packed w, int tile, ProductTable x, float[] y, int yOffset) {
    TileLayout layout = w.layout();
    Arrays.fill(rowSums, 0);
    int runs = x.runs();
    for (int run = 0; run < runs; run += MAX_RUNS) {
      int count = Math.min(MAX_RUNS, runs - run);
      addUp(w, TilePacking.blockOffset(layout, tile, run / 2), run, count, x);
      TableLoops.addScaled(sums, count, w.scaleTable(), x.scales(), run, rowSums);
    }
    PackedVectors.loadFactors(w, tile, factors);
    TileLoops.multiply(rowSums, factors);
    int row = tile * TILE_ROWS;
    System.arraycopy(rowSums, 0, y, yOffset + row, Math.min(TILE_ROWS, layout.rows() - row));
  }

  private void addUp(Matrix.Packed w, long block, int run, int count, ProductTable x) {
    TileLayout layout = w.layout();
    int at = run * x.runEntries();
    int blockBytes = layout.blockBytes();
    if (layout.bits() == 3) {
      TableLoops.sums3(w.data(), block, blockBytes, count, x.entries(), at, fields, sums);
    } else {
      int vectors = 2 * layout.bits();
      TableLoops.sumsOfNibbles(w.data(), block, blockBytes, vectors, count, x.entries(), at, sums);
    }
  }
}
