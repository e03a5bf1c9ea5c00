package dev.quern.converter;

import dev.quern.converter.spark.SparkSessions;
import java.nio.file.Path;

/** One session for all tests of a JVM; a test that needs another master replaces it. */
public final class SharedSpark {
  public static final String MASTER = "local[2]";
  private static final Path SCRATCH = Path.of("target", "spark-scratch");

  private SharedSpark() {}

  /** Starts the session unless it runs. It ends with the JVM. */
  @SuppressWarnings("resource") // Kept for the next test.
  public static void start() {
    SparkSessions.lease(MASTER, SCRATCH);
  }
}
