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

  /** As {@link Kernels#gemv}, for one tile. */
  static void gemv(Matrix.Dense w, int tile, float[] x, int xOffset, float[] y, int yOffset) {
    int endRow = Math.min((tile + 1) * TILE_ROWS, w.rows());
    int cols = w.cols();
    int vectorCols = cols - cols % COUNT;
    for (int row = tile * TILE_ROWS; row < endRow; row++) {
      long at = (long) row * cols * w.element().bytes();
      float sum =
          switch (w.element()) {
            case F32 -> dotF32(w.data(), at, x, xOffset, vectorCols);
            case F16 -> dotF16(w.data(), at, x, xOffset, vectorCols);
            case BF16 -> dotBf16(w.data(), at, x, xOffset, vectorCols);
          };
      for (int col = vectorCols; col < cols; col++) {
        sum += ScalarKernels.weight(w, row, col) * x[xOffset + col];
      }
      y[yOffset + row] = sum;
    }
  }

  // Four accumulators each: one would wait for the latency of its own additions.

  private static float dotF32(MemorySegment w, long at, float[] x, int xOffset, int n) {
    FloatVector s0 = FloatVector.zero(Lanes.FLOATS);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    int i = 0;
    for (; i <= n - 4 * COUNT; i += 4 * COUNT) {
      long a = at + 4L * i;
      s0 = Lanes.floats(w, a).fma(x(x, xOffset + i), s0);
      s1 = Lanes.floats(w, a + 4 * COUNT).fma(x(x, xOffset + i + COUNT), s1);
      s2 = Lanes.floats(w, a + 8 * COUNT).fma(x(x, xOffset + i + 2 * COUNT), s2);
      s3 = Lanes.floats(w, a + 12 * COUNT).fma(x(x, xOffset + i + 3 * COUNT), s3);
    }
    for (; i < n; i += COUNT) {
      s0 = Lanes.floats(w, at + 4L * i).fma(x(x, xOffset + i), s0);
    }
    return Lanes.sum(s0.add(s1).add(s2.add(s3)));
  }

  private static float dotBf16(MemorySegment w, long at, float[] x, int xOffset, int n) {
    FloatVector s0 = FloatVector.zero(Lanes.FLOATS);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    int i = 0;
    for (; i <= n - 4 * COUNT; i += 4 * COUNT) {
      long a = at + 2L * i;
      s0 = Lanes.bf16(w, a).fma(x(x, xOffset + i), s0);
      s1 = Lanes.bf16(w, a + 2 * COUNT).fma(x(x, xOffset + i + COUNT), s1);
      s2 = Lanes.bf16(w, a + 4 * COUNT).fma(x(x, xOffset + i + 2 * COUNT), s2);
      s3 = Lanes.bf16(w, a + 6 * COUNT).fma(x(x, xOffset + i + 3 * COUNT), s3);
    }
    for (; i < n; i += COUNT) {
      s0 = Lanes.bf16(w, at + 2L * i).fma(x(x, xOffset + i), s0);
    }
    return Lanes.sum(s0.add(s1).add(s2.add(s3)));
  }

  private static float dotF16(MemorySegment w, long at, float[] x, int xOffset, int n) {
    FloatVector s0 = FloatVector.zero(Lanes.FLOATS);
    FloatVector s1 = s0;
    int i = 0;
    for (; i <= n - 2 * COUNT; i += 2 * COUNT) {
      long a = at + 2L * i;
      s0 = Lanes.f16(w, a).fma(x(x, xOffset + i), s0);
      s1 = Lanes.f16(w, a + 2 * COUNT).fma(x(x, xOffset + i + COUNT), s1);
    }
    for (; i < n; i += COUNT) {
      s0 = Lanes.f16(w, at + 2L * i).fma(x(x, xOffset + i), s0);
    }
    return Lanes.sum(s0.add(s1));
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
