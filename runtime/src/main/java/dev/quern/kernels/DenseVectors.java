package dev.quern.kernels;

import static dev.quern.kernels.Lanes.COUNT;
import static dev.quern.kernels.TileLayout.TILE_ROWS;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/** Products and transposition of row-major F32, F16 and BF16 matrices. */
final class DenseVectors {
  private final float[] square = new float[COUNT * COUNT];
  private final float[] zipped = new float[COUNT * COUNT];
  private final float[] sums = new float[2 * COUNT]; // lanes of two rows

  /**
   * As {@link Kernels#gemv}, for one tile. A row of its first half at once with one of its second:
   * processors read ahead in two places faster than in one.
   */
  void gemv(Matrix.Dense w, int tile, float[] x, int xOffset, float[] y, int yOffset) {
    int firstRow = tile * TILE_ROWS;
    int endRow = Math.min(firstRow + TILE_ROWS, w.rows());
    int half = Math.ceilDiv(endRow - firstRow, 2);
    int step = step(w.element());
    int whole = w.cols() - w.cols() % step;
    long rowBytes = (long) w.cols() * w.element().bytes();
    for (int row = firstRow; row < firstRow + half; row++) {
      int other = Math.min(row + half, endRow - 1);
      long a = row * rowBytes;
      long b = other * rowBytes;
      switch (w.element()) {
        case F32 -> sumLanesF32(w.data(), a, b, x, xOffset, whole, sums);
        case F16 -> sumLanesF16(w.data(), a, b, x, xOffset, whole, sums);
        case BF16 -> sumLanesBf16(w.data(), a, b, x, xOffset, whole, sums);
      }
      y[yOffset + row] = sum(0, w, row, x, xOffset, whole);
      y[yOffset + other] = sum(COUNT, w, other, x, xOffset, whole);
    }
  }

  /** Columns that a row is multiplied in at once: sums of so many are kept apart. */
  static int step(Matrix.Element element) {
    return (element == Matrix.Element.F16 ? 2 : 4) * COUNT;
  }

  /** Of the lanes from firstLane on and the products of columns from whole on: few, or none. */
  private float sum(int firstLane, Matrix.Dense w, int row, float[] x, int xOffset, int whole) {
    float sum = Lanes.sum(Lanes.floats(sums, firstLane));
    for (int col = whole; col < w.cols(); col++) {
      sum += ScalarKernels.weight(w, row, col) * x[xOffset + col];
    }
    return sum;
  }

  // Lanes of the sums of the rows that begin at bytes a and b, over n columns. Four accumulators
  // for each: one would wait for the latency of its own additions.

  private static void sumLanesF32(
      MemorySegment w, long a, long b, float[] x, int xOffset, int n, float[] sums) {
    FloatVector a0 = FloatVector.zero(Lanes.FLOATS);
    FloatVector a1 = a0;
    FloatVector a2 = a0;
    FloatVector a3 = a0;
    FloatVector b0 = a0;
    FloatVector b1 = a0;
    FloatVector b2 = a0;
    FloatVector b3 = a0;
    for (int i = 0; i < n; i += 4 * COUNT) {
      FloatVector x0 = x(x, xOffset + i);
      FloatVector x1 = x(x, xOffset + i + COUNT);
      FloatVector x2 = x(x, xOffset + i + 2 * COUNT);
      FloatVector x3 = x(x, xOffset + i + 3 * COUNT);
      long at = 4L * i;
      a0 = Lanes.floats(w, a + at).fma(x0, a0);
      a1 = Lanes.floats(w, a + at + 4 * COUNT).fma(x1, a1);
      a2 = Lanes.floats(w, a + at + 8 * COUNT).fma(x2, a2);
      a3 = Lanes.floats(w, a + at + 12 * COUNT).fma(x3, a3);
      b0 = Lanes.floats(w, b + at).fma(x0, b0);
      b1 = Lanes.floats(w, b + at + 4 * COUNT).fma(x1, b1);
      b2 = Lanes.floats(w, b + at + 8 * COUNT).fma(x2, b2);
      b3 = Lanes.floats(w, b + at + 12 * COUNT).fma(x3, b3);
    }
    a0.add(a1).add(a2.add(a3)).intoArray(sums, 0);
    b0.add(b1).add(b2.add(b3)).intoArray(sums, COUNT);
  }

  private static void sumLanesBf16(
      MemorySegment w, long a, long b, float[] x, int xOffset, int n, float[] sums) {
    FloatVector a0 = FloatVector.zero(Lanes.FLOATS);
    FloatVector a1 = a0;
    FloatVector a2 = a0;
    FloatVector a3 = a0;
    FloatVector b0 = a0;
    FloatVector b1 = a0;
    FloatVector b2 = a0;
    FloatVector b3 = a0;
    for (int i = 0; i < n; i += 4 * COUNT) {
      FloatVector x0 = x(x, xOffset + i);
      FloatVector x1 = x(x, xOffset + i + COUNT);
      FloatVector x2 = x(x, xOffset + i + 2 * COUNT);
      FloatVector x3 = x(x, xOffset + i + 3 * COUNT);
      long at = 2L * i;
      a0 = Lanes.bf16(w, a + at).fma(x0, a0);
      a1 = Lanes.bf16(w, a + at + 2 * COUNT).fma(x1, a1);
      a2 = Lanes.bf16(w, a + at + 4 * COUNT).fma(x2, a2);
      a3 = Lanes.bf16(w, a + at + 6 * COUNT).fma(x3, a3);
      b0 = Lanes.bf16(w, b + at).fma(x0, b0);
      b1 = Lanes.bf16(w, b + at + 2 * COUNT).fma(x1, b1);
      b2 = Lanes.bf16(w, b + at + 4 * COUNT).fma(x2, b2);
      b3 = Lanes.bf16(w, b + at + 6 * COUNT).fma(x3, b3);
    }
    a0.add(a1).add(a2.add(a3)).intoArray(sums, 0);
    b0.add(b1).add(b2.add(b3)).intoArray(sums, COUNT);
  }

  /** Conversions overlap, so two accumulators do. */
  private static void sumLanesF16(
      MemorySegment w, long a, long b, float[] x, int xOffset, int n, float[] sums) {
    FloatVector a0 = FloatVector.zero(Lanes.FLOATS);
    FloatVector a1 = a0;
    FloatVector b0 = a0;
    FloatVector b1 = a0;
    for (int i = 0; i < n; i += 2 * COUNT) {
      FloatVector x0 = x(x, xOffset + i);
      FloatVector x1 = x(x, xOffset + i + COUNT);
      long at = 2L * i;
      a0 = Lanes.f16(w, a + at).fma(x0, a0);
      a1 = Lanes.f16(w, a + at + 2 * COUNT).fma(x1, a1);
      b0 = Lanes.f16(w, b + at).fma(x0, b0);
      b1 = Lanes.f16(w, b + at + 2 * COUNT).fma(x1, b1);
    }
    a0.add(a1).intoArray(sums, 0);
    b0.add(b1).intoArray(sums, COUNT);
  }

  private static FloatVector x(float[] x, int at) {
    return FloatVector.fromArray(Lanes.FLOATS, x, at);
  }

  /** As {@link Kernels#dequantize}: squares of COUNT rows and columns are transposed. */
  void dequantize(Matrix.Dense w, int tile, int firstCol, int endCol, float[] panel) {
    int firstRow = tile * TILE_ROWS;
    int rows = Math.min(TILE_ROWS, w.rows() - firstRow);
    int cols = endCol - firstCol;
    int squareRows = rows - rows % COUNT;
    int squareCols = cols - cols % COUNT;
    for (int r = 0; r < squareRows; r += COUNT) {
      for (int c = 0; c < squareCols; c += COUNT) {
        load(w, firstRow + r, firstCol + c);
        transpose(panel, c * TILE_ROWS + r);
      }
    }
    for (int c = 0; c < cols; c++) {
      int to = c * TILE_ROWS;
      for (int r = c < squareCols ? squareRows : 0; r < rows; r++) {
        panel[to + r] = ScalarKernels.weight(w, firstRow + r, firstCol + c);
      }
      Arrays.fill(panel, to + rows, to + TILE_ROWS, 0);
    }
  }

  private void load(Matrix.Dense w, int row, int col) {
    long rowBytes = (long) w.cols() * w.element().bytes();
    long at = row * rowBytes + (long) col * w.element().bytes();
    switch (w.element()) {
      case F32 -> loadF32(w.data(), at, rowBytes);
      case F16 -> loadF16(w.data(), at, rowBytes);
      case BF16 -> loadBf16(w.data(), at, rowBytes);
    }
  }

  private void loadF32(MemorySegment w, long at, long rowBytes) {
    for (int i = 0; i < COUNT; i++) {
      Lanes.floats(w, at + i * rowBytes).intoArray(square, i * COUNT);
    }
  }

  private void loadF16(MemorySegment w, long at, long rowBytes) {
    for (int i = 0; i < COUNT; i++) {
      Lanes.f16(w, at + i * rowBytes).intoArray(square, i * COUNT);
    }
  }

  private void loadBf16(MemorySegment w, long at, long rowBytes) {
    for (int i = 0; i < COUNT; i++) {
      Lanes.bf16(w, at + i * rowBytes).intoArray(square, i * COUNT);
    }
  }

  /** The transpose of square, rows 64 apart: log2(COUNT) interleavings of its two halves. */
  private void transpose(float[] panel, int at) {
    if (COUNT == 4) {
      zip(square, zipped, 0, COUNT);
      zip(zipped, panel, at, TILE_ROWS);
    } else if (COUNT == 8) {
      zip(square, zipped, 0, COUNT);
      zip(zipped, square, 0, COUNT);
      zip(square, panel, at, TILE_ROWS);
    } else {
      zip(square, zipped, 0, COUNT);
      zip(zipped, square, 0, COUNT);
      zip(square, zipped, 0, COUNT);
      zip(zipped, panel, at, TILE_ROWS);
    }
  }

  private static void zip(float[] in, float[] out, int outAt, int outStride) {
    for (int i = 0; i < COUNT / 2; i++) {
      int to = outAt + 2 * i * outStride;
      Lanes.zip(in, i * COUNT, (i + COUNT / 2) * COUNT, out, to, outStride);
    }
  }

  /** As {@link Kernels#transpose}. */
  void transpose(float[] in, int inAt, float[] out, int outAt) {
    for (int r = 0; r < TILE_ROWS; r += COUNT) {
      for (int c = 0; c < TILE_ROWS; c += COUNT) {
        for (int i = 0; i < COUNT; i++) {
          x(in, inAt + (r + i) * TILE_ROWS + c).intoArray(square, i * COUNT);
        }
        transpose(out, outAt + c * TILE_ROWS + r);
      }
    }
  }
}
