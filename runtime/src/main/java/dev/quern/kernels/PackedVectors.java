package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.RUN_COLS;
import static dev.quern.kernels.TileLayout.TILE_ROWS;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Products and dequantization of packed tiles with float32 activations; a lane is an output row.
 *
 * <p>Indices of 1 to 4 bits first become nibbles: a run of 16 columns is 8 vectors of 16 ints, int
 * m of vector v holds in byte q the index of row 16q + m in column 2v (low nibble) and 2v + 1 (high
 * nibble). What a narrower index leaves of a nibble is junk, and the table of levels repeats so
 * that it does not matter. Then one loop serves every width: look up, multiply, add.
 */
final class PackedVectors {
  /** Runs handled between two steps: 8 KiB of nibbles stay in L1. */
  private static final int MAX_RUNS = 16;

  private final int[] nibbles = new int[MAX_RUNS * TileLoops.RUN_INTS];
  private final float[] runSums = new float[MAX_RUNS * TILE_ROWS];
  private final float[] levels = new float[Lanes.TABLE_ENTRIES];
  private final float[] scaleTable = new float[Lanes.TABLE_ENTRIES];
  private final float[] rowSums = new float[TILE_ROWS];
  private final float[] factors = new float[TILE_ROWS];
  private final float[] scales = new float[TILE_ROWS];
  private final float[] offsets = new float[TILE_ROWS];
  private final float[] lastBlock = new float[MAX_RUNS * RUN_COLS];

  /** As {@link Kernels#gemv}, for one tile. */
  void gemv(Matrix.Packed w, int tile, float[] x, int xOffset, float[] y, int yOffset) {
    TileLayout layout = w.layout();
    loadTables(w);
    Arrays.fill(rowSums, 0);
    int blockCols = layout.blockCols();
    int wholeBlocks = layout.cols() / blockCols;
    int step = MAX_RUNS * RUN_COLS / blockCols;
    for (int block = 0; block < wholeBlocks; block += step) {
      int blocks = Math.min(step, wholeBlocks - block);
      addBlocks(w, tile, block, blocks, x, xOffset + block * blockCols);
    }
    int rest = layout.cols() - wholeBlocks * blockCols;
    if (rest > 0) {
      Arrays.fill(lastBlock, 0, blockCols, 0);
      System.arraycopy(x, xOffset + wholeBlocks * blockCols, lastBlock, 0, rest);
      addBlocks(w, tile, wholeBlocks, 1, lastBlock, 0);
    }
    int row = tile * TILE_ROWS;
    if (layout.factors() > 0) {
      loadFactors(w, tile, factors);
      TileLoops.multiply(rowSums, factors);
    }
    System.arraycopy(rowSums, 0, y, yOffset + row, Math.min(TILE_ROWS, layout.rows() - row));
  }

  private void addBlocks(Matrix.Packed w, int tile, int block, int blocks, float[] x, int xOffset) {
    TileLayout layout = w.layout();
    MemorySegment data = w.data();
    long first = TilePacking.blockOffset(layout, tile, block);
    int runs = blocks * layout.blockCols() / RUN_COLS;
    if (layout.bits() == 8) {
      for (int run = 0; run < runs; run++) {
        long at = runOffset(layout, first, run);
        TileLoops.sumBytes(data, at, x, xOffset + run * RUN_COLS, runSums, run * TILE_ROWS);
      }
    } else {
      for (int run = 0; run < runs; run++) {
        unpack(layout.bits(), data, runOffset(layout, first, run), run);
      }
      TileLoops.sumNibbles(nibbles, runs, x, xOffset, levels, runSums);
    }
    switch (layout.scales()) {
      case U4 ->
          TileLoops.addScaled(
              data, first, blocks, layout.blockBytes(), scaleTable, runSums, rowSums);
      case F16 -> addF16Scaled(layout, data, first, blocks, x, xOffset);
      case NONE -> TileLoops.addRuns(runSums, 0, runs, rowSums);
    }
  }

  private static long runOffset(TileLayout layout, long firstBlock, int run) {
    int runsPerBlock = layout.blockCols() / RUN_COLS;
    return firstBlock
        + (long) (run / runsPerBlock) * layout.blockBytes()
        + layout.scaleBytes()
        + (long) (run % runsPerBlock) * layout.runBytes();
  }

  private void loadTables(Matrix.Packed w) {
    float[] codebook = w.codebook();
    for (int i = 0; i < Lanes.TABLE_ENTRIES && codebook.length > 0; i++) {
      levels[i] = codebook[i & codebook.length - 1];
    }
    System.arraycopy(w.scaleTable(), 0, scaleTable, 0, w.scaleTable().length);
  }

  /** The factors of the rows of a tile. */
  static void loadFactors(Matrix.Packed w, int tile, float[] factors) {
    TileLayout layout = w.layout();
    if (layout.factorRows() == TILE_ROWS) {
      Arrays.fill(factors, TilePacking.factor(layout, w.data(), tile * TILE_ROWS));
      return;
    }
    int rows = Math.min(TILE_ROWS, layout.rows() - tile * TILE_ROWS);
    long at = layout.factorOffset() + (long) tile * TILE_ROWS * Short.BYTES;
    if (rows == TILE_ROWS) {
      TileLoops.loadHalves(w.data(), at, factors);
    } else {
      for (int r = 0; r < rows; r++) {
        factors[r] = TilePacking.scale(w.data(), at, r);
      }
    }
  }

  private void unpack(int bits, MemorySegment data, long at, int run) {
    int to = run * TileLoops.RUN_INTS;
    switch (bits) {
      case 1 -> TileLoops.unpack1(data, at, nibbles, to);
      case 2 -> TileLoops.unpack2(data, at, nibbles, to);
      case 3 -> TileLoops.unpack3(data, at, nibbles, to);
      default -> TileLoops.unpack4(data, at, nibbles, to);
    }
  }

  private void addF16Scaled(
      TileLayout layout, MemorySegment data, long first, int blocks, float[] x, int xOffset) {
    int runsPerBlock = layout.blockCols() / RUN_COLS;
    for (int b = 0; b < blocks; b++) {
      long block = first + (long) b * layout.blockBytes();
      Arrays.fill(scales, 0);
      TileLoops.addRuns(runSums, b * runsPerBlock * TILE_ROWS, runsPerBlock, scales);
      TileLoops.addHalvesTimes(data, block, scales, rowSums);
      if (layout.offsets()) {
        float sum = TileLoops.sum(x, xOffset + b * layout.blockCols(), layout.blockCols());
        Arrays.fill(offsets, sum);
        TileLoops.addHalvesTimes(data, block + TILE_ROWS * Short.BYTES, offsets, rowSums);
      }
    }
  }
}
