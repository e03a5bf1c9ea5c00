package dev.quern.kernels;

import static dev.quern.kernels.HalfPanel.LEAD;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Products and dequantization: the vector version against the scalar definition. */
@Tag("vector-width") // the build runs it at 128 and 256 bits too
class MatrixKernelsTest {
  private static final long SEED = 23;
  private static final float GUARD = 12345.5f;

  /**
   * float32 rounds each of n products and sums to 2^-24 of a partial sum, which stays below Σ |w
   * x|; in practice the errors grow as √n, so 16 ulp of Σ |w x| hold for n ≤ 512 and a wrong index,
   * scale or column (about 1/n of it or more) does not pass.
   */
  private static final double SUM_TOLERANCE = 16 * 0x1p-24;

  /** Scalar multiplies factor · (scale · level), vector (factor · scale) · level: 3 roundings. */
  private static final double PRODUCT_TOLERANCE = 4 * 0x1p-24;

  private final Kernels scalar = new ScalarKernels();
  private final Kernels vector = new VectorKernels();

  @Test
  void prefetchingBytesChangesNothing() {
    TileLayout layout = new TileLayout(400, 1024, 8, TileLayout.Scales.F16, 32, false, 1);
    Matrix.Packed w = TestMatrices.packed(layout, SEED);
    assertTrue(w.bytes() >= Prefetch.MIN_BYTES);
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), 1024);
    float[] without = new float[400];
    float[] with = new float[400];
    new PackedVectors(false).gemv(w, 0, layout.tiles(), x, 0, without, 0);
    new PackedVectors(true).gemv(w, 0, layout.tiles(), x, 0, with, 0);
    assertArrayEquals(without, with);
  }

  /** Rows are multiplied in pairs. */
  @ParameterizedTest
  @EnumSource(Matrix.Element.class)
  void denseRowsDoNotDependOnOthers(Matrix.Element element) {
    int rows = 67;
    int cols = 150;
    Matrix.Dense w = TestMatrices.dense(element, rows, cols, SEED);
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), cols);
    float[] together = new float[rows];
    vector.gemv(w, 0, 2, x, 0, together, 0);
    long rowBytes = (long) cols * element.bytes();
    for (int row = 0; row < rows; row++) {
      float[] alone = new float[1];
      MemorySegment data = w.data().asSlice(row * rowBytes, rowBytes);
      vector.gemv(new Matrix.Dense(element, 1, cols, data), 0, 1, x, 0, alone, 0);
      assertEquals(alone[0], together[row], 0, "row " + row);
    }
  }

  // Whole tiles and blocks; one ragged block; ragged rows; several chunks of 16 runs with a rest.
  @ParameterizedTest
  @CsvSource({"64, 128", "65, 33", "7, 16", "128, 1", "100, 300", "130, 517", "67, 150"})
  void gemvEqualsScalar(int rows, int cols) {
    SplittableRandom random = new SplittableRandom(SEED);
    int xOffset = 3;
    float[] x = TestMatrices.gaussian(random, xOffset + cols);
    int yOffset = 5;
    for (Matrix.InPlace w : TestMatrices.all(rows, cols, SEED)) {
      float[] expected = guarded(yOffset + rows + 4);
      float[] actual = guarded(yOffset + rows + 4);
      int tiles = Math.ceilDiv(rows, 64);
      scalar.gemv(w, 0, tiles, x, xOffset, expected, yOffset);
      vector.gemv(w, 0, tiles, x, xOffset, actual, yOffset);
      float[] panel = new float[64 * cols];
      for (int row = 0; row < rows; row++) {
        if (row % 64 == 0) {
          scalar.dequantize(w, row / 64, 0, cols, panel);
        }
        double magnitude = 0;
        for (int col = 0; col < cols; col++) {
          magnitude +=
              (Math.abs(panel[64 * col + row % 64]) + partsBound(w)) * Math.abs(x[xOffset + col]);
        }
        String place = TestMatrices.name(w) + " row " + row;
        assertEquals(
            expected[yOffset + row], actual[yOffset + row], SUM_TOLERANCE * magnitude, place);
        actual[yOffset + row] = expected[yOffset + row];
      }
      assertArrayEquals(expected, actual, "written outside of y");
    }
  }

  /**
   * What |w| may reach in parts: with offsets, Σ scale·level·x and offset·Σx are summed apart and
   * may cancel, so a small weight does not mean small summands.
   */
  private static double partsBound(Matrix.InPlace w) {
    if (w instanceof Matrix.Packed p && p.layout().offsets()) {
      return p.layout().bits() == 8 ? 2 * 128 + 4 : 2 * 4 + 4;
    }
    return 0;
  }

  @Test
  void gemvOfATileRangeWritesThatRangeOnly() {
    Matrix.InPlace w = TestMatrices.packed(TestMatrices.layouts(200, 64).getFirst(), SEED);
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), 64);
    float[] whole = guarded(200);
    vector.gemv(w, 0, 4, x, 0, whole, 0);
    float[] part = guarded(200);
    vector.gemv(w, 1, 3, x, 0, part, 0);
    for (int row = 0; row < 200; row++) {
      assertEquals(row >= 64 && row < 192 ? whole[row] : GUARD, part[row], "row " + row);
    }
  }

  @ParameterizedTest
  @CsvSource({"64, 128, 0, 128", "65, 133, 16, 133", "40, 100, 96, 99", "100, 300, 32, 48"})
  void dequantizeEqualsScalar(int rows, int cols, int firstCol, int endCol) {
    int used = 64 * (endCol - firstCol);
    for (Matrix.InPlace w : TestMatrices.all(rows, cols, SEED)) {
      for (int tile = 0; tile < Math.ceilDiv(rows, 64); tile++) {
        float[] expected = guarded(used + 3);
        float[] actual = guarded(used + 3);
        scalar.dequantize(w, tile, firstCol, endCol, expected);
        vector.dequantize(w, tile, firstCol, endCol, actual);
        for (int i = 0; i < expected.length; i++) {
          double tolerance = PRODUCT_TOLERANCE * (Math.abs(expected[i]) + partsBound(w));
          assertEquals(expected[i], actual[i], tolerance, TestMatrices.name(w) + " at " + i);
        }
      }
    }
  }

  @Test
  void scalarGemvIsTheDequantizedMatrixTimesX() {
    int rows = 70;
    int cols = 45;
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), cols);
    for (Matrix.InPlace w : TestMatrices.all(rows, cols, SEED)) {
      float[] y = new float[rows];
      scalar.gemv(w, 0, 2, x, 0, y, 0);
      float[] panel = new float[64 * cols];
      scalar.dequantize(w, 1, 0, cols, panel);
      double sum = 0;
      for (int col = 0; col < cols; col++) {
        sum += (double) panel[64 * col + 2] * x[col];
      }
      assertEquals((float) sum, y[66], TestMatrices.name(w));
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "2, 40", "3, 100", "4, 33", "5, 16", "6, 33", "7, 100", "8, 256"})
  void multiplyPanelEqualsScalar(int most, int columns) {
    int vectors = Math.min(most, vector.groupVectors());
    SplittableRandom random = new SplittableRandom(SEED);
    float[] panel = TestMatrices.gaussian(random, 64 * columns);
    float[] x = TestMatrices.gaussian(random, 2 + 8 * columns);
    float[] expected = TestMatrices.gaussian(random, 5 + 64 * vectors + 3);
    float[] actual = expected.clone();
    scalar.multiplyPanel(panel, columns, vectors, x, 2, expected, 5);
    vector.multiplyPanel(panel, columns, vectors, x, 2, actual, 5);
    // Gaussian products: Σ |w x| is about 0.64 n
    assertArrayEquals(expected, actual, (float) (SUM_TOLERANCE * (columns + 4)));
    for (int i = 0; i < expected.length; i++) {
      if (i < 5 || i >= 5 + 64 * vectors) {
        assertEquals(expected[i], actual[i], "written outside of sums");
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "2, 40", "3, 100", "4, 33", "5, 16", "6, 33", "7, 100", "8, 256"})
  void multiplyHalvesEqualsScalar(int most, int columns) {
    int vectors = Math.min(most, vector.groupVectors());
    SplittableRandom random = new SplittableRandom(SEED);
    short[] halves = new short[3 + 64 * (columns + 2)];
    for (int i = 0; i < halves.length; i++) {
      halves[i] = Float.floatToFloat16((float) random.nextGaussian());
    }
    float[] x = TestMatrices.gaussian(random, 2 + 8 * columns);
    scalar.scale(HalfPanel.SCALE, x, 0, x.length);
    float[] expected = TestMatrices.gaussian(random, 5 + 64 * vectors + 3);
    float[] actual = expected.clone();
    scalar.multiplyHalves(halves, 3, columns + 2, columns, vectors, x, 2, expected, 5);
    vector.multiplyHalves(halves, 3, columns + 2, columns, vectors, x, 2, actual, 5);
    assertArrayEquals(expected, actual, (float) (SUM_TOLERANCE * (columns + 4)));
    for (int i = 0; i < expected.length; i++) {
      if (i < 5 || i >= 5 + 64 * vectors) {
        assertEquals(expected[i], actual[i], "written outside of sums");
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "4, 33", "8, 48"})
  void prefetchingHalvesChangesNothing(int most, int columns) {
    int vectors = Math.min(most, vector.groupVectors());
    SplittableRandom random = new SplittableRandom(SEED);
    short[] halves = new short[LEAD + 64 * columns];
    for (int i = 0; i < halves.length; i++) {
      halves[i] = Float.floatToFloat16((float) random.nextGaussian());
    }
    float[] x = TestMatrices.gaussian(random, 8 * columns);
    float[] without = TestMatrices.gaussian(random, 64 * vectors);
    float[] with = without.clone();
    HalfVectors.multiply(halves, LEAD, columns, columns, vectors, x, 0, without, 0, false);
    HalfVectors.multiply(halves, LEAD, columns, columns, vectors, x, 0, with, 0, true);
    assertArrayEquals(without, with);
  }

  /** Subnormal floats too: a product with a scaled vector is exact, as is that of the half. */
  @Test
  void everyFiniteHalfIsMultipliedExactly() {
    short[] halves = new short[LEAD + 64];
    float[] one = {HalfPanel.SCALE, 0, 0, 0, 0, 0, 0, 0};
    for (int first = 0; first < 1 << 16; first += 64) {
      for (int r = 0; r < 64; r++) {
        halves[LEAD + HalfPanel.index(1, 0, r)] = (short) (first + r);
      }
      float[] product = new float[64];
      vector.multiplyHalves(halves, LEAD, 1, 1, 1, one, 0, product, 0);
      for (int r = 0; r < 64 && Float.isFinite(half(first)); r++) {
        assertEquals(half(first + r) + 0f, product[r]);
      }
    }
  }

  /** Every half there is. */
  @Test
  void widenedHalvesAreWhatTheDefinitionMakesOfThem() {
    int columns = 1 << 10;
    short[] halves = new short[LEAD + 64 * columns];
    for (int c = 0; c < columns; c++) {
      for (int r = 0; r < 64; r++) {
        halves[LEAD + HalfPanel.index(columns, c, r)] = (short) (64 * c + r);
      }
    }
    for (Kernels kernels : List.of(scalar, vector)) {
      float[] panel = new float[64 * columns + 1];
      kernels.widen(halves, LEAD, columns, columns, panel);
      for (int i = 0; i < 64 * columns; i++) {
        assertEquals(Float.floatToIntBits(half(i)), Float.floatToIntBits(panel[i]), "half " + i);
      }
      assertEquals(0, panel[64 * columns]);
    }
  }

  private static float half(int bits) {
    return Float.float16ToFloat((short) bits);
  }

  @Test
  void groupsOfNoOrTooManyVectorsAreRefused() {
    float[] some = new float[64 * 64];
    for (int vectors : new int[] {0, 9}) {
      assertThrows(
          IllegalArgumentException.class,
          () -> vector.multiplyPanel(some, 1, vectors, some, 0, some, 0));
      assertThrows(
          IllegalArgumentException.class,
          () -> vector.multiplyHalves(new short[LEAD + 64], LEAD, 1, 1, vectors, some, 0, some, 0));
    }
  }

  /** The same additions in the same order: a result has the same bits in groups of every size. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 100})
  void resultOfAVectorDoesNotDependOnItsGroup(int vectors) {
    int columns = 37;
    int stride = columns + 2;
    SplittableRandom random = new SplittableRandom(SEED);
    float[] panel = TestMatrices.gaussian(random, 64 * columns);
    float[] x = TestMatrices.gaussian(random, 3 + vectors * stride);
    float[] together = new float[64 * vectors];
    VectorGroups groups = new VectorGroups(vector);
    groups.set(x, 3, stride, vectors, columns);
    groups.addProduct(panel, together, 0);
    for (int t = 0; t < vectors; t++) {
      float[] alone = new float[64];
      groups.set(x, 3 + t * stride, stride, 1, columns);
      groups.addProduct(panel, alone, 0);
      assertArrayEquals(alone, Arrays.copyOfRange(together, 64 * t, 64 * t + 64));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6})
  void vectorsOfAGroupLieSideBySide(int vectors) {
    int columns = 35;
    int stride = columns + 2;
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), 3 + vectors * stride);
    float[] out = new float[2 + 8 * columns + 1];
    vector.group(x, 3, stride, vectors, columns, out, 2);
    for (int c = 0; c < columns; c++) {
      for (int i = 0; i < vectors; i++) {
        assertEquals(x[3 + i * stride + c], out[2 + 8 * c + i]);
      }
    }
    assertEquals(0, out[0] + out[1] + out[out.length - 1], "written outside");
  }

  @Test
  void transposeEqualsScalar() {
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), 5 + 64 * 64);
    float[] expected = new float[3 + 64 * 64 + 1];
    float[] actual = expected.clone();
    scalar.transpose(x, 5, expected, 3);
    vector.transpose(x, 5, actual, 3);
    assertArrayEquals(expected, actual);
    assertEquals(x[5 + 64 * 7 + 40], actual[3 + 64 * 40 + 7]);
  }

  /** All 65536 half precision values, through a dense matrix with one column. */
  @Test
  void everyF16ValueIsExact() {
    MemorySegment data = MemorySegment.ofArray(new byte[2 << 16]);
    for (int i = 0; i < 1 << 16; i++) {
      data.set(TilePacking.LE_SHORT, 2L * i, (short) i);
    }
    Matrix.InPlace w = new Matrix.Dense(Matrix.Element.F16, 64, 1024, data);
    float[] expected = new float[1 << 16];
    float[] actual = new float[1 << 16];
    scalar.dequantize(w, 0, 0, 1024, expected);
    vector.dequantize(w, 0, 0, 1024, actual);
    for (int i = 0; i < expected.length; i++) {
      int wanted = Float.floatToIntBits(expected[i]); // one NaN for all
      assertEquals(wanted, Float.floatToIntBits(actual[i]), "f16 0x" + Integer.toHexString(i));
    }
  }

  private static float[] guarded(int n) {
    float[] values = new float[n];
    Arrays.fill(values, GUARD);
    return values;
  }
}
