package dev.quern.bench.smoke;

import java.util.Locale;

/**
 * A kernel to time.
 *
 * @param work of one call, in units
 * @param unit such as {@code weights}
 * @param call computes; its results are kept where the kernel writes them
 */
record KernelCase(String name, double work, String unit, Runnable call) {
  /** Work per second, in billions, as text. */
  String describe(double rate) {
    return String.format(Locale.ROOT, "%.2f G %s/s", rate / 1e9, unit);
  }
}
