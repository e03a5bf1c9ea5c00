package dev.quern.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.ReentrantLock;

/**
 * What {@link TableBatchLoops} read and write besides weights, for all threads in one segment: of a
 * constant the compiler knows address and length, a place masked with {@link #MASK} lies in it for
 * certain, and checks of bounds disappear; they were 7 to 11 % of a batch's time. Each thread that
 * multiplies has a slot.
 */
final class TableScratch {
  /** Tiles of a slot. */
  static final int MAX_TILES = 32;

  /** Runs of a part of the columns, half a strip: tables, sums and a tile's indices share L1. */
  static final int PART_RUNS = TileLayout.STRIP_COLS / TileLayout.RUN_COLS / 2;

  static final int VECTOR_BYTES = 64;

  /** Vectors whose sums are computed at once. */
  static final int GROUP_VECTORS = 4;

  /** Of the sums of a run, of each of the group's vectors. */
  static final int SUM_BYTES = 2 * VECTOR_BYTES;

  /** Scales of a tile. */
  static final int SCALE_BYTES = PART_RUNS * TileLayout.TILE_ROWS * Float.BYTES;

  /** Indices of a tile: a vector for each unit, at 4 bits for each column. */
  static final int MAX_INDEX_BYTES = PART_RUNS * TileLayout.RUN_COLS * VECTOR_BYTES;

  private static final int MAX_TABLE_BYTES =
      PART_RUNS * TileLayout.RUN_COLS / 2 * GROUP_VECTORS * VECTOR_BYTES;

  /** Places in a slot. */
  static final int TABLES = 0;

  static final int SUMS = TABLES + MAX_TABLE_BYTES;
  static final int INDICES = SUMS + PART_RUNS * GROUP_VECTORS * SUM_BYTES;
  static final int SCALES = INDICES + MAX_TILES * MAX_INDEX_BYTES;
  private static final int SLOT_BYTES = SCALES + MAX_TILES * SCALE_BYTES;

  /** As many as can multiply at once. */
  private static final ReentrantLock[] SLOTS =
      new ReentrantLock[Math.clamp(Runtime.getRuntime().availableProcessors(), 1, 1024)];

  private static final int BYTES = 2 * Integer.highestOneBit(SLOTS.length * SLOT_BYTES - 1);

  /** Keeps a multiple of a vector's bytes within the memory, with a page for what is added. */
  static final int MASK = BYTES - VECTOR_BYTES;

  static final MemorySegment MEMORY = Arena.global().allocate(BYTES + 4096L, VECTOR_BYTES);

  static {
    for (int i = 0; i < SLOTS.length; i++) {
      SLOTS[i] = new ReentrantLock();
    }
  }

  private TableScratch() {}

  /**
   * The place of a slot that nobody else has; waits for one if there are more threads than
   * processors.
   */
  static int take() {
    for (int i = 0; i < SLOTS.length; i++) {
      if (SLOTS[i].tryLock()) {
        return i * SLOT_BYTES;
      }
    }
    SLOTS[0].lock();
    return 0;
  }

  /**
   * @param slot from {@link #take}, by the same thread
   */
  static void giveBack(int slot) {
    SLOTS[slot / SLOT_BYTES].unlock();
  }
}
