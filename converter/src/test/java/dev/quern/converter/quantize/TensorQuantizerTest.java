package dev.quern.converter.quantize;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.kernels.Kernels;
import dev.quern.kernels.Matrix;
import dev.quern.quant.CounterRandom;
import dev.quern.quant.QuantScheme;
import dev.quern.quant.QuantScheme.Method;
import dev.quern.quant.Rotation;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class TensorQuantizerTest {
  private static final long SEED = 11;

  /** 10⁷ normal weights in rows of 2048: the size at which the project states its errors. */
  private static final int NORMAL_ROWS = 4928;

  private static final int NORMAL_COLS = 2048;
  private static final float[] NORMAL = gaussian(1, NORMAL_ROWS * NORMAL_COLS);

  /** The bounds that the project promises; the estimate is good to 0.1 %. */
  @ParameterizedTest
  @CsvSource({
    "LLOYD_U4, 2, 16, 0.0945, 2.26",
    "LLOYD_U4, 3, 16, 0.0216, 3.26",
    "LLOYD_U4, 4, 16, 0.0052, 4.26",
    "LLOYD_F16, 2, 64, 0.1120, 2.25",
    "LLOYD_F16, 3, 64, 0.0298, 3.25",
    "LLOYD_F16, 4, 64, 0.0072, 4.25",
    "RMS_F16, 2, 64, 0.1155, 2.25",
    "RMS_F16, 4, 64, 0.0094, 4.25",
    "AFFINE, 2, 64, 0.2045, 2.50",
    "AFFINE, 3, 64, 0.0375, 3.50",
    "AFFINE, 4, 64, 0.0081, 4.50",
    "ABSMAX, 4, 128, 0.0140, 4.125",
    "ABSMAX, 8, 32, 0.00003, 8.50"
  })
  void errorOnNormalWeights(Method method, int bits, int group, double bound, double bitsPerWeight)
      throws IOException {
    boolean rotated = method == Method.LLOYD_U4;
    ErrorReport report =
        Quantized.of(
                new QuantScheme(method, bits, group, rotated, false),
                NORMAL_ROWS,
                NORMAL_COLS,
                null,
                NORMAL)
            .report;
    System.out.printf(
        "%s, %d bits: relative MSE %.5f at %.4f bits per weight%n",
        method, bits, report.relativeMse(), report.bitsPerWeight());
    assertTrue(report.relativeMse() <= bound, "relative MSE " + report.relativeMse());
    assertTrue(
        report.relativeMse() > bound * 0.9, "too good: relative MSE " + report.relativeMse());
    assertTrue(report.bitsPerWeight() <= bitsPerWeight, "bits " + report.bitsPerWeight());
    assertEquals(0, report.kurtosisAfter(), 0.02);
    if (method == Method.LLOYD_U4 || method == Method.LLOYD_F16) {
      // With least-squares scales the error is orthogonal to what is stored.
      assertEquals(Math.sqrt(1 - report.relativeMse()), report.cosine(), 0.001);
    }
  }

  /**
   * What the report says is what a reader gets: every scheme, widths with padded rows and columns.
   */
  @ParameterizedTest
  @MethodSource("schemesAndShapes")
  void storedBytesDequantizeToTheReportedError(QuantScheme scheme, int rows, int cols)
      throws IOException {
    Quantized q = Quantized.of(scheme, rows, cols);
    float[] stored = q.dequantized();
    double errors = 0;
    double squares = 0;
    double largest = 0;
    for (int i = 0; i < stored.length; i++) {
      double e = q.rotatedWeights[i] - stored[i];
      errors += e * e;
      squares += (double) q.rotatedWeights[i] * q.rotatedWeights[i];
      largest = Math.max(largest, Math.abs(e));
    }
    // Sums of floats in another order.
    assertEquals(q.report.relativeMse(), errors / squares, 1e-4 * q.report.relativeMse() + 1e-9);
    assertEquals(q.report.maxError(), largest, 1e-5);
  }

  static Stream<Arguments> schemesAndShapes() {
    return Stream.of(
            QuantScheme.turbo(2),
            QuantScheme.turbo(3),
            QuantScheme.turbo(4),
            new QuantScheme(Method.LLOYD_F16, 3, 64, true, false),
            new QuantScheme(Method.RMS_F16, 2, 64, true, false),
            new QuantScheme(Method.AFFINE, 3, 64, false, false),
            new QuantScheme(Method.ABSMAX, 4, 32, false, false),
            new QuantScheme(Method.ABSMAX, 8, 32, false, false))
        .flatMap(s ->
            Stream.of(
                Arguments.of(s, 64, 64), Arguments.of(s, 100, 352), Arguments.of(s, 3, 1056)));
  }

  @Test
  void anOutlierColumnIsTamedByRotation() throws IOException {
    Quantized plain =
        Quantized.withOutliers(new QuantScheme(Method.LLOYD_F16, 3, 64, false, false));
    Quantized rotated =
        Quantized.withOutliers(new QuantScheme(Method.LLOYD_F16, 3, 64, true, false));
    assertTrue(rotated.report.kurtosisBefore() > 50, "kurtosis " + rotated.report.kurtosisBefore());
    assertEquals(0, rotated.report.kurtosisAfter(), 0.3);
    assertTrue(rotated.report.relativeMse() < plain.report.relativeMse());
  }

  /**
   * Averaged over second rotations, the residual removes the error of the first stage: its
   * definition.
   */
  @Test
  void residualIsUnbiased() throws IOException {
    QuantScheme scheme = new QuantScheme(Method.LLOYD_U4, 2, 16, true, true);
    int rows = 64;
    int cols = 256;
    float[] x = gaussian(5, cols);
    int draws = 400;
    double[] sum = new double[rows];
    double[] squares = new double[rows];
    double[] firstStage = new double[rows];
    for (int draw = 0; draw < draws; draw++) {
      Rotation second = Rotation.residual(draw, 0, Rotation.Input.MLP, cols);
      Quantized q = Quantized.of(scheme, rows, cols, second, gaussian(1, rows * cols));
      float[] rotatedInput = x.clone();
      q.rotation.apply(rotatedInput, 0);
      float[] exact = q.product(q.rotatedWeights, rotatedInput);
      float[] main = q.product(q.dequantized(), rotatedInput);
      float[] twice = rotatedInput.clone();
      second.apply(twice, 0);
      float[] correction = q.product(q.residualSigns(), twice);
      for (int r = 0; r < rows; r++) {
        double error = main[r] + correction[r] - exact[r];
        sum[r] += error;
        squares[r] += error * error;
        firstStage[r] = main[r] - exact[r];
      }
    }
    double biased = 0;
    double left = 0;
    for (int r = 0; r < rows; r++) {
      double mean = sum[r] / draws;
      double deviation = Math.sqrt((squares[r] / draws - mean * mean) / draws);
      assertTrue(
          Math.abs(mean) < 4.5 * deviation,
          "row %d: mean %g, sigma %g".formatted(r, mean, deviation));
      biased += firstStage[r] * firstStage[r];
      left += mean * mean;
    }
    assertTrue(left < 0.02 * biased, "mean square of the bias %g of %g".formatted(left, biased));
  }

  @Test
  void zeroRowsStayZero() throws IOException {
    float[] weights = gaussian(3, 64 * 64);
    Arrays.fill(weights, 64, 128, 0);
    for (QuantScheme scheme :
        new QuantScheme[] {new QuantScheme(Method.LLOYD_F16, 3, 32, true, false)}) {
      float[] stored = Quantized.of(scheme, 64, 64, null, weights).dequantized();
      for (int i = 64; i < 128; i++) {
        assertEquals(0, stored[i]);
      }
    }
  }

  @Test
  void notANumberIsRefusedWithItsPlace() {
    float[] weights = gaussian(3, 64 * 64);
    weights[64 * 2 + 7] = Float.NaN;
    ArithmeticException e =
        assertThrows(
            ArithmeticException.class,
            () -> Quantized.of(QuantScheme.turbo(3), 64, 64, null, weights));
    assertTrue(e.getMessage().contains("[2, 7]"), e.getMessage());
  }

  @Test
  void sameInputSameBytes() throws IOException {
    byte[] first = Quantized.of(QuantScheme.turbo(3), 100, 256).bytes;
    assertArrayEquals(first, Quantized.of(QuantScheme.turbo(3), 100, 256).bytes);
  }

  private static float[] gaussian(long key, int n) {
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = (float) CounterRandom.gaussian(CounterRandom.key(key), i);
    }
    return x;
  }

  /** A matrix before and after. */
  private static final class Quantized {
    final QuantScheme scheme;
    final int rows;
    final int cols;
    final Rotation rotation;
    final float[] rotatedWeights;
    final byte[] bytes;
    final ErrorReport report;

    private Quantized(QuantScheme scheme, int rows, int cols, Rotation second, float[] weights)
        throws IOException {
      this.scheme = scheme;
      this.rows = rows;
      this.cols = cols;
      rotation =
          scheme.rotated()
              ? Rotation.hadamard(SEED, 0, Rotation.Input.MLP, cols)
              : Rotation.none(cols);
      rotatedWeights = weights.clone();
      for (int r = 0; r < rows; r++) {
        rotation.apply(rotatedWeights, r * cols);
      }
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment out = arena.allocate(scheme.bytes(rows, cols), 64);
        report =
            new TensorQuantizer(scheme, rows, cols, rotation, second)
                .quantize(
                    (first, count, into) ->
                        System.arraycopy(weights, first * cols, into, 0, count * cols),
                    out);
        bytes = out.toArray(ValueLayout.JAVA_BYTE);
      }
    }

    static Quantized of(QuantScheme scheme, int rows, int cols) throws IOException {
      return of(scheme, rows, cols, null, gaussian(1, rows * cols));
    }

    static Quantized of(QuantScheme scheme, int rows, int cols, Rotation second, float[] weights)
        throws IOException {
      return new Quantized(scheme, rows, cols, second, weights);
    }

    static Quantized withOutliers(QuantScheme scheme) throws IOException {
      float[] weights = gaussian(2, 128 * 1024);
      for (int i = 77; i < weights.length; i += 256) {
        weights[i] *= 30;
      }
      return of(scheme, 128, 1024, null, weights);
    }

    float[] dequantized() {
      Tables tables = Tables.of(scheme);
      return unpack(
          new Matrix.Packed(
              scheme.layout(rows, cols), segment(0), tables.codebook(), tables.scaleTable()));
    }

    float[] residualSigns() {
      return unpack(
          new Matrix.Packed(
              scheme.residualLayout(rows, cols),
              segment(scheme.layout(rows, cols).bytes()),
              new float[] {-1, 1},
              new float[0]));
    }

    private MemorySegment segment(long from) {
      return Arena.ofAuto()
          .allocate(bytes.length, 64)
          .copyFrom(MemorySegment.ofArray(bytes))
          .asSlice(from);
    }

    private float[] unpack(Matrix.Packed matrix) {
      float[] result = new float[rows * cols];
      float[] panel = new float[64 * cols];
      for (int t = 0; t < matrix.layout().tiles(); t++) {
        Kernels.best().dequantize(matrix, t, 0, cols, panel);
        for (int r = 0; r < Math.min(64, rows - 64 * t); r++) {
          for (int c = 0; c < cols; c++) {
            result[(64 * t + r) * cols + c] = panel[64 * c + r];
          }
        }
      }
      return result;
    }

    float[] product(float[] matrix, float[] x) {
      float[] y = new float[rows];
      for (int r = 0; r < rows; r++) {
        double sum = 0;
        for (int c = 0; c < cols; c++) {
          sum += (double) matrix[r * cols + c] * x[c];
        }
        y[r] = (float) sum;
      }
      return y;
    }
  }
}
