package dev.quern.model;

/**
 * Rotary position embedding: at position p the pair i of a head is turned by the angle p ·
 * theta^(−2i/headDim). Source: arXiv 2104.09864, section 3.2.2.
 *
 * <p>Angles are computed in double precision and their sines kept for the positions in use.
 */
final class Rope {
  private static final int BLOCK_POSITIONS = 256;

  private final int half;
  private final RopePairing pairing;
  private final double[] frequencies;
  private final float[][] tables; // per block of positions [position, pair, {cos, sin}]

  Rope(int headDim, double theta, RopePairing pairing, int maxPositions) {
    this.half = headDim / 2;
    this.pairing = pairing;
    frequencies = new double[half];
    for (int i = 0; i < half; i++) {
      frequencies[i] = Math.pow(theta, -2.0 * i / headDim);
    }
    tables = new float[Math.ceilDiv(maxPositions, BLOCK_POSITIONS)][];
  }

  /** Computes the sines of positions [0, positions), as far as they are not there yet. */
  void ensure(int positions) {
    for (int block = (positions - 1) / BLOCK_POSITIONS;
        block >= 0 && tables[block] == null;
        block--) {
      float[] table = new float[BLOCK_POSITIONS * half * 2];
      for (int p = 0; p < BLOCK_POSITIONS; p++) {
        for (int i = 0; i < half; i++) {
          double angle = ((double) block * BLOCK_POSITIONS + p) * frequencies[i];
          table[(p * half + i) * 2] = (float) Math.cos(angle);
          table[(p * half + i) * 2 + 1] = (float) Math.sin(angle);
        }
      }
      tables[block] = table;
    }
  }

  /** Turns one head in place, x[offset .. offset + headDim). */
  void apply(float[] x, int offset, int position) {
    float[] table = tables[position / BLOCK_POSITIONS];
    int at = position % BLOCK_POSITIONS * half * 2;
    int step = pairing == RopePairing.HALVES ? 1 : 2;
    int distance = pairing == RopePairing.HALVES ? half : 1;
    for (int i = 0; i < half; i++) {
      int first = offset + i * step;
      float cos = table[at + 2 * i];
      float sin = table[at + 2 * i + 1];
      float a = x[first];
      float b = x[first + distance];
      x[first] = a * cos - b * sin;
      x[first + distance] = b * cos + a * sin;
    }
  }
}
