package dev.quern.converter.spark;

import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.JavaSparkContext;

/** Spreads a list of work items over executors, for work that has no job of its own here. */
public final class SparkMap {
  private SparkMap() {}

  /**
   * What is done with the items of one partition; it is called once per partition, so that what is
   * expensive to open is opened once.
   */
  @FunctionalInterface
  public interface PartitionFunction<T, R> extends Serializable {
    Iterator<R> apply(Iterator<T> items) throws IOException;
  }

  /**
   * Results in the order of the items; as many partitions as the master runs tasks at once.
   *
   * @param items serializable
   * @throws IOException what the first failing partition threw
   */
  public static <T, R> List<R> map(
      String master, Path scratch, List<T> items, PartitionFunction<T, R> function)
      throws IOException {
    try (SparkSessions.Lease lease = SparkSessions.lease(master, scratch)) {
      JavaSparkContext context = JavaSparkContext.fromSparkContext(lease.session().sparkContext());
      int partitions = Math.clamp(context.defaultParallelism(), 1, Math.max(1, items.size()));
      return context.parallelize(items, partitions).mapPartitions(function::apply).collect();
    } catch (RuntimeException e) {
      for (Throwable cause = e; cause != null; cause = cause.getCause()) {
        if (cause instanceof IOException io) {
          throw io;
        }
      }
      throw e;
    }
  }
}
