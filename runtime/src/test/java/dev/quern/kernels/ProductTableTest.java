package dev.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Products by table: bit for bit the definition, at every vector width. */
@Tag("vector-width")
class ProductTableTest {
  private static final long SEED = 29;

  private final Kernels scalar = new ScalarKernels();
  private final Kernels vector = new VectorKernels();

  // One run; ragged columns and rows; more strips than one, with a rest; more bands than one, with
  // a rest.
  @ParameterizedTest
  @CsvSource({
    "2, 64, 32, 1", "3, 64, 32, 1", "4, 64, 32, 1",
    "2, 130, 1100, 1", "3, 130, 1100, 1", "4, 130, 1100, 1",
    "2, 7, 45, 64", "3, 7, 45, 64", "4, 7, 45, 64",
    "2, 650, 600, 1", "3, 650, 600, 1", "4, 650, 600, 1"
  })
  void vectorEqualsScalarToTheBit(int bits, int rows, int cols, int factorRows) {
    Matrix.Packed w = matrix(bits, rows, cols, factorRows);
    int xOffset = 3;
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), xOffset + cols);
    Arrays.fill(x, xOffset, xOffset + Math.min(16, cols), 0); // a run without anything
    ProductTable expected = new ProductTable();
    ProductTable actual = new ProductTable();
    scalar.multiplyLevels(w, x, xOffset, expected);
    vector.multiplyLevels(w, x, xOffset, actual);
    assertArrayEquals(expected.scales(), actual.scales());
    assertEquals(-1, expected.entries().mismatch(actual.entries()));
    int tiles = Math.ceilDiv(rows, 64);
    float[] y = new float[5 + rows + 4];
    float[] fast = new float[y.length];
    scalar.gemv(w, 0, tiles, expected, y, 5);
    vector.gemv(w, 0, tiles, actual, fast, 5);
    assertArrayEquals(y, fast);
    assertEquals(0, fast[4]);
    assertEquals(0, fast[5 + rows]);
  }

  // Several matrices with the same input; a group of vectors with a rest; parts of the tiles and of
  // the vectors; ragged rows and columns, more parts of columns than one.
  @ParameterizedTest
  @CsvSource({"2, 1", "3, 1", "4, 1", "2, 64", "3, 64", "4, 64"})
  void aBatchEqualsItsVectorsOneByOneToTheBit(int bits, int factorRows) {
    int cols = 300;
    int vectors = 11;
    int[] rows = {130, 64, 700};
    int xStride = cols + 5;
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), 3 + vectors * xStride);
    Arrays.fill(x, 3 + 2 * xStride, 3 + 2 * xStride + 16, 0); // a run without anything
    TableBatch batch = new TableBatch();
    batch.start(x, 3, xStride, vectors);
    float[] codebook = {};
    float[][] expected = new float[rows.length][];
    float[][] actual = new float[rows.length][];
    for (int i = 0; i < rows.length; i++) {
      Matrix.Packed drawn = matrix(bits, rows[i], cols, factorRows);
      codebook = i == 0 ? drawn.codebook() : codebook;
      Matrix.Packed w =
          new Matrix.Packed(drawn.layout(), drawn.data(), codebook, drawn.scaleTable());
      int yStride = rows[i] + i;
      expected[i] = new float[2 + vectors * yStride];
      actual[i] = new float[expected[i].length];
      batch.add(w, actual[i], 2, yStride);
      for (int v = 0; v < vectors; v++) {
        ProductTable table = new ProductTable();
        scalar.multiplyLevels(w, x, 3 + v * xStride, table);
        scalar.gemv(w, 0, w.layout().tiles(), table, expected[i], 2 + v * yStride);
      }
    }
    int tiles = batch.tiles();
    assertEquals(3 + 1 + 11, tiles);
    vector.multiplyByTable(batch, 0, 2, 0, 8);
    vector.multiplyByTable(batch, 2, tiles, 0, 8);
    vector.multiplyByTable(batch, 0, tiles, 8, vectors);
    assertAllEqual(expected, actual);
    if (vector.maxTableVectors() > vectors) { // prefetching, also where it does not pay
      for (float[] y : actual) {
        Arrays.fill(y, 0);
      }
      new TableBatches(true).multiply(batch, 0, tiles, 0, vectors);
      assertAllEqual(expected, actual);
    }
  }

  /** As threads take them, also where vectors are too narrow for batches to be multiplied so. */
  @ParameterizedTest
  @CsvSource({"1, 8", "32, 8", "33, 8", "33, 5", "100, 8", "100, 1000"})
  void thePiecesOfABatchAreAllOfIt(int vectors, int tilesOfAPiece) {
    int cols = 20;
    Matrix.Packed w = matrix(3, 900, cols, 1);
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), vectors * cols);
    float[] expected = new float[vectors * 900];
    TableBatch whole = new TableBatch();
    whole.start(x, 0, cols, vectors);
    whole.add(w, expected, 0, 900);
    scalar.multiplyByTable(whole, 0, whole.tiles(), 0, vectors);
    float[] actual = new float[expected.length];
    TableBatch cut = new TableBatch();
    cut.start(x, 0, cols, vectors);
    cut.add(w, actual, 0, 900);
    cut.cut(tilesOfAPiece);
    for (int piece = 0; piece < cut.pieces(); piece++) {
      cut.multiplyPiece(scalar, piece);
    }
    assertArrayEquals(expected, actual);
  }

  private static void assertAllEqual(float[][] expected, float[][] actual) {
    for (int i = 0; i < expected.length; i++) {
      assertArrayEquals(expected[i], actual[i], "matrix " + i);
    }
  }

  /**
   * Rounding errors of units are independent and uniform: variance scale²/12 for each unit. Five
   * standard deviations hold for all rows of this seed; a wrong entry or level is far outside.
   */
  @ParameterizedTest
  @ValueSource(ints = {2, 3, 4})
  void productsAreThoseOfTheVectorUpToRounding(int bits) {
    int rows = 128;
    int cols = 512;
    Matrix.Packed w = matrix(bits, rows, cols, 1);
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), cols);
    ProductTable table = new ProductTable();
    vector.multiplyLevels(w, x, 0, table);
    float[] actual = new float[rows];
    vector.gemv(w, 0, 2, table, actual, 0);
    float[] expected = new float[rows];
    scalar.gemv(w, 0, 2, x, 0, expected, 0);
    for (int row = 0; row < rows; row++) {
      double variance = 0;
      for (int run = 0; run < table.runs(); run++) {
        double scale = w.scaleTable()[TilePacking.scaleCode(w, row, run)] * table.scales()[run];
        variance += scale * scale * table.levels().unitsPerRun() / 12;
      }
      double factor = TilePacking.factor(w.layout(), w.data(), row);
      assertEquals(expected[row], actual[row], 5 * factor * Math.sqrt(variance), "row " + row);
      assertTrue(expected[row] != actual[row], "nothing was rounded");
    }
  }

  @Test
  void aTableServesOtherVectorsAndMatricesOneAfterTheOther() {
    ProductTable table = new ProductTable();
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), 2048);
    for (int bits : new int[] {3, 2, 4, 3}) {
      int cols = 512 * bits;
      Matrix.Packed w = matrix(bits, 64, cols, 1);
      vector.multiplyLevels(w, x, 0, table);
      float[] again = new float[64];
      vector.gemv(w, 0, 1, table, again, 0);
      ProductTable fresh = new ProductTable();
      vector.multiplyLevels(w, x, 0, fresh);
      float[] first = new float[64];
      vector.gemv(w, 0, 1, fresh, first, 0);
      assertArrayEquals(first, again);
    }
  }

  @ParameterizedTest
  @ValueSource(floats = {1e-38f, 1e38f, Float.NaN, Float.POSITIVE_INFINITY})
  void extremeValuesDoNotPassUnseen(float value) {
    Matrix.Packed w = matrix(3, 64, 32, 1);
    float[] x = new float[32];
    x[5] = value;
    ProductTable table = new ProductTable();
    vector.multiplyLevels(w, x, 0, table);
    float[] y = new float[64];
    vector.gemv(w, 0, 1, table, y, 0);
    if (Math.abs(value) < 1) {
      assertArrayEquals(new float[64], y); // too small for a scale: as if 0
    } else if (value == 1e38f) {
      assertTrue(y[0] != 0 && Float.isFinite(y[0]));
    } else {
      assertFalse(Float.isFinite(y[0]));
    }
  }

  /** On every machine, also where it does not pay; here of a matrix that is large enough. */
  @ParameterizedTest
  @ValueSource(ints = {2, 3, 4})
  void prefetchingChangesNothing(int bits) {
    Matrix.Packed w = matrix(bits, 400, 1024, 1);
    assertTrue(w.bytes() >= Prefetch.MIN_BYTES);
    ProductTable table = new ProductTable();
    vector.multiplyLevels(w, TestMatrices.gaussian(new SplittableRandom(SEED), 1024), 0, table);
    float[] without = new float[400];
    float[] with = new float[400];
    new TableVectors(false).gemv(w, 0, w.layout().tiles(), table, without, 0);
    new TableVectors(true).gemv(w, 0, w.layout().tiles(), table, with, 0);
    assertArrayEquals(without, with);
  }

  @Test
  void whatAMatrixHasNotIsNotRead() {
    Matrix.Packed w = matrix(3, 64, 64, 1);
    Matrix.Packed wider = matrix(3, 64, 128, 1);
    ProductTable table = new ProductTable();
    vector.multiplyLevels(w, new float[64], 0, table);
    float[] y = new float[128];
    assertThrows(IndexOutOfBoundsException.class, () -> vector.gemv(w, 0, 2, table, y, 0));
    assertThrows(IllegalArgumentException.class, () -> vector.gemv(wider, 0, 1, table, y, 0));
  }

  private static Matrix.Packed matrix(int bits, int rows, int cols, int factorRows) {
    TileLayout layout =
        new TileLayout(rows, cols, bits, TileLayout.Scales.U4, 16, false, factorRows);
    return TestMatrices.packed(layout, SEED);
  }
}
