package dev.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Elementwise kernels and reductions: the vector version against the scalar definition. */
@Tag("vector-width") // the build runs it at 128 and 256 bits too
class KernelsTest {
  private static final long SEED = 7;
  private static final int BEFORE = 3;
  private static final int AFTER = 5;

  private final Kernels scalar = new ScalarKernels();
  private final Kernels vector = new VectorKernels();

  private static float[] gaussian(int n) {
    return TestMatrices.gaussian(new SplittableRandom(SEED), n);
  }

  /** The same additions in the same order: equality is exact. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 8, 16, 32, 64, 128, 4096})
  void hadamardEqualsScalarExactly(int n) {
    float[] expected = gaussian(BEFORE + n + AFTER);
    float[] actual = expected.clone();
    scalar.hadamard(expected, BEFORE, n);
    vector.hadamard(actual, BEFORE, n);
    assertArrayEquals(expected, actual);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 16, 128, 2048})
  void hadamardIsOrthonormalAndItsOwnInverse(int n) {
    float[] x = gaussian(n);
    float[] y = x.clone();
    vector.hadamard(y, 0, n);
    assertEquals(norm(x), norm(y), 1e-6 * norm(x)); // float32, 11 roundings per element
    vector.hadamard(y, 0, n);
    assertArrayEquals(x, y, 3e-6f);
  }

  private static double norm(float[] x) {
    double squares = 0;
    for (float v : x) {
      squares += (double) v * v;
    }
    return Math.sqrt(squares);
  }

  /** Sylvester's order: row r, column c has the sign of the parity of r AND c. */
  @Test
  void hadamardOfAUnitVectorIsARowOfTheMatrix() {
    int n = 32;
    for (int row = 0; row < n; row++) {
      float[] x = new float[n];
      x[row] = 1;
      vector.hadamard(x, 0, n);
      for (int col = 0; col < n; col++) {
        float sign = Integer.bitCount(row & col) % 2 == 0 ? 1 : -1;
        assertEquals(sign * (float) (1 / Math.sqrt(n)), x[col]);
      }
    }
  }

  @Test
  void hadamardRefusesOtherLengths() {
    for (int n : new int[] {0, -4, 12, 48}) {
      for (Kernels kernels : new Kernels[] {scalar, vector}) {
        assertThrows(
            IllegalArgumentException.class, () -> kernels.hadamard(new float[64], 0, n), "" + n);
      }
    }
  }

  /** The same products added in the same order. */
  @ParameterizedTest
  @ValueSource(ints = {1, 4, 15, 16, 64, 100})
  void combinationsEqualScalarExactly(int n) {
    int count = 12;
    float[] weights = TestMatrices.gaussian(new SplittableRandom(SEED + 1), count * count);
    float[] x = gaussian(BEFORE + count * (n + 2));
    float[] expected = gaussian(count * (n + 3));
    float[] actual = expected.clone();
    scalar.combine(weights, count, x, BEFORE, n + 2, expected, n + 3, n);
    vector.combine(weights, count, x, BEFORE, n + 2, actual, n + 3, n);
    assertArrayEquals(expected, actual);
    assertEquals(scalar.dot(weights, 0, column(x, n + 2, count), 0, count), actual[0], 1e-5);
  }

  private static float[] column(float[] x, int stride, int count) {
    float[] column = new float[count];
    for (int j = 0; j < count; j++) {
      column[j] = x[BEFORE + j * stride];
    }
    return column;
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3, 15, 16, 17, 33, 64, 255, 1000})
  void everyLengthEqualsScalar(int n) {
    float[] a = gaussian(BEFORE + n + AFTER);
    float[] b = TestMatrices.gaussian(new SplittableRandom(SEED + 1), BEFORE + n + AFTER);

    // n products, each sum rounded to 2^-24 of at most Σ |a b|
    assertEquals(scalar.dot(a, BEFORE, b, 1, n), vector.dot(a, BEFORE, b, 1, n), 0x1p-22 * (n + 1));

    float[] expected = b.clone();
    float[] actual = b.clone();
    scalar.axpy(0.7f, a, BEFORE, expected, 2, n);
    vector.axpy(0.7f, a, BEFORE, actual, 2, n);
    assertArrayEquals(expected, actual, "axpy is a fused multiply-add in both");

    expected = a.clone();
    actual = a.clone();
    scalar.swiGlu(expected, BEFORE, b, 1, n);
    vector.swiGlu(actual, BEFORE, b, 1, n);
    assertClose(expected, actual, 1e-6, 1e-7); // exp to 1 ulp, three roundings

    expected = a.clone();
    actual = a.clone();
    scalar.sigmoidGate(b, 1, expected, BEFORE, n);
    vector.sigmoidGate(b, 1, actual, BEFORE, n);
    assertClose(expected, actual, 1e-6, 1e-7);

    expected = a.clone();
    actual = a.clone();
    scalar.clampedSwiGlu(expected, BEFORE, b, 1, n, 0.6f, 1.702f); // about half are clamped
    vector.clampedSwiGlu(actual, BEFORE, b, 1, n, 0.6f, 1.702f);
    assertClose(expected, actual, 1e-6, 2e-7); // 1 + up′ loses up to 2^-24

    expected = a.clone();
    actual = a.clone();
    scalar.sigmoidGate(expected, BEFORE, expected, BEFORE, n); // SiLU
    vector.sigmoidGate(actual, BEFORE, actual, BEFORE, n);
    assertClose(expected, actual, 1e-6, 1e-7);

    expected = b.clone();
    actual = b.clone();
    scalar.multiplyAdd(a, BEFORE, b, 1, expected, 2, n);
    vector.multiplyAdd(a, BEFORE, b, 1, actual, 2, n);
    assertArrayEquals(expected, actual, "a fused multiply-add in both");

    expected = a.clone();
    actual = a.clone();
    scalar.scale(0.3f, expected, BEFORE, n);
    vector.scale(0.3f, actual, BEFORE, n);
    assertArrayEquals(expected, actual, "one rounding in both");

    if (n == 0) {
      return;
    }
    expected = gaussian(BEFORE + n + AFTER);
    actual = expected.clone();
    scalar.softmax(expected, BEFORE, n);
    vector.softmax(actual, BEFORE, n);
    assertClose(expected, actual, 2e-6, 0);

    expected = b.clone();
    actual = b.clone();
    scalar.rmsNorm(a, BEFORE, b, 1e-6f, expected, 2, n);
    vector.rmsNorm(a, BEFORE, b, 1e-6f, actual, 2, n);
    assertClose(expected, actual, 1e-6, 0);
  }

  /** Guards before and after included: they differ by nothing. */
  private static void assertClose(
      float[] expected, float[] actual, double relative, double absolute) {
    for (int i = 0; i < expected.length; i++) {
      double tolerance = relative * Math.abs(expected[i]) + absolute;
      assertEquals(expected[i], actual[i], tolerance, "at " + i);
    }
    for (int i = 0; i < 2; i++) {
      int last = expected.length - 1 - i;
      assertEquals(expected[i], actual[i], "guard before");
      assertEquals(expected[last], actual[last], "guard after");
    }
  }

  /** The vector version rearranges: it reads what the query sees before the memory changes. */
  @ParameterizedTest
  @ValueSource(ints = {1, 16, 33, 128})
  void deltaStepEqualsScalar(int keyDim) {
    float[] x = gaussian(BEFORE + 2 * keyDim + AFTER);
    scalar.scale((float) (1 / Math.sqrt(keyDim)), x, 0, x.length); // keys of a norm near 1
    float[] memory = gaussian(keyDim * 64 + AFTER);
    float[] actualMemory = memory.clone();
    float[] values = TestMatrices.gaussian(new SplittableRandom(SEED + 2), 64 + AFTER);
    float[] actualValues = values.clone();
    float[] out = new float[64 + AFTER];
    float[] actualOut = new float[64 + AFTER];
    for (int token = 0; token < 3; token++) {
      float decay = 0.9f / (1 + token);
      int query = BEFORE + token;
      int key = BEFORE + keyDim;
      scalar.deltaStep(memory, keyDim, decay, 0.7f, x, query, key, values, out);
      vector.deltaStep(actualMemory, keyDim, decay, 0.7f, x, query, key, actualValues, actualOut);
    }
    // float32 sums of 128 products of values near 1, and what three tokens make of their rounding
    assertArrayEquals(memory, actualMemory, 1e-5f);
    assertArrayEquals(values, actualValues, 1e-5f);
    assertArrayEquals(out, actualOut, 1e-5f);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 4})
  void maximumAndExponentialsOfRunsEqualScalar(int runs) {
    int stride = 70;
    float[] expected = gaussian(BEFORE + 4 * stride);
    expected[BEFORE + 1] = Float.NEGATIVE_INFINITY; // what is masked
    float[] untouched = expected.clone();
    float[] actual = expected.clone();
    float max = scalar.maxOfRuns(expected, BEFORE, stride, runs);
    assertEquals(max, vector.maxOfRuns(actual, BEFORE, stride, runs));
    float sum = scalar.exponentials(expected, BEFORE, stride, runs, max, 4);
    float vectorSum = vector.exponentials(actual, BEFORE, stride, runs, max, 4);
    assertEquals(sum, vectorSum, 0x1p-22f * sum);
    assertArrayEquals(expected, actual, 0x1p-20f); // 2 ulp of 4
    for (int i = 0; i < actual.length; i++) {
      int inRun = i - BEFORE < runs * stride ? Math.floorMod(i - BEFORE, stride) : stride;
      if (i < BEFORE || inRun >= 64) {
        assertEquals(untouched[i], actual[i], "written outside");
      }
    }
    assertEquals(runs == 0 ? untouched[BEFORE + 1] : 0, actual[BEFORE + 1]);
  }

  @Test
  void rmsNormInPlaceEqualsOutOfPlace() {
    float[] x = gaussian(37);
    float[] weight = TestMatrices.gaussian(new SplittableRandom(1), 37);
    float[] out = new float[37];
    vector.rmsNorm(x, 0, weight, 1e-5f, out, 0, 37);
    vector.rmsNorm(x, 0, weight, 1e-5f, x, 0, 37);
    assertArrayEquals(out, x);
  }

  @ParameterizedTest
  @ValueSource(ints = {5, 16, 40})
  void softmaxOfExtremes(int n) {
    for (Kernels kernels : new Kernels[] {scalar, vector}) {
      float[] masked = new float[n];
      Arrays.fill(masked, Float.NEGATIVE_INFINITY);
      masked[n - 1] = 3;
      masked[1] = 3;
      kernels.softmax(masked, 0, n);
      assertEquals(0.5f, masked[1]);
      assertEquals(0.5f, masked[n - 1]);
      assertEquals(0, masked[0]);

      float[] large = new float[n];
      Arrays.fill(large, -3e38f);
      large[2] = 3e38f; // the difference overflows to -infinity
      kernels.softmax(large, 0, n);
      assertEquals(1, large[2]);
      assertEquals(0, large[0]);

      float[] equal = new float[n];
      Arrays.fill(equal, 1e30f);
      kernels.softmax(equal, 0, n);
      assertEquals(1f / n, equal[n - 1], 1e-8);
    }
  }

  @Test
  void gatesSaturate() {
    for (Kernels kernels : new Kernels[] {scalar, vector}) {
      float[] gate = new float[32];
      float[] up = new float[32];
      Arrays.fill(up, 2);
      Arrays.fill(gate, 0, 16, -1000);
      Arrays.fill(gate, 16, 32, 1000);
      kernels.swiGlu(gate, 0, up, 0, 32);
      assertEquals(0, gate[3], 0);
      assertEquals(2000, gate[20]);

      Arrays.fill(gate, 0, 16, -1000);
      Arrays.fill(gate, 16, 32, 1000);
      kernels.sigmoidGate(gate, 0, up, 0, 32);
      assertEquals(0, up[3]);
      assertEquals(2, up[20]);
    }
  }

  /** gate is limited from above alone, up on both sides. */
  @Test
  void clampedSwiGluOfExtremes() {
    float[] gates = {100, 100, 7, -1000, -1, 0};
    float[] ups = {100, -100, 0, 5, -1, 3};
    double glu = 7 / (1 + Math.exp(-1.702 * 7));
    double[] expected = {8 * glu, -6 * glu, glu, 0, 0, 0};
    for (Kernels kernels : new Kernels[] {scalar, vector}) {
      for (int i = 0; i < gates.length; i++) {
        float[] gate = new float[17];
        float[] up = new float[17];
        Arrays.fill(gate, gates[i]);
        Arrays.fill(up, ups[i]);
        kernels.clampedSwiGlu(gate, 0, up, 0, 17, 7, 1.702f);
        assertEquals(expected[i], gate[0], 1e-5, "vector part");
        assertEquals(expected[i], gate[16], 1e-5, "tail");
      }
    }
  }

  @Test
  void bestIsTheVectorVersionUnlessForced() {
    assertTrue(Kernels.best() instanceof VectorKernels);
    System.setProperty("quern.kernels", "scalar");
    try {
      assertTrue(Kernels.best() instanceof ScalarKernels);
      System.setProperty("quern.kernels", "tiered");
      assertTrue(Kernels.best() instanceof TieredKernels);
      assertSame(Kernels.best(), Kernels.best(), "what is compiled is so for all");
      System.setProperty("quern.kernels", "fast");
      IllegalArgumentException thrown = assertThrows(IllegalArgumentException.class, Kernels::best);
      assertEquals(
          "-Dquern.kernels: expected scalar, vector or tiered, found fast", thrown.getMessage());
    } finally {
      System.clearProperty("quern.kernels");
    }
  }
}
