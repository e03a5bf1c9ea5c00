package dev.quern.bench.smoke;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.function.IntToLongFunction;
import org.junit.jupiter.api.Test;

/** On a clock that only kernels move. */
class KernelTimerTest {
  private static final long SECOND = 1_000_000_000;
  private static final double WORK = 1000;

  private long now;
  private int calls;

  /** The rate that is found of a kernel whose calls, counted from 0, take so long. */
  private double rate(IntToLongFunction nanosOfCall, double expected) {
    KernelCase kernel =
        new KernelCase("fake", WORK, "values", () -> now += nanosOfCall.applyAsLong(calls++));
    return new KernelTimer(() -> now).rate(kernel, expected, 4 * SECOND);
  }

  @Test
  void aRateIsWorkByTime() {
    assertEquals(1e9, rate(call -> 1000, 0), 1e-3);
    assertTrue(now >= SECOND / 4 && now < SECOND / 2, "settled after a quarter: " + now);
  }

  @Test
  void theBestSampleCounts() {
    assertEquals(1e6, rate(call -> call == 3 ? 1_000_000 : 5_000_000, 0), 1e-3);
  }

  @Test
  void compiledCodeIsWaitedForWhileARateIsTooLow() {
    // Slow for two seconds, without becoming any faster.
    assertEquals(1e6, rate(call -> call < 20 ? 100_000_000 : 1_000_000, 9e5), 1e-3);
    assertTrue(now < 3 * SECOND, "time left: " + now);
  }

  @Test
  void patienceEnds() {
    assertEquals(1e4, rate(call -> 100_000_000, 1e6), 1e-3);
    assertEquals(4 * SECOND, now);
  }
}
