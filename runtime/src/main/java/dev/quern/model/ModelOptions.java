package dev.quern.model;

/**
 * How a model is run.
 *
 * @param threads at least 1; results do not depend on it
 */
public record ModelOptions(int threads) {
  private static final int MAX_THREADS = 1024;

  public ModelOptions {
    if (threads < 1 || threads > MAX_THREADS) {
      throw new IllegalArgumentException(
          "threads: expected 1 to %d, found %d".formatted(MAX_THREADS, threads));
    }
  }

  /** All processors of the machine. */
  public static ModelOptions defaults() {
    return new ModelOptions(Runtime.getRuntime().availableProcessors());
  }
}
