package dev.quern.quant;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LloydMaxTest {
  /**
   * Positive halves of the optimum for N(0, 1), to ten digits; J. Max, 1960, Table I, has the first
   * four.
   */
  private static final double[][] PINNED = {
    {0.7978845608},
    {0.4527800346, 1.5104176085},
    {0.2450941789, 0.7560052812, 1.3439092785, 2.1519457045},
    {
      0.1283950299,
      0.3880482995,
      0.6567591185,
      0.9423404565,
      1.2562311973,
      1.6180463860,
      2.0690172265,
      2.7325895710
    }
  };

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4})
  void levelsOfTheUnitNormal(int bits) {
    double[] levels = LloydMax.levels(bits);
    double[] half = Arrays.copyOfRange(levels, levels.length / 2, levels.length);
    assertArrayEquals(PINNED[bits - 1], half, 1e-9);
  }

  @Test
  void fiveBitsEndWhereTheReferenceEnds() {
    double[] levels = LloydMax.levels(5);
    assertEquals(32, levels.length);
    assertEquals(0.0658896598, levels[16], 1e-9);
    assertEquals(3.2607324934, levels[31], 1e-9);
  }

  @ParameterizedTest
  @CsvSource({"1, 0.363380", "2, 0.117482", "3, 0.034548", "4, 0.009501", "5, 0.002505"})
  void meanSquaredError(int bits, double expected) {
    assertEquals(expected, LloydMax.meanSquaredError(LloydMax.levels(bits)), 5e-7);
  }

  /** No level can be moved to lower the error: the definition of the optimum. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5})
  void everyLevelIsAMinimum(int bits) {
    double[] levels = LloydMax.levels(bits);
    double best = LloydMax.meanSquaredError(levels);
    int n = levels.length;
    for (int i = n / 2; i < n; i++) {
      for (double step : new double[] {-1e-3, 1e-3}) {
        double[] moved = levels.clone();
        moved[i] += step;
        moved[n - 1 - i] -= step;
        assertEquals(true, LloydMax.meanSquaredError(moved) > best, "level " + i);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 6})
  void otherWidthsAreRefused(int bits) {
    assertThrows(IllegalArgumentException.class, () -> LloydMax.levels(bits));
  }
}
