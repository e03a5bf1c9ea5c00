package dev.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("vector-width") // the build runs it at 128 and 256 bits too
class MatMulTest {
  private static final long SEED = 31;
  private static final int ROWS = 150;
  private static final int COLS = 330;
  private static final int X_STRIDE = COLS + 3;
  private static final int Y_STRIDE = ROWS + 2;
  private static final int TABLE_COLS = 90;
  private static final int TABLE_X_STRIDE = TABLE_COLS + 5;
  private static final Kernels KERNELS = new VectorKernels();

  private static Matrix.InPlace some3Bit() {
    return TestMatrices.packed(
        new TileLayout(ROWS, COLS, 3, TileLayout.Scales.U4, 16, false, 1), SEED);
  }

  /** One run over several kinds of matrices that read the same x; one result after another. */
  private static List<float[]> products(int threads, int vectors) {
    List<Matrix.InPlace> matrices =
        List.of(
            some3Bit(),
            TestMatrices.dense(Matrix.Element.BF16, ROWS, COLS, SEED),
            TestMatrices.packed(
                new TileLayout(ROWS, COLS, 8, TileLayout.Scales.F16, 64, false, 1), SEED));
    float[] x =
        TestMatrices.gaussian(new SplittableRandom(SEED), 1 + Math.max(1, vectors) * X_STRIDE);
    List<float[]> results = new ArrayList<>();
    try (MatMul matMul = MatMul.create(KERNELS, threads, Activations.F32)) {
      for (int round = 0; round < 2; round++) { // the second with the buffers of the first
        results.clear();
        for (Matrix.InPlace w : matrices) {
          float[] y = new float[2 + vectors * Y_STRIDE];
          results.add(y);
          matMul.add(w, x, 1, X_STRIDE, vectors, y, 2, Y_STRIDE);
        }
        matMul.run();
      }
    }
    return results;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 6, 7, 20, 200, 300})
  void resultsDoNotDependOnThreads(int vectors) {
    List<float[]> one = products(1, vectors);
    for (int threads = 2; threads <= 3; threads++) {
      List<float[]> more = products(threads, vectors);
      for (int i = 0; i < one.size(); i++) {
        assertArrayEquals(one.get(i), more.get(i), threads + " threads");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 193, 265, 530})
  void everyVectorEqualsTheScalarProduct(int vectors) {
    Matrix.InPlace w = some3Bit();
    float[] x =
        TestMatrices.gaussian(new SplittableRandom(SEED), 1 + Math.max(1, vectors) * X_STRIDE);
    float[] actual = new float[2 + vectors * Y_STRIDE];
    float[] expected = new float[actual.length]; // the gaps between vectors stay 0 in both
    Kernels scalar = new ScalarKernels();
    for (int t = 0; t < vectors; t++) {
      scalar.gemv(w, 0, 3, x, 1 + t * X_STRIDE, expected, 2 + t * Y_STRIDE);
    }
    try (MatMul matMul = MatMul.create(KERNELS, 2, Activations.F32)) {
      matMul.add(w, x, 1, X_STRIDE, vectors, actual, 2, Y_STRIDE);
      matMul.run();
    }
    // |w| is about 1.5, so Σ |w x| about 400; float32 keeps 2^-24 of it per rounding
    assertArrayEquals(expected, actual, 400 * 16 * 0x1p-24f);
  }

  /**
   * Decode sums a group and scales it, prefill scales each weight: a vector's result differs by
   * rounding between batches of up to and of more than {@link TiledMatMul#MAX_DECODE_VECTORS}, and
   * not at all among the latter.
   */
  @Test
  void resultOfAVectorDoesNotDependOnItsCompany() {
    float[] of600 = products(1, 600).getFirst(); // cut into parts
    for (int vectors = 7; vectors < 30; vectors++) {
      float[] some = products(1, vectors).getFirst();
      assertArrayEquals(Arrays.copyOf(of600, some.length), some);
    }
    float[] of1 = products(1, 1).getFirst();
    for (int row = 0; row < ROWS; row++) {
      assertEquals(of600[2 + row], of1[2 + row], 400 * 16 * 0x1p-24f);
    }
  }

  /** Rows that are decoded first are multiplied as float32 in memory would be. */
  @ParameterizedTest
  @ValueSource(ints = {1, 6, 7, 200})
  void decodedRowsGiveWhatTheSameRowsInPlaceGive(int vectors) {
    Matrix.Dense inPlace = TestMatrices.dense(Matrix.Element.F32, ROWS, COLS, SEED);
    RowSource rows =
        (row, dst, at) ->
            MemorySegment.copy(
                inPlace.data(),
                TilePacking.LE_FLOAT,
                (long) row * COLS * Float.BYTES,
                dst,
                at,
                COLS);
    Matrix.Decoded decoded = new Matrix.Decoded(ROWS, COLS, inPlace.bytes(), rows);
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), vectors * COLS);
    float[] expected = new float[vectors * ROWS];
    try (MatMul matMul = MatMul.create(KERNELS, 1, Activations.F32)) {
      matMul.add(inPlace, x, 0, COLS, vectors, expected, 0, ROWS);
      matMul.run();
    }
    for (int threads = 1; threads <= 3; threads++) {
      float[] actual = new float[expected.length];
      try (MatMul matMul = MatMul.create(KERNELS, threads, Activations.F32)) {
        matMul.add(decoded, x, 0, COLS, vectors, actual, 0, ROWS);
        matMul.run();
      }
      assertArrayEquals(expected, actual, threads + " threads");
    }
  }

  /**
   * With {@link Activations#INT}: two matrices that share tables, one with a codebook of its own,
   * two that have no tables and one that could have shared the first ones. What is multiplied by
   * table equals the scalar definition to the bit, whatever is beside it; the rest equals itself
   * with float32 activations.
   */
  @ParameterizedTest
  @CsvSource({
    "2, 1", "2, 6", "2, 7", "2, 32", "2, 33", "2, 100",
    "3, 1", "3, 6", "3, 7", "3, 32", "3, 33", "3, 100",
    "4, 1", "4, 6", "4, 7", "4, 32", "4, 33", "4, 100"
  })
  void productsByTableEqualTheScalarDefinitionToTheBit(int bits, int vectors) {
    List<Matrix.InPlace> matrices = matrices(bits);
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), 3 + vectors * TABLE_X_STRIDE);
    List<float[]> expected = new ArrayList<>();
    List<float[]> single = run(matrices, x, vectors, 1, Activations.F32);
    for (int i = 0; i < matrices.size(); i++) {
      boolean byTable =
          matrices.get(i) instanceof Matrix.Packed w
              && ProductTable.serves(w)
              && vectors <= Math.max(TiledMatMul.MAX_DECODE_VECTORS, KERNELS.maxTableVectors());
      expected.add(byTable ? byTable((Matrix.Packed) matrices.get(i), x, vectors) : single.get(i));
    }
    for (int threads = 1; threads <= 3; threads++) {
      List<float[]> actual = run(matrices, x, vectors, threads, Activations.INT);
      for (int i = 0; i < expected.size(); i++) {
        String place = threads + " threads, " + TestMatrices.name(matrices.get(i));
        assertArrayEquals(expected.get(i), actual.get(i), place);
      }
    }
  }

  /** More tiles than a piece of a batch has, rows and columns that fill the last one in part. */
  private static List<Matrix.InPlace> matrices(int bits) {
    Matrix.Packed first = packed(520, bits, SEED);
    Matrix.Packed drawn = packed(130, bits, SEED + 1);
    Matrix.Packed second =
        new Matrix.Packed(drawn.layout(), drawn.data(), first.codebook(), drawn.scaleTable());
    return List.of(
        first,
        second,
        packed(64, bits, SEED + 2),
        TestMatrices.dense(Matrix.Element.BF16, 70, TABLE_COLS, SEED),
        TestMatrices.packed(
            new TileLayout(70, TABLE_COLS, 8, TileLayout.Scales.F16, 64, false, 1), SEED),
        second);
  }

  private static Matrix.Packed packed(int rows, int bits, long seed) {
    return TestMatrices.packed(
        new TileLayout(rows, TABLE_COLS, bits, TileLayout.Scales.U4, 16, false, 1), seed);
  }

  private static List<float[]> run(
      List<Matrix.InPlace> matrices, float[] x, int vectors, int threads, Activations activations) {
    List<float[]> results = new ArrayList<>();
    try (MatMul matMul = MatMul.create(KERNELS, threads, activations)) {
      for (Matrix.InPlace w : matrices) {
        float[] y = new float[2 + vectors * (w.rows() + 1)];
        results.add(y);
        matMul.add(w, x, 3, TABLE_X_STRIDE, vectors, y, 2, w.rows() + 1);
      }
      matMul.run();
    }
    return results;
  }

  private static float[] byTable(Matrix.Packed w, float[] x, int vectors) {
    Kernels scalar = new ScalarKernels();
    ProductTable table = new ProductTable();
    float[] y = new float[2 + vectors * (w.rows() + 1)];
    for (int v = 0; v < vectors; v++) {
      scalar.multiplyLevels(w, x, 3 + v * TABLE_X_STRIDE, table);
      scalar.gemv(w, 0, w.layout().tiles(), table, y, 2 + v * (w.rows() + 1));
    }
    return y;
  }

  @Test
  void runForgetsWhatItRan() {
    Matrix.InPlace w = some3Bit();
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), COLS);
    float[] y = new float[ROWS];
    try (MatMul matMul = MatMul.create(KERNELS, 1, Activations.F32)) {
      matMul.add(w, x, 0, COLS, 1, y, 0, ROWS);
      matMul.run();
      y[0] = 42;
      matMul.run();
      assertEquals(42, y[0]);
    }
  }

  /** Of a few vectors and of a batch, whose products by table are collected otherwise. */
  @ParameterizedTest
  @ValueSource(ints = {1, 7})
  void whatIsForgottenIsNotComputed(int vectors) {
    Matrix.InPlace w = some3Bit();
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), vectors * COLS);
    for (Activations activations : Activations.values()) {
      float[] forgotten = new float[vectors * ROWS];
      float[] computed = new float[vectors * ROWS];
      try (MatMul matMul = MatMul.create(KERNELS, 1, activations)) {
        matMul.add(w, x, 0, COLS, vectors, forgotten, 0, ROWS);
        matMul.forget();
        matMul.add(w, x, 0, COLS, vectors, computed, 0, ROWS);
        matMul.run();
      }
      assertArrayEquals(new float[vectors * ROWS], forgotten);
      assertNotEquals(0, computed[0]);
    }
  }

  @Test
  void closingTwiceIsClosingOnce() {
    MatMul matMul = MatMul.create(KERNELS, 2, Activations.INT);
    matMul.close();
    matMul.close();
  }

  /** Weights may be unmapped then, and kernels that read them at addresses would not notice. */
  @Test
  void nothingIsReadOnceClosed() {
    Matrix.InPlace w = some3Bit();
    float[] x = new float[COLS];
    float[] y = new float[ROWS];
    MatMul matMul = MatMul.create(KERNELS, 2, Activations.INT);
    matMul.add(w, x, 0, COLS, 1, y, 0, ROWS);
    matMul.close();
    assertThrows(IllegalStateException.class, matMul::run);
  }

  @Test
  void packedWeightsLieOutsideTheHeap() {
    Matrix.Packed w = (Matrix.Packed) some3Bit();
    MemorySegment heap = MemorySegment.ofArray(new byte[(int) w.layout().bytes()]);
    assertThrows(
        IllegalArgumentException.class,
        () -> new Matrix.Packed(w.layout(), heap, w.codebook(), w.scaleTable()));
  }

  @Test
  void rangesBeyondTheArraysAreRefused() {
    Matrix.InPlace w = some3Bit();
    float[] x = new float[2 * COLS];
    float[] y = new float[2 * ROWS];
    try (MatMul matMul = MatMul.create(KERNELS, 1, Activations.F32)) {
      assertThrows(IllegalArgumentException.class, () -> matMul.add(w, x, 1, COLS, 2, y, 0, ROWS));
      assertThrows(IllegalArgumentException.class, () -> matMul.add(w, x, 0, COLS, 2, y, 1, ROWS));
      assertThrows(IllegalArgumentException.class, () -> matMul.add(w, x, -1, COLS, 1, y, 0, ROWS));
      matMul.run();
    }
  }
}
