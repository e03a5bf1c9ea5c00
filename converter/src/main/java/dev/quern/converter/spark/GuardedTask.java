package dev.quern.converter.spark;

import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.Function;

/**
 * A task whose {@code IOException} is a result, not a failure: Spark would abort the job while
 * other tasks still write, and hand the exception back as text. After the first exception the tasks
 * that have not begun do nothing; a marker file tells them, wherever they run.
 *
 * @param marker path of the marker as text, on a file system that all executors share
 */
record GuardedTask<T, R extends Serializable>(String marker, Body<T, R> body)
    implements Function<T, GuardedTask.Result<R>> {
  private static final String FAILED_MARKER = "failed";

  /** The work itself. */
  @FunctionalInterface
  interface Body<T, R> extends Serializable {
    R run(T item) throws IOException;
  }

  /** How a task ended. */
  sealed interface Result<R extends Serializable> extends Serializable {}

  record Done<R extends Serializable>(R value) implements Result<R> {}

  record Failed<R extends Serializable>(Exception cause) implements Result<R> {}

  /** Another task had failed before this one began. */
  record Skipped<R extends Serializable>() implements Result<R> {}

  /**
   * Runs one task per item, so that a slow one holds up nothing else.
   *
   * @param work folder of the marker
   * @return in the order of the items
   * @throws IOException what the first failing task threw
   * @throws IllegalArgumentException likewise
   */
  static <T, R extends Serializable> List<R> map(
      JavaSparkContext context, Path work, List<T> items, Body<T, R> body) throws IOException {
    if (items.isEmpty()) {
      return List.of();
    }
    Path marker = work.resolve(FAILED_MARKER);
    Files.deleteIfExists(marker);
    List<Result<R>> results =
        context
            .parallelize(items, items.size())
            .map(new GuardedTask<>(marker.toString(), body))
            .collect();
    List<R> values = new ArrayList<>();
    for (Result<R> result : results) {
      if (result instanceof Failed<R>(Exception cause)) {
        throw thrown(cause);
      }
    }
    for (Result<R> result : results) {
      switch (result) {
        case Done<R>(R value) -> values.add(value);
        case Failed<R>(Exception cause) -> throw thrown(cause);
        case Skipped<R>() -> throw new IOException(marker + ": appeared by itself");
      }
    }
    return values;
  }

  private static IOException thrown(Exception cause) {
    if (cause instanceof IllegalArgumentException refused) {
      throw refused;
    }
    return (IOException) cause;
  }

  @Override
  public Result<R> call(T item) {
    Path file = Path.of(marker);
    if (Files.exists(file)) {
      return new Skipped<>();
    }
    try {
      return new Done<>(body.run(item));
    } catch (IOException | IllegalArgumentException e) {
      try {
        Files.createDirectories(file.toAbsolutePath().getParent());
        Files.write(file, new byte[0]);
      } catch (IOException again) {
        e.addSuppressed(again); // The others then run in vain, no more.
      }
      return new Failed<>(e);
    }
  }
}
