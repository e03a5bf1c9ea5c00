package dev.quern.kv;

import java.util.Arrays;
import java.util.Objects;

/**
 * Keys and values of the positions so far, float32, per layer [position, kvHead, headDim].
 *
 * <p>Memory comes in blocks of {@link #BLOCK_POSITIONS} when the first position of a block is
 * reached, so a long limit costs nothing before it is used. Not for several threads; reading is.
 */
public final class KvCache {
  public static final int BLOCK_POSITIONS = 256;

  private final int width;
  private final int maxPositions;
  private final float[][][] keys;
  private final float[][][] values;

  /**
   * @param width numKvHeads · headDim
   * @param maxPositions at least 1
   */
  public KvCache(int numLayers, int width, int maxPositions) {
    if (numLayers < 1 || width < 1 || maxPositions < 1) {
      throw new IllegalArgumentException(
          "KV cache of %d layers, width %d, %d positions"
              .formatted(numLayers, width, maxPositions));
    }
    Math.multiplyExact(BLOCK_POSITIONS, width);
    this.width = width;
    this.maxPositions = maxPositions;
    int blocks = Math.ceilDiv(maxPositions, BLOCK_POSITIONS);
    keys = new float[numLayers][blocks][];
    values = new float[numLayers][blocks][];
  }

  /** Bytes that so many positions take, in whole blocks. */
  public static long bytes(int numLayers, int width, int positions) {
    long blocks = Math.ceilDiv(positions, BLOCK_POSITIONS);
    return Math.multiplyExact(
        2L * Float.BYTES * BLOCK_POSITIONS * numLayers, Math.multiplyExact(blocks, (long) width));
  }

  /** Makes room for positions [0, positions). */
  public void ensure(int positions) {
    Objects.checkIndex(positions - 1, maxPositions);
    for (int block = (positions - 1) / BLOCK_POSITIONS;
        block >= 0 && keys[0][block] == null;
        block--) {
      for (int layer = 0; layer < keys.length; layer++) {
        keys[layer][block] = new float[BLOCK_POSITIONS * width];
        values[layer][block] = new float[BLOCK_POSITIONS * width];
      }
    }
  }

  /** Stores one position's key and value of a layer, each [kvHead, headDim]. */
  public void put(int layer, int position, float[] key, int keyOffset, float[] value, int at) {
    int block = position / BLOCK_POSITIONS;
    int offset = offset(position);
    System.arraycopy(key, keyOffset, keys[layer][block], offset, width);
    System.arraycopy(value, at, values[layer][block], offset, width);
  }

  /** The keys of a position's block; the position begins at {@link #offset}. */
  public float[] keys(int layer, int position) {
    return keys[layer][position / BLOCK_POSITIONS];
  }

  /** The values of a position's block; the position begins at {@link #offset}. */
  public float[] values(int layer, int position) {
    return values[layer][position / BLOCK_POSITIONS];
  }

  public int offset(int position) {
    return position % BLOCK_POSITIONS * width;
  }

  /** Gives all memory back. */
  public void clear() {
    for (float[][][] blocks : new float[][][][] {keys, values}) {
      for (float[][] layer : blocks) {
        Arrays.fill(layer, null);
      }
    }
  }
}
