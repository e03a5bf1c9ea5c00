package dev.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class DecodedTileTest {
  /** Row r is filled with r. */
  private static Matrix.Decoded matrix(int rows, int cols) {
    RowSource source = (row, dst, at) -> Arrays.fill(dst, at, at + cols, row);
    return new Matrix.Decoded(rows, cols, (long) rows * cols, source);
  }

  @Test
  void memoryThatDoesNotSufficeForOneMatrixServesOthers() {
    Matrix.Decoded tooWide = matrix(64, Integer.MAX_VALUE); // a tile takes 512 GiB
    try (DecodedTile tile = new DecodedTile()) {
      checkDecodes(tile, 10);
      assertThrows(OutOfMemoryError.class, () -> tile.decode(tooWide, 0));
      checkDecodes(tile, 10);
      checkDecodes(tile, 100);
    }
  }

  private static void checkDecodes(DecodedTile tile, int cols) {
    Matrix.Dense rows = tile.decode(matrix(70, cols), 1);
    float[] x = new float[cols];
    x[cols - 1] = 1;
    float[] y = new float[6];
    new ScalarKernels().gemv(rows, 0, 1, x, 0, y, 0);
    assertArrayEquals(new float[] {64, 65, 66, 67, 68, 69}, y);
  }
}
