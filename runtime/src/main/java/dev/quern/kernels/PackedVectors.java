package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.BAND_TILES;
import static dev.quern.kernels.TileLayout.RUN_COLS;
import static dev.quern.kernels.TileLayout.STRIP_COLS;
import static dev.quern.kernels.TileLayout.TILE_ROWS;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Products of packed tiles with float32 activations; a lane is an output row.
 *
 * <p>Indices of 1 to 4 bits first become nibbles: a run of 16 columns is 8 vectors of 16 ints, int
 * m of vector v holds in byte q the index of row 16q + m in column 2v (low nibble) and 2v + 1 (high
 * nibble). What a narrower index leaves of a nibble is junk, and the table of levels repeats so
 * that it does not matter. Then one loop serves every width: look up, multiply, add.
 */
final class PackedVectors {
  /** Runs of a strip, handled between two steps: 8 KiB of nibbles stay in L1. */
  private static final int MAX_RUNS = STRIP_COLS / RUN_COLS;

  private final boolean prefetches;
  private final int[] nibbles = new int[MAX_RUNS * TileLoops.RUN_INTS];
  private final float[] runSums = new float[MAX_RUNS * TILE_ROWS];
  private final float[] levels = new float[Lanes.TABLE_ENTRIES];
  private final float[] scaleTable = new float[Lanes.TABLE_ENTRIES];
  private final float[][] rowSums = new float[BAND_TILES][TILE_ROWS];
  private final float[] factors = new float[TILE_ROWS];
  private final Halves halves = new Halves();
  private final float[] scales = new float[TILE_ROWS];
  private final float[] offsets = new float[TILE_ROWS];
  private final float[] lastBlock = new float[MAX_RUNS * RUN_COLS];

  /**
   * @param prefetches whether weights of 8 bits are prefetched into the processor's cache; narrower
   *     ones take longer to multiply than to read
   */
  PackedVectors(boolean prefetches) {
    this.prefetches = prefetches;
  }

  /** As {@link Kernels#gemv}. */
  void gemv(
      Matrix.Packed w, int firstTile, int endTile, float[] x, int xOffset, float[] y, int yOffset) {
    loadTables(w);
    for (int tile = firstTile; tile < endTile; ) {
      int end = Math.min(endTile, (tile / BAND_TILES + 1) * BAND_TILES);
      gemvBand(w, tile, end, x, xOffset, y, yOffset);
      tile = end;
    }
  }

  /** Tiles of one band, strip by strip: in the order in which they lie. */
  private void gemvBand(
      Matrix.Packed w, int firstTile, int endTile, float[] x, int xOffset, float[] y, int yOffset) {
    TileLayout layout = w.layout();
    for (int tile = firstTile; tile < endTile; tile++) {
      Arrays.fill(rowSums[tile - firstTile], 0);
    }
    int blockCols = layout.blockCols();
    int wholeBlocks = layout.cols() / blockCols;
    int step = STRIP_COLS / blockCols;
    for (int block = 0; block < wholeBlocks; block += step) {
      int blocks = Math.min(step, wholeBlocks - block);
      int from = xOffset + block * blockCols;
      for (int tile = firstTile; tile < endTile; tile++) {
        addBlocks(w, tile, block, blocks, x, from, rowSums[tile - firstTile]);
      }
    }
    int rest = layout.cols() - wholeBlocks * blockCols;
    if (rest > 0) {
      Arrays.fill(lastBlock, 0, blockCols, 0);
      System.arraycopy(x, xOffset + wholeBlocks * blockCols, lastBlock, 0, rest);
      for (int tile = firstTile; tile < endTile; tile++) {
        addBlocks(w, tile, wholeBlocks, 1, lastBlock, 0, rowSums[tile - firstTile]);
      }
    }
    for (int tile = firstTile; tile < endTile; tile++) {
      store(w, tile, rowSums[tile - firstTile], y, yOffset);
    }
  }

  private void store(Matrix.Packed w, int tile, float[] sums, float[] y, int yOffset) {
    if (w.layout().factors() > 0) {
      halves.loadFactors(w, tile, factors, 0);
      TileLoops.multiply(sums, 0, factors, TILE_ROWS);
    }
    int row = tile * TILE_ROWS;
    System.arraycopy(sums, 0, y, yOffset + row, Math.min(TILE_ROWS, w.rows() - row));
  }

  private void addBlocks(
      Matrix.Packed w, int tile, int block, int blocks, float[] x, int xOffset, float[] rowSums) {
    TileLayout layout = w.layout();
    MemorySegment data = w.data();
    long first = layout.blockOffset(tile, block);
    int runs = blocks * layout.blockCols() / RUN_COLS;
    if (layout.bits() == 8) {
      boolean ahead = prefetches && w.bytes() >= Prefetch.MIN_BYTES;
      for (int run = 0; run < runs; run++) {
        long at = runOffset(layout, first, run);
        if (ahead) {
          Prefetch.runOfBytes(data.address() + at);
        }
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
      case F16 -> addF16Scaled(layout, data, first, blocks, x, xOffset, rowSums);
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
      TileLayout layout,
      MemorySegment data,
      long first,
      int blocks,
      float[] x,
      int xOffset,
      float[] rowSums) {
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
