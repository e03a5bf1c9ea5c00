package dev.quern.quant;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class FittedCodebookTest {
  private static final int GROUPS = 20_000;

  /**
   * On fresh normal weights, exhaustively quantized. Bounds: DESIGN's measured 0.0933, 0.0212 and
   * 0.00505 plus half a percent for this sample.
   */
  @ParameterizedTest
  @CsvSource({"2, 0.0938", "3, 0.0213", "4, 0.00508"})
  void errorOnFreshWeights(int bits, double bound) {
    FittedCodebook fitted = FittedCodebook.ofBits(bits);
    long key = CounterRandom.key(7);
    double errors = 0;
    double squares = 0;
    for (int g = 0; g < GROUPS; g++) {
      double[] x = new double[FittedCodebook.GROUP];
      for (int i = 0; i < x.length; i++) {
        x[i] = CounterRandom.gaussian(key, (long) g * x.length + i);
        squares += x[i] * x[i];
      }
      errors += leastError(fitted, x);
    }
    double relative = errors / squares;
    assertTrue(relative < bound, "relative MSE " + relative);
    // Shannon's bound for the index bits alone plus 0.25 bits of scale: below it something is
    // counted wrongly.
    assertTrue(relative > Math.pow(4, -(bits + 0.25)), "relative MSE " + relative);
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 4})
  void tablesAreSortedSymmetricAndNormalised(int bits) {
    FittedCodebook fitted = FittedCodebook.ofBits(bits);
    float[] levels = fitted.levels();
    float[] mirrored = new float[levels.length];
    for (int i = 0; i < levels.length; i++) {
      mirrored[i] = -levels[levels.length - 1 - i];
      assertTrue(i == 0 || levels[i] > levels[i - 1]);
    }
    assertArrayEquals(levels, mirrored);
    for (int s = 1; s < FittedCodebook.SCALES; s++) {
      assertTrue(fitted.scales()[s] > fitted.scales()[s - 1]);
    }
    assertEquals(1, fitted.scales()[FittedCodebook.SCALES / 2], 0.35);
  }

  private static double leastError(FittedCodebook fitted, double[] x) {
    double least = Double.POSITIVE_INFINITY;
    for (float scale : fitted.scales()) {
      double error = 0;
      for (double v : x) {
        double nearest = Double.POSITIVE_INFINITY;
        for (float level : fitted.levels()) {
          nearest = Math.min(nearest, Math.abs(v - scale * level));
        }
        error += nearest * nearest;
      }
      least = Math.min(least, error);
    }
    return least;
  }
}
