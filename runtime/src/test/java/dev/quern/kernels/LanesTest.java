package dev.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.SplittableRandom;
import java.util.function.BooleanSupplier;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("vector-width") // the build runs it at 128 and 256 bits too
class LanesTest {
  private static final long SEED = 5;

  private static float exp(float x) {
    return Lanes.exp(FloatVector.broadcast(Lanes.FLOATS, x)).lane(0);
  }

  @Test
  void vectorsOf512BitsOnlyWhereTheirBytesCanBePermuted() {
    BooleanSupplier permuted = () -> true;
    BooleanSupplier notPermuted = () -> false;
    assertEquals(FloatVector.SPECIES_512, Lanes.species(16, permuted));
    assertEquals(FloatVector.SPECIES_512, Lanes.species(64, permuted));
    assertEquals(FloatVector.SPECIES_256, Lanes.species(16, notPermuted));
    assertEquals(FloatVector.SPECIES_256, Lanes.species(8, Assertions::fail));
    assertEquals(FloatVector.SPECIES_128, Lanes.species(4, Assertions::fail));
    assertEquals(FloatVector.SPECIES_128, Lanes.species(2, Assertions::fail));
  }

  @Test
  void expIsWithinTwoUlp() {
    SplittableRandom random = new SplittableRandom(SEED);
    for (int i = 0; i < 20_000; i++) {
      float x = (float) random.nextDouble(-104, 89);
      double expected = Math.exp(x);
      double ulp = Math.ulp((float) expected);
      assertEquals(expected, exp(x), 2 * ulp, "exp(" + x + ")");
    }
  }

  @Test
  void expOfExtremes() {
    assertEquals(1, exp(0));
    assertEquals(1, exp(-0f));
    assertEquals(0, exp(Float.NEGATIVE_INFINITY));
    assertEquals(0, exp(-3e38f));
    assertEquals(Float.POSITIVE_INFINITY, exp(100));
    assertEquals(Float.POSITIVE_INFINITY, exp(Float.POSITIVE_INFINITY));
    assertEquals(Float.NaN, exp(Float.NaN));
  }

  @Test
  void sumAddsEveryLaneOnce() {
    float[] powers = new float[Lanes.COUNT];
    for (int i = 0; i < powers.length; i++) {
      powers[i] = 1 << i;
    }
    assertEquals((1 << Lanes.COUNT) - 1, Lanes.sum(FloatVector.fromArray(Lanes.FLOATS, powers, 0)));
  }

  @Test
  void lookupTakesTheLowFourBits() {
    float[] table = new float[16];
    for (int i = 0; i < table.length; i++) {
      table[i] = i;
    }
    for (int index = 0; index < 64; index++) {
      float found =
          Lanes.lookup(
                  IntVector.broadcast(Lanes.INTS, index),
                  Lanes.part(table, 0),
                  Lanes.part(table, 1),
                  Lanes.part(table, 2),
                  Lanes.part(table, 3))
              .lane(Lanes.COUNT - 1);
      assertEquals(index & 15, found);
    }
  }
}
