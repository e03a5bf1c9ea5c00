package dev.quern.kernels;

import static dev.quern.kernels.TableBatchLoops.GROUP_VECTORS;
import static dev.quern.kernels.TableBatchLoops.VECTOR_BYTES;
import static dev.quern.kernels.TileLayout.RUN_COLS;
import static dev.quern.kernels.TileLayout.TILE_ROWS;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Products of packed tiles with batches of vectors by {@link ProductTable}, for one thread and
 * vectors of 512 bits: part by part of the columns, so that indices and scales are unpacked once
 * for all vectors and the tables of four of them lie in L1 while all tiles look up in them.
 */
final class TableBatches {
  /** Runs of a part, half a strip: its tables, sums and one tile's indices share 32 KiB of L1. */
  private static final int PART_RUNS = TileLayout.STRIP_COLS / RUN_COLS / 2;

  private static final int SCALE_BYTES = PART_RUNS * TILE_ROWS * Float.BYTES;
  private static final int MAX_UNITS = RUN_COLS;
  private static final int MAX_INDEX_BYTES = PART_RUNS * MAX_UNITS * VECTOR_BYTES;

  private final TableLevels levels = new TableLevels();
  private final Halves halves = new Halves();
  private final float[] a = new float[PART_RUNS * RUN_COLS + Lanes.COUNT];
  private final float[] runScales = new float[PART_RUNS * GROUP_VECTORS];
  private final MemorySegment tables =
      allocate(PART_RUNS * RUN_COLS / 2 * GROUP_VECTORS * VECTOR_BYTES);
  private final MemorySegment sums =
      allocate(PART_RUNS * GROUP_VECTORS * TableBatchLoops.SUM_BYTES);
  private MemorySegment indices = MemorySegment.NULL; // [tile]
  private MemorySegment scales = MemorySegment.NULL; // [tile]
  private float[] factors = {}; // [tile, row]
  private float[] rowSums = {}; // [vector, tile, row]

  private static MemorySegment allocate(long bytes) {
    return Arena.ofAuto().allocate(bytes, VECTOR_BYTES);
  }

  /** As {@link Kernels#multiplyByTable}. */
  void multiply(TableBatch batch, int firstTile, int endTile, int firstVector, int endVector) {
    int tiles = endTile - firstTile;
    int vectors = endVector - firstVector;
    grow(tiles, vectors);
    Arrays.fill(rowSums, 0, vectors * tiles * TILE_ROWS, 0);
    levels.set(batch.matrix(firstTile));
    int runs = batch.matrix(firstTile).layout().paddedCols() / RUN_COLS;
    for (int run = 0; run < runs; run += PART_RUNS) {
      int count = Math.min(PART_RUNS, runs - run);
      for (int tile = 0; tile < tiles; tile++) {
        unpack(batch, firstTile + tile, tile, run, count);
      }
      for (int v = 0; v < vectors; v += GROUP_VECTORS) {
        int group = Math.min(GROUP_VECTORS, vectors - v);
        fillTables(batch, firstVector + v, group, run, count);
        for (int tile = 0; tile < tiles; tile++) {
          addPart(tile, tiles, v, group, count);
        }
      }
    }
    write(batch, firstTile, tiles, firstVector, vectors);
  }

  private void grow(int tiles, int vectors) {
    if (indices.byteSize() < (long) tiles * MAX_INDEX_BYTES) {
      indices = allocate((long) tiles * MAX_INDEX_BYTES);
      scales = allocate((long) tiles * SCALE_BYTES);
      factors = new float[tiles * TILE_ROWS];
    }
    int needed = Math.multiplyExact(vectors, tiles * TILE_ROWS);
    if (rowSums.length < needed) {
      rowSums = new float[needed];
    }
  }

  private int indexBytes() {
    return PART_RUNS * levels.unitsPerRun() * VECTOR_BYTES;
  }

  private void unpack(TableBatch batch, int tile, int slot, int run, int count) {
    Matrix.Packed w = batch.matrix(tile);
    TileLayout layout = w.layout();
    MemorySegment data = w.data();
    long block = layout.blockOffset(batch.tileOfMatrix(tile), run / 2);
    int bytes = layout.blockBytes();
    int at = slot * indexBytes();
    if (layout.bits() == 3) {
      TableBatchLoops.fields3(data, block, bytes, count, indices, at);
    } else {
      TableBatchLoops.nibbles(data, block, bytes, 2 * layout.bits(), count, indices, at);
    }
    TableBatchLoops.scales(data, block, bytes, count, w.scaleTable(), scales, slot * SCALE_BYTES);
  }

  private void fillTables(TableBatch batch, int firstVector, int group, int run, int count) {
    for (int v = 0; v < group; v++) {
      batch.copyColumns(firstVector + v, run * RUN_COLS, count * RUN_COLS, a);
      LevelLoops.scaleRuns(levels, a, 0, count, runScales, GROUP_VECTORS, v);
      int stride = GROUP_VECTORS * VECTOR_BYTES;
      LevelLoops.fill(levels, a, 0, count, tables, stride, v * VECTOR_BYTES);
    }
  }

  private void addPart(int tile, int tiles, int firstVector, int group, int count) {
    int at = tile * indexBytes();
    if (levels.unitCols() == 2) {
      int shared = levels.unitEntries() == VECTOR_BYTES ? 0 : 2;
      if (group > 2) {
        TableBatchLoops.sumsOfPairs(indices, at, shared, count, tables, sums);
      } else {
        TableBatchLoops.sumsOfPairsForTwo(indices, at, shared, count, tables, sums);
      }
    } else {
      for (int v = 0; v < group; v += 2) {
        TableBatchLoops.sumsOfColumns(indices, at, v, count, tables, sums);
      }
    }
    for (int v = 0; v < group; v++) {
      int rows = ((firstVector + v) * tiles + tile) * TILE_ROWS;
      int scalesAt = tile * SCALE_BYTES;
      TableBatchLoops.addScaled(sums, v, scales, scalesAt, count, runScales, rowSums, rows);
    }
  }

  private void write(TableBatch batch, int firstTile, int tiles, int firstVector, int vectors) {
    for (int tile = 0; tile < tiles; tile++) {
      int number = firstTile + tile;
      halves.loadFactors(
          batch.matrix(number), batch.tileOfMatrix(number), factors, tile * TILE_ROWS);
    }
    for (int v = 0; v < vectors; v++) {
      int rows = v * tiles * TILE_ROWS;
      TileLoops.multiply(rowSums, rows, factors, tiles * TILE_ROWS);
      for (int tile = 0; tile < tiles; tile++) {
        batch.write(firstTile + tile, firstVector + v, rowSums, rows + tile * TILE_ROWS);
      }
    }
  }
}
