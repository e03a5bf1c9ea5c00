package dev.quern.quant;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RotationTest {
  private static final long SEED = 42;

  @ParameterizedTest
  @ValueSource(ints = {12, 20, 28})
  void rowsOfTheSmallMatricesAreOrthogonal(int order) {
    float[] h = HadamardMatrix.ofOrder(order);
    for (int i = 0; i < order; i++) {
      for (int j = 0; j < order; j++) {
        float product = 0;
        for (int k = 0; k < order; k++) {
          product += h[i * order + k] * h[j * order + k];
        }
        assertEquals(i == j ? order : 0, product, "rows " + i + ", " + j);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "64, 64",
    "768, 768",
    "2048, 2048",
    "1536, 1536",
    "2560, 2560",
    "7168, 7168",
    "14336, 14336",
    "2880, 320",
    "1408, 128",
    "704, 64",
    "352, 32",
    "960, 320",
    "18944, 512",
    "33, 1",
    "12, 12"
  })
  void blockIsTheLongestThatDivides(int length, int block) {
    assertEquals(block, rotation(length).blockLength());
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 12, 33, 64, 352, 704, 768, 1408, 2048, 2560, 2880, 7168})
  void invertUndoesApplyAndTheNormStays(int length) {
    float[] original = gaussian(length + 5);
    float[] x = original.clone();
    Rotation rotation = rotation(length);
    rotation.apply(x, 3);
    // Rounding of about log2(n) additions of numbers near 1.
    assertEquals(norm(original), norm(x), 1e-5 * norm(original));
    rotation.invert(x, 3);
    assertArrayEquals(original, x, 1e-5f);
  }

  /** One outlier ends up spread over its whole block: the reason to rotate. */
  @ParameterizedTest
  @ValueSource(ints = {64, 768, 2880})
  void anOutlierIsSpreadEvenly(int length) {
    float[] x = new float[length];
    x[5] = 1;
    Rotation rotation = rotation(length);
    rotation.apply(x, 0);
    int block = rotation.blockLength();
    for (int i = 0; i < block; i++) {
      assertEquals(1 / Math.sqrt(block), Math.abs(x[i]), 1e-6);
    }
    for (int i = block; i < length; i++) {
      assertEquals(0, x[i]);
    }
  }

  @Test
  void equalNamesGiveEqualRotationsAndOthersDiffer() {
    float[] first = rotated(Rotation.hadamard(SEED, 3, Rotation.Input.MLP, 256));
    assertArrayEquals(first, rotated(Rotation.hadamard(SEED, 3, Rotation.Input.MLP, 256)));
    for (Rotation other :
        new Rotation[] {
          Rotation.hadamard(SEED + 1, 3, Rotation.Input.MLP, 256),
          Rotation.hadamard(SEED, 4, Rotation.Input.MLP, 256),
          Rotation.hadamard(SEED, 3, Rotation.Input.ATTENTION, 256),
          Rotation.residual(SEED, 3, Rotation.Input.MLP, 256)
        }) {
      assertFalse(Arrays.equals(first, rotated(other)));
    }
  }

  /** The sign stream is part of the format: these words may never change. */
  @Test
  void signStreamIsPinned() {
    assertEquals(
        0xE220A8397B1DCDAFL, CounterRandom.word(0, 0)); // SplitMix64 with seed 0, first output
    assertEquals(0x6E789E6AA1B965F4L, CounterRandom.word(0, 1));
    assertEquals(0x06C45D188009454FL, CounterRandom.word(0, 2));
  }

  @Test
  void noneDoesNothing() {
    float[] x = gaussian(100);
    float[] expected = x.clone();
    Rotation.none(100).apply(x, 0);
    Rotation.none(100).invert(x, 0);
    assertArrayEquals(expected, x);
    assertTrue(Rotation.none(100).isNone());
  }

  private static Rotation rotation(int length) {
    return Rotation.hadamard(SEED, 0, Rotation.Input.MLP, length);
  }

  private static float[] rotated(Rotation rotation) {
    float[] x = gaussian(rotation.length());
    rotation.apply(x, 0);
    return x;
  }

  private static float[] gaussian(int n) {
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = (float) CounterRandom.gaussian(SEED, i);
    }
    return x;
  }

  private static double norm(float[] x) {
    double sum = 0;
    for (float v : x) {
      sum += (double) v * v;
    }
    return Math.sqrt(sum);
  }
}
