package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.RUN_COLS;
import static dev.quern.kernels.TileLayout.TILE_ROWS;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Dequantizes packed tiles, {@link Kernels#dequantize}; a lane is an output row.
 *
 * <p>A run of 16 columns first becomes fields: 8 vectors of 16 ints, int m of vector v holds in
 * byte q the indices of row 16q + m in column 2v from bit 0 on and in column 2v + 1 from bit {@link
 * #shift} on. What lies above an index is junk, and the table of levels repeats so that it does not
 * matter. Then one loop serves every width. Keeps scratch space: one per thread.
 */
final class TilePanels {
  private final int[] fields = new int[TileLoops.RUN_INTS];
  private final float[] levels = new float[Lanes.TABLE_ENTRIES];
  private final float[] factors = new float[TILE_ROWS];
  private final Halves halves = new Halves();
  private final float[] scales = new float[TILE_ROWS];
  private final float[] offsets = new float[TILE_ROWS];
  private final float[] lastRun = new float[RUN_COLS * TILE_ROWS];
  private long loadedBlock; // whose f16 scales and offsets are here

  /** As {@link Kernels#dequantize}. */
  void dequantize(Matrix.Packed w, int tile, int firstCol, int endCol, float[] panel) {
    TileLayout layout = w.layout();
    float[] codebook = w.codebook();
    for (int i = 0; i < Lanes.TABLE_ENTRIES && codebook.length > 0; i++) {
      levels[i] = codebook[i & codebook.length - 1];
    }
    if (layout.factors() > 0) {
      halves.loadFactors(w, tile, factors, 0);
    }
    if (!layout.offsets()) {
      Arrays.fill(offsets, 0);
    }
    int wholeRuns = endCol / RUN_COLS;
    loadedBlock = -1;
    for (int run = firstCol / RUN_COLS; run < wholeRuns; run++) {
      dequantizeRun(w, tile, run, panel, (run * RUN_COLS - firstCol) * TILE_ROWS);
    }
    int rest = endCol - wholeRuns * RUN_COLS;
    if (rest > 0) {
      dequantizeRun(w, tile, wholeRuns, lastRun, 0);
      int to = (wholeRuns * RUN_COLS - firstCol) * TILE_ROWS;
      System.arraycopy(lastRun, 0, panel, to, rest * TILE_ROWS);
    }
    int rows = layout.rows() - tile * TILE_ROWS;
    for (int c = 0; rows < TILE_ROWS && c < endCol - firstCol; c++) {
      Arrays.fill(panel, c * TILE_ROWS + rows, (c + 1) * TILE_ROWS, 0);
    }
  }

  private void dequantizeRun(Matrix.Packed w, int tile, int run, float[] out, int outAt) {
    TileLayout layout = w.layout();
    loadScales(w, tile, run);
    long at = TilePacking.runOffset(layout, tile, run);
    switch (layout.bits()) {
      case 1 -> PanelLoops.fields1(w.data(), at, fields);
      case 2 -> PanelLoops.fields2(w.data(), at, fields);
      case 3 -> PanelLoops.fields3(w.data(), at, fields);
      case 4 -> PanelLoops.fields4(w.data(), at, fields);
      default -> {
        PanelLoops.bytes(w.data(), at, scales, offsets, out, outAt);
        return;
      }
    }
    PanelLoops.levels(fields, layout.bits(), levels, scales, offsets, out, outAt);
  }

  private void loadScales(Matrix.Packed w, int tile, int run) {
    TileLayout layout = w.layout();
    int runsPerBlock = layout.blockCols() / RUN_COLS;
    MemorySegment data = w.data();
    long block = layout.blockOffset(tile, run / runsPerBlock);
    switch (layout.scales()) {
      case U4 -> PanelLoops.loadScales(data, block, run % 2, w.scaleTable(), factors, scales);
      case F16 -> {
        if (block != loadedBlock) {
          loadHalves(layout, data, block);
          loadedBlock = block;
        }
      }
      case NONE -> System.arraycopy(factors, 0, scales, 0, TILE_ROWS);
    }
  }

  private void loadHalves(TileLayout layout, MemorySegment data, long block) {
    halves.load(data, block, TILE_ROWS, scales, 0);
    if (layout.offsets()) {
      halves.load(data, block + TILE_ROWS * Short.BYTES, TILE_ROWS, offsets, 0);
    }
  }
}
