package dev.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Plain loops against vectors, bit by bit. */
@Tag("vector-width") // the build runs it at 128 and 256 bits too
class LaneKernelsTest {
  private static final long SEED = 31;

  private final Kernels lanes = new LaneKernels();
  private final Kernels vectors = new VectorKernels();

  private static float[] gaussian(int n) {
    return TestMatrices.gaussian(new SplittableRandom(SEED + n), n);
  }

  /** Both versions write into a copy of the same array. */
  private void assertSame(String what, float[] before, BiConsumer<Kernels, float[]> call) {
    float[] expected = before.clone();
    float[] actual = before.clone();
    call.accept(vectors, expected);
    call.accept(lanes, actual);
    assertArrayEquals(expected, actual, what);
  }

  @ParameterizedTest
  @CsvSource({"64, 128", "65, 33", "7, 16", "128, 1", "100, 300", "130, 517", "67, 150"})
  void productsOfMatrices(int rows, int cols) {
    float[] x = gaussian(3 + cols);
    int tiles = Math.ceilDiv(rows, 64);
    for (Matrix.InPlace w : TestMatrices.all(rows, cols, SEED)) {
      assertSame(
          TestMatrices.name(w), new float[rows + 9], (k, y) -> k.gemv(w, 0, tiles, x, 3, y, 5));
      if (w instanceof Matrix.Packed packed && ProductTable.serves(packed)) {
        ProductTable table = new ProductTable();
        assertSame(
            TestMatrices.name(w) + " by table",
            new float[rows + 9],
            (k, y) -> {
              k.multiplyLevels(packed, x, 3, table);
              k.gemv(packed, 0, tiles, table, y, 5);
            });
      }
    }
  }

  /** A table that one has filled is read by the other. */
  @Test
  void tablesOfEitherServeBoth() {
    float[] x = gaussian(517);
    for (TileLayout layout : TestMatrices.layouts(130, 517)) {
      Matrix.Packed w = TestMatrices.packed(layout, SEED);
      if (ProductTable.serves(w)) {
        ProductTable ofLanes = new ProductTable();
        ProductTable ofVectors = new ProductTable();
        lanes.multiplyLevels(w, x, 0, ofLanes);
        vectors.multiplyLevels(w, x, 0, ofVectors);
        float[] expected = new float[130];
        vectors.gemv(w, 0, 3, ofVectors, expected, 0);
        for (Kernels kernels : new Kernels[] {lanes, vectors}) {
          for (ProductTable table : new ProductTable[] {ofLanes, ofVectors}) {
            float[] actual = new float[130];
            kernels.gemv(w, 0, 3, table, actual, 0);
            assertArrayEquals(expected, actual, TestMatrices.name(w));
          }
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"64, 128, 0, 128", "65, 133, 16, 133", "40, 100, 96, 99", "100, 300, 32, 48"})
  void dequantizedTiles(int rows, int cols, int firstCol, int endCol) {
    for (Matrix.InPlace w : TestMatrices.all(rows, cols, SEED)) {
      int last = Math.ceilDiv(rows, 64) - 1;
      assertSame(
          TestMatrices.name(w),
          new float[64 * (endCol - firstCol) + 3],
          (k, panel) -> k.dequantize(w, last, firstCol, endCol, panel));
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "2, 40", "3, 100", "4, 33", "5, 16", "6, 33", "7, 100", "8, 256"})
  void panels(int most, int columns) {
    int count = Math.min(most, vectors.groupVectors());
    float[] panel = gaussian(64 * columns);
    float[] x = gaussian(2 + 8 * columns);
    float[] sums = gaussian(5 + 64 * count + 3);
    assertSame("panel", sums, (k, to) -> k.multiplyPanel(panel, columns, count, x, 2, to, 5));

    short[] halves = new short[3 + 64 * (columns + 2)];
    SplittableRandom random = new SplittableRandom(SEED);
    for (int i = 0; i < halves.length; i++) {
      double size = i % 9 == 0 ? 1e-6 : 1; // some are subnormal
      halves[i] = Float.floatToFloat16((float) (size * random.nextGaussian()));
    }
    assertSame(
        "widened",
        new float[64 * columns],
        (k, to) -> k.widen(halves, 3, columns + 2, columns, to));
    lanes.scale(HalfPanel.SCALE, x, 0, x.length);
    assertSame(
        "halves",
        sums,
        (k, to) -> k.multiplyHalves(halves, 3, columns + 2, columns, count, x, 2, to, 5));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 8, 16, 32, 64, 2048})
  void rotations(int n) {
    assertSame("hadamard", gaussian(3 + n), (k, x) -> k.hadamard(x, 3, n));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 15, 16, 17, 33, 64, 255, 1000})
  void rows(int n) {
    float[] a = gaussian(n + 9);
    float[] b = TestMatrices.gaussian(new SplittableRandom(SEED), n + 9);
    assertEquals(vectors.dot(a, 3, b, 1, n), lanes.dot(a, 3, b, 1, n));
    assertSame("axpy", b, (k, y) -> k.axpy(0.7f, a, 3, y, 2, n));
    assertSame("multiplyAdd", b, (k, y) -> k.multiplyAdd(a, 3, b, 1, y, 2, n));
    assertSame("scale", a, (k, x) -> k.scale(0.3f, x, 3, n));
    assertSame("rmsNorm", b, (k, out) -> k.rmsNorm(a, 3, b, 1e-6f, out, 2, n));
    assertSame("softmax", a, (k, x) -> k.softmax(x, 3, n));
    assertSame("sigmoidGate", a, (k, x) -> k.sigmoidGate(b, 1, x, 3, n));
    assertSame("SiLU", a, (k, x) -> k.sigmoidGate(x, 3, x, 3, n));
    assertSame("swiGlu", a, (k, gate) -> k.swiGlu(gate, 3, b, 1, n));
    assertSame("clamped", a, (k, gate) -> k.clampedSwiGlu(gate, 3, b, 1, n, 0.6f, 1.702f));
    float[] weights = gaussian(9);
    float[] columns = gaussian(3 * (n + 2));
    assertSame(
        "combine",
        gaussian(3 * (n + 3)),
        (k, y) -> k.combine(weights, 3, columns, 1, n + 2, y, n + 3, n));
  }

  /** Of large numbers, masked ones and those between; a lane more than two vectors. */
  @Test
  void extremes() {
    float[] x = new float[33];
    for (int i = 0; i < x.length; i++) {
      x[i] = (i - 16) * 12.5f;
    }
    x[4] = Float.NEGATIVE_INFINITY;
    x[20] = 1000;
    float[] large = x.clone();
    large[7] = Float.NaN;
    assertSame("softmax", x, (k, to) -> k.softmax(to, 0, 33));
    assertSame("sigmoidGate", new float[33], (k, to) -> k.sigmoidGate(large, 0, to, 0, 33));
    assertSame("swiGlu", large, (k, gate) -> k.swiGlu(gate, 0, x, 0, 33));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 4})
  void runs(int runs) {
    float[] x = gaussian(3 + 4 * 70);
    x[5] = Float.NEGATIVE_INFINITY;
    float max = vectors.maxOfRuns(x, 3, 70, runs);
    assertEquals(max, lanes.maxOfRuns(x, 3, 70, runs));
    float[] sums = new float[2];
    assertSame(
        "exponentials",
        x,
        (k, to) -> sums[k == lanes ? 1 : 0] = k.exponentials(to, 3, 70, runs, max, 4));
    assertEquals(sums[0], sums[1]);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 16, 33, 128})
  void deltaSteps(int keyDim) {
    float[] x = gaussian(3 + 2 * keyDim);
    float[] values = gaussian(64);
    int end = 64 * keyDim;
    assertSame(
        "memory, values and what is read",
        Arrays.copyOf(gaussian(end), end + 128),
        (k, all) -> {
          float[] memory = Arrays.copyOf(all, end);
          float[] deltas = values.clone();
          float[] read = new float[64];
          k.deltaStep(memory, keyDim, 0.9f, 0.7f, x, 3, 3 + keyDim, deltas, read);
          System.arraycopy(memory, 0, all, 0, end);
          System.arraycopy(deltas, 0, all, end, 64);
          System.arraycopy(read, 0, all, end + 64, 64);
        });
  }
}
