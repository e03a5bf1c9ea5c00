package dev.quern.kernels;

import static dev.quern.kernels.Lanes.COUNT;
import static dev.quern.kernels.VectorGroups.GROUP_STRIDE;

/**
 * {@link Kernels#group} by interleaving: three times the first half of 8 vectors with the second.
 * Keeps scratch space: one per thread.
 */
final class VectorGrouping {
  private static final int HALF = GROUP_STRIDE / 2;

  private final float[] once = new float[GROUP_STRIDE * COUNT];
  private final float[] twice = new float[GROUP_STRIDE * COUNT];

  void group(float[] x, int xAt, int xStride, int vectors, int columns, float[] out, int outAt) {
    int last = vectors - 1;
    int c = 0;
    for (; c <= columns - COUNT; c += COUNT) {
      for (int i = 0; i < HALF; i++) {
        // In place of a vector that is not there comes the last one: no one reads it.
        int a = xAt + Math.min(i, last) * xStride + c;
        int b = xAt + Math.min(i + HALF, last) * xStride + c;
        Lanes.zip(x, a, b, once, 2 * i * COUNT, COUNT);
      }
      for (int i = 0; i < HALF; i++) {
        Lanes.zip(once, i * COUNT, (i + HALF) * COUNT, twice, 2 * i * COUNT, COUNT);
      }
      for (int i = 0; i < HALF; i++) {
        int to = outAt + c * GROUP_STRIDE + 2 * i * COUNT;
        Lanes.zip(twice, i * COUNT, (i + HALF) * COUNT, out, to, COUNT);
      }
    }
    for (; c < columns; c++) {
      for (int i = 0; i < vectors; i++) {
        out[outAt + c * GROUP_STRIDE + i] = x[xAt + i * xStride + c];
      }
    }
  }
}
