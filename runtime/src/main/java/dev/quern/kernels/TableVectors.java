package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.TILE_ROWS;

import java.util.Arrays;

/** Products of packed tiles with a vector given by its {@link ProductTable}, for one thread. */
final class TableVectors {
  /** Runs handled between two steps: their sums, 6 KiB, and as much of the table stay in L1. */
  private static final int MAX_RUNS = 32;

  private final short[] sums = new short[MAX_RUNS * TableLoops.RUN_SHORTS];
  private final short[] fields = new short[TILE_ROWS * 2];
  private final float[] rowSums = new float[TILE_ROWS];
  private final float[] factors = new float[TILE_ROWS];

  /** As {@link Kernels#gemv}, for one tile. */
  void gemv(Matrix.Packed w, int tile, ProductTable x, float[] y, int yOffset) {
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
