package dev.quern.bench.smoke;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.function.LongSupplier;

/**
 * The best rate of a kernel, by the time this thread ran on a processor: whoever else is busy on
 * the machine takes nothing from it but caches.
 */
final class KernelTimer {
  /** Long enough for the clock, short enough to be repeated often. */
  private static final long SAMPLE_NANOS = 5_000_000;

  private static final double FASTER = 1.03;
  private static final long SETTLED_NANOS = 250_000_000;

  private final LongSupplier clock;

  KernelTimer() {
    this(KernelTimer::processorNanos);
  }

  /**
   * @param clock in nanoseconds
   */
  KernelTimer(LongSupplier clock) {
    this.clock = clock;
  }

  /**
   * Work per second when it has not become faster for a quarter of a second, or time is up. Code
   * that waits to be compiled does not become faster either: below what is expected only time
   * counts.
   */
  double rate(KernelCase kernel, double expected, long maxNanos) {
    long start = clock.getAsLong();
    long lastGain = start;
    double best = 0;
    int calls = 1;
    while (clock.getAsLong() - start < maxNanos
        && (best < expected || clock.getAsLong() - lastGain < SETTLED_NANOS)) {
      long from = clock.getAsLong();
      for (int i = 0; i < calls; i++) {
        kernel.call().run();
      }
      long nanos = Math.max(1, clock.getAsLong() - from);
      double rate = calls * kernel.work() / nanos * 1e9;
      if (rate > FASTER * best) {
        lastGain = clock.getAsLong();
      }
      best = Math.max(best, rate);
      if (nanos < SAMPLE_NANOS) {
        calls = (int) Math.min(1 << 20, 1 + calls * Math.clamp(SAMPLE_NANOS / nanos, 1, 10));
      }
    }
    return best;
  }

  /** Some systems do not count per thread: there the clock on the wall must do. */
  private static long processorNanos() {
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    return threads.isCurrentThreadCpuTimeSupported()
        ? threads.getCurrentThreadCpuTime()
        : System.nanoTime();
  }
}
