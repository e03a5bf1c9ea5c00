package dev.quern.bench.plan;

/**
 * How fast records come from disk.
 *
 * @param bytesPerSecond of several reads at once
 * @param latencySeconds of one read beside its bytes
 */
public record DiskRate(double bytesPerSecond, double latencySeconds) {
  /** A read's way to the disk and back, and a thread's to be woken by it. */
  private static final double LATENCY_SECONDS = 150e-6;

  public DiskRate {
    if (!(bytesPerSecond > 0) || !(latencySeconds >= 0)) {
      throw new IllegalArgumentException(
          "disk of %s bytes/s, latency %s s".formatted(bytesPerSecond, latencySeconds));
    }
  }

  /** With the latency of a solid-state disk. */
  public static DiskRate usual(double bytesPerSecond) {
    return new DiskRate(bytesPerSecond, LATENCY_SECONDS);
  }

  double seconds(long bytes) {
    return bytes / bytesPerSecond;
  }
}
