package dev.quern.converter.shadow;

import java.util.Arrays;

/**
 * The routing of consecutive tokens as one layer's predictions need it: what its router read, and
 * the experts of that layer and the coming ones.
 */
public final class LayerRows {
  private static final int BLOCK_ROWS = 4096;

  /** How much less a use counts per token that it is later. */
  static final float DISCOUNT = 0.8f;

  /** Tokens after which a use no longer counts. */
  private static final int HORIZON = 60; // 0.8^60 is about 1e-6

  private final int layer;
  private final int hiddenSize;
  private final int numExperts;
  private final int topK;
  private short[][] inputs = {}; // blocks of rows, float16
  private int[] tokens = {};
  private boolean[] continues = {};
  private final short[][] experts; // [distance][row · topK + k]
  private byte[] waits = {}; // [row, expert] tokens until its next use, 1 the next; 0 never
  private int rows;

  /**
   * @param layer whose router read the inputs
   * @param distances coming layers, whose experts are known; all have experts
   */
  public LayerRows(int layer, int distances, int hiddenSize, int numExperts, int topK) {
    this.layer = layer;
    this.hiddenSize = hiddenSize;
    this.numExperts = numExperts;
    this.topK = topK;
    experts = new short[distances + 1][0];
  }

  /** Bytes that rows of these sizes take in memory. */
  public static long bytes(long rows, int distances, int hiddenSize, int numExperts, int topK) {
    long perRow =
        (long) Short.BYTES * (hiddenSize + (distances + 1L) * topK)
            + numExperts
            + Integer.BYTES
            + 1;
    return rows * perRow;
  }

  /**
   * Adds the next token.
   *
   * @param follows whether the text of the token before goes on with it
   * @param input [hiddenSize] from inputAt on; empty if inputs are not needed
   * @param chosen [distance][topK] from expertsAt on; distance 0 is this layer
   */
  public void add(
      int token, boolean follows, float[] input, int inputAt, int[][] chosen, int expertsAt) {
    if (rows == tokens.length) {
      grow();
    }
    if (input.length > 0) {
      store(input, inputAt);
    }
    tokens[rows] = token;
    if (rows > 0) {
      continues[rows - 1] = follows;
    }
    for (int d = 0; d < experts.length; d++) {
      for (int k = 0; k < topK; k++) {
        experts[d][rows * topK + k] = (short) chosen[d][expertsAt + k];
      }
    }
    rows++;
  }

  private void store(float[] input, int inputAt) {
    int block = rows / BLOCK_ROWS;
    if (inputs[block].length == 0) {
      inputs[block] = new short[Math.multiplyExact(BLOCK_ROWS, hiddenSize)];
    }
    int at = rows % BLOCK_ROWS * hiddenSize;
    for (int i = 0; i < hiddenSize; i++) {
      inputs[block][at + i] = Float.floatToFloat16(input[inputAt + i]);
    }
  }

  private void grow() {
    int capacity = Math.addExact(tokens.length + BLOCK_ROWS, tokens.length / 2);
    capacity -= capacity % BLOCK_ROWS;
    int before = inputs.length;
    inputs = Arrays.copyOf(inputs, capacity / BLOCK_ROWS);
    for (int b = before; b < inputs.length; b++) {
      inputs[b] = new short[0];
    }
    tokens = Arrays.copyOf(tokens, capacity);
    continues = Arrays.copyOf(continues, capacity);
    for (int d = 0; d < experts.length; d++) {
      experts[d] = Arrays.copyOf(experts[d], Math.multiplyExact(capacity, topK));
    }
  }

  /** Layers ahead whose experts are known. */
  public int distances() {
    return experts.length - 1;
  }

  public int layer() {
    return layer;
  }

  public int rows() {
    return rows;
  }

  public int hiddenSize() {
    return hiddenSize;
  }

  public int numExperts() {
    return numExperts;
  }

  public int topK() {
    return topK;
  }

  int token(int row) {
    return tokens[row];
  }

  /** [row · topK + k] experts of layer + distance. */
  short[] experts(int distance) {
    return experts[distance];
  }

  /** Whether the next row is the token that follows in the text. */
  boolean continues(int row) {
    return continues[row];
  }

  /** The input of a row, [hiddenSize]. */
  void input(int row, float[] out, int at) {
    short[] block = inputs[row / BLOCK_ROWS];
    int from = row % BLOCK_ROWS * hiddenSize;
    for (int i = 0; i < hiddenSize; i++) {
      out[at + i] = Float.float16ToFloat(block[from + i]);
    }
  }

  /** First row of the experts that a head is scored by; a next-token head, by the row after. */
  int scoredRow(int row, int distance) {
    return distance == 0 ? row + 1 : row;
  }

  /** Whether a head can be scored by a row. */
  boolean scored(int row, int distance) {
    return distance > 0 || continues[row];
  }

  /**
   * What a head learns to give for a row, [numExperts] into out. Ahead: 1 for the experts used. For
   * the next token: 0.8^(d − 1) where an expert is used again after d tokens, which a cache profits
   * more from than from the next token alone.
   */
  void target(int row, int distance, float[] out, int at) {
    if (distance == 0) {
      prepareWaits();
      for (int e = 0; e < numExperts; e++) {
        out[at + e] = POWERS[waits[row * numExperts + e]];
      }
      return;
    }
    Arrays.fill(out, at, at + numExperts, 0);
    for (int k = row * topK; k < (row + 1) * topK; k++) {
      out[at + experts[distance][k]] = 1;
    }
  }

  private static final float[] POWERS = powers();

  private static float[] powers() {
    float[] powers = new float[HORIZON + 1];
    float value = 1;
    for (int wait = 1; wait <= HORIZON; wait++) {
      powers[wait] = value;
      value *= DISCOUNT;
    }
    return powers;
  }

  private void prepareWaits() {
    if (waits.length > 0) {
      return;
    }
    waits = new byte[Math.multiplyExact(rows, numExperts)];
    byte[] wait = new byte[numExperts]; // 0: not used within the horizon
    for (int row = rows - 1; row >= 0; row--) {
      for (int e = 0; e < numExperts; e++) {
        waits[row * numExperts + e] = wait[e];
        wait[e] = (byte) (wait[e] == 0 || wait[e] == HORIZON ? 0 : wait[e] + 1);
      }
      for (int k = row * topK; k < (row + 1) * topK; k++) {
        wait[experts[0][k]] = 1;
      }
    }
  }
}
