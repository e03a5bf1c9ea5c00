package dev.quern.bench.speed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class WarmUpTest {
  private final WarmUp warmUp = new WarmUp(60);

  /** Adds runs until it is over, at most so many. */
  private int runs(int most, long nanos) {
    int runs = 0;
    while (runs < most && !warmUp.isOver()) {
      warmUp.add(nanos);
      runs++;
    }
    return runs;
  }

  @Test
  void threeRunsAndASecondWithoutAGainSettle() {
    assertEquals(4, runs(100, 500_000_000));
    assertEquals("warmed up by 4 runs, 2.0 s, until settled (3 brought no 3 %)", warmUp.describe());
  }

  @Test
  void shortRunsAreRepeatedForASecond() {
    assertEquals(1 + 100, runs(1000, 10_000_000));
  }

  @Test
  void aGainBeginsAnew() {
    runs(3, 1_000_000_000);
    assertFalse(warmUp.isOver());
    assertEquals(4, runs(100, 900_000_000), "the gain, then three without");
    assertTrue(warmUp.isOver());
  }

  @Test
  void littleByLittleIsNoGain() {
    warmUp.add(1_000_000_000);
    warmUp.add(990_000_000);
    warmUp.add(980_000_000);
    warmUp.add(975_000_000);
    assertTrue(warmUp.isOver());
  }

  @Test
  void whatIsStillGettingFasterEndsWhenTimeIsUp() {
    for (long nanos = 20_000_000_000L; !warmUp.isOver(); nanos -= 2_000_000_000) {
      warmUp.add(nanos);
    }
    assertEquals(
        "warmed up by 4 runs, 68.0 s, until time was up (0 brought no 3 %)", warmUp.describe());
  }
}
