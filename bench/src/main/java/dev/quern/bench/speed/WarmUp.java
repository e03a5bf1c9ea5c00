package dev.quern.bench.speed;

import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * When a test has been repeated often enough: it has stopped getting faster, or time is up. Only
 * the time of its runs counts, not what prepares them.
 */
final class WarmUp {
  /** A run that is less than this much faster than the best so far is not faster. */
  private static final double FASTER = 1.03;

  private static final int SETTLED_RUNS = 3;
  private static final long SETTLED_NANOS = 1_000_000_000;

  private final long maxNanos;
  private int runs;
  private long nanos;
  private long bestNanos = Long.MAX_VALUE;
  private int runsSinceGain;
  private long nanosSinceGain;

  /**
   * @param maxSeconds after which it is over, whatever the compiler has left to do
   */
  WarmUp(int maxSeconds) {
    maxNanos = TimeUnit.SECONDS.toNanos(maxSeconds);
  }

  void add(long runNanos) {
    runs++;
    nanos += runNanos;
    if (runNanos * FASTER < bestNanos) {
      bestNanos = runNanos;
      runsSinceGain = 0;
      nanosSinceGain = 0;
    } else {
      runsSinceGain++;
      nanosSinceGain += runNanos;
    }
  }

  boolean isOver() {
    return isSettled() || nanos >= maxNanos;
  }

  private boolean isSettled() {
    return runsSinceGain >= SETTLED_RUNS && nanosSinceGain >= SETTLED_NANOS;
  }

  /** What was done and what ended it, for a record. */
  String describe() {
    return String.format(
        Locale.ROOT,
        "warmed up by %d runs, %.1f s, until %s (%d brought no %.0f %%)",
        runs,
        nanos / 1e9,
        isSettled() ? "settled" : "time was up",
        runsSinceGain,
        100 * (FASTER - 1));
  }
}
