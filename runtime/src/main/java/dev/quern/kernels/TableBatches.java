package dev.quern.kernels;

import static dev.quern.kernels.TableScratch.GROUP_VECTORS;
import static dev.quern.kernels.TableScratch.INDICES;
import static dev.quern.kernels.TableScratch.MAX_TILES;
import static dev.quern.kernels.TableScratch.MEMORY;
import static dev.quern.kernels.TableScratch.PART_RUNS;
import static dev.quern.kernels.TableScratch.SCALES;
import static dev.quern.kernels.TableScratch.SCALE_BYTES;
import static dev.quern.kernels.TableScratch.TABLES;
import static dev.quern.kernels.TableScratch.VECTOR_BYTES;
import static dev.quern.kernels.TileLayout.RUN_COLS;
import static dev.quern.kernels.TileLayout.TILE_ROWS;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Products of packed tiles with batches of vectors by {@link ProductTable}, for one thread and
 * vectors of 512 bits: part by part of the columns, so that indices and scales are unpacked once
 * for all vectors and the tables of four of them lie in L1 while all tiles look up in them.
 */
final class TableBatches {
  private static final int PART_BLOCKS = PART_RUNS / 2;

  private final TableLevels levels = new TableLevels();
  private final Halves halves = new Halves();
  private final float[] a = new float[PART_RUNS * RUN_COLS + Lanes.COUNT];
  private final float[] runScales = new float[PART_RUNS * GROUP_VECTORS];
  private final float[] factors = new float[MAX_TILES * TILE_ROWS]; // [tile, row]
  private float[] rowSums = {}; // [vector, tile, row]
  private final boolean prefetches;
  private int slot;

  /**
   * @param prefetches whether weights are prefetched into the processor's cache
   */
  TableBatches(boolean prefetches) {
    this.prefetches = prefetches;
  }

  /** As {@link Kernels#multiplyByTable}. */
  void multiply(TableBatch batch, int firstTile, int endTile, int firstVector, int endVector) {
    slot = TableScratch.take();
    try {
      for (int tile = firstTile; tile < endTile; tile += MAX_TILES) {
        int end = Math.min(tile + MAX_TILES, endTile);
        multiplyTiles(batch, tile, end, firstVector, endVector);
      }
    } finally {
      TableScratch.giveBack(slot);
    }
  }

  private void multiplyTiles(
      TableBatch batch, int firstTile, int endTile, int firstVector, int endVector) {
    int tiles = endTile - firstTile;
    int vectors = endVector - firstVector;
    int even = vectors + (vectors & 1); // sums of two vectors are scaled together
    int needed = Math.multiplyExact(even, tiles * TILE_ROWS);
    if (rowSums.length < needed) {
      rowSums = new float[needed];
    }
    Arrays.fill(rowSums, 0, needed, 0);
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
          if (prefetches && run + count < runs) {
            prefetch(batch, firstTile + tile, run + count, v, vectors);
          }
        }
      }
    }
    write(batch, firstTile, tiles, firstVector, vectors);
  }

  private int indicesOf(int tile) {
    return slot + INDICES + tile * PART_RUNS * levels.unitsPerRun() * VECTOR_BYTES;
  }

  private int scalesOf(int tile) {
    return slot + SCALES + tile * SCALE_BYTES;
  }

  private void unpack(TableBatch batch, int tile, int place, int run, int count) {
    Matrix.Packed w = batch.matrix(tile);
    TileLayout layout = w.layout();
    MemorySegment data = w.data();
    long block = layout.blockOffset(batch.tileOfMatrix(tile), run / 2);
    int bytes = layout.blockBytes();
    int indices = indicesOf(place);
    if (layout.bits() == 3) {
      TableBatchLoops.fields3(data, block, bytes, count, indices);
    } else {
      TableBatchLoops.nibbles(data, block, bytes, 2 * layout.bits(), count, indices);
    }
    TableBatchLoops.scales(data, block, bytes, count, w.scaleTable(), scalesOf(place));
  }

  /** Of the blocks of the next part the share of a group of vectors. */
  private static void prefetch(TableBatch batch, int tile, int run, int firstVector, int vectors) {
    TileLayout layout = batch.matrix(tile).layout();
    int groups = Math.ceilDiv(vectors, GROUP_VECTORS);
    int group = firstVector / GROUP_VECTORS;
    int end = PART_BLOCKS * (group + 1) / groups;
    for (int block = PART_BLOCKS * group / groups; block < end; block++) {
      long at = layout.blockOffset(batch.tileOfMatrix(tile), run / 2 + block);
      long address = batch.matrix(tile).data().address() + at;
      Prefetch.block(layout.bits(), address - Prefetch.DISTANCE);
    }
  }

  private void fillTables(TableBatch batch, int firstVector, int group, int run, int count) {
    for (int v = 0; v < group; v++) {
      if (batch.hasColumns((run + count) * RUN_COLS)) {
        int at = batch.offset(firstVector + v) + run * RUN_COLS;
        LevelLoops.scaleRuns(levels, batch.x(), at, count, a, runScales, GROUP_VECTORS, v);
      } else {
        batch.copyColumns(firstVector + v, run * RUN_COLS, count * RUN_COLS, a);
        LevelLoops.scaleRuns(levels, a, 0, count, a, runScales, GROUP_VECTORS, v);
      }
      int stride = GROUP_VECTORS * VECTOR_BYTES;
      LevelLoops.fill(
          levels, a, count, MEMORY.address() + slot + TABLES + v * VECTOR_BYTES, stride);
    }
  }

  private void addPart(int tile, int tiles, int firstVector, int group, int count) {
    int indices = indicesOf(tile);
    boolean pairs = levels.unitEntries() == VECTOR_BYTES;
    int units = levels.unitsPerRun();
    if (group <= 2) {
      TableBatchLoops.sumsForTwo(slot, indices, pairs ? 0 : 2, units, count);
    } else if (pairs) {
      TableBatchLoops.sumsOfPairs(slot, indices, count);
    } else {
      TableBatchLoops.sumsOfNibbles(slot, indices, units, count);
    }
    int scales = scalesOf(tile);
    int stride = tiles * TILE_ROWS;
    for (int v = 0; v < group; v += 2) {
      int rows = (firstVector + v) * stride + tile * TILE_ROWS;
      TableBatchLoops.addScaled(slot, v, scales, count, runScales, rowSums, rows, stride);
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
