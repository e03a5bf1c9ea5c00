package dev.quern.converter.spark;

import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;

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

  /** What is done with one item; shared is the same for all and travels once. */
  @FunctionalInterface
  public interface SharedFunction<S, T, R> extends Serializable {
    R apply(S shared, T item) throws IOException;
  }

  /** Adds an item to a sum. */
  @FunctionalInterface
  public interface SharedSum<S, T, A> extends Serializable {
    A add(S shared, A sum, T item) throws IOException;
  }

  /** Adds two sums. */
  @FunctionalInterface
  public interface Merge<A> extends Serializable {
    A merge(A left, A right);
  }

  /**
   * Results in the order of the items, one task per item.
   *
   * @param shared serializable, as the items
   * @throws IOException what the first failing task threw
   */
  public static <S, T, R> List<R> each(
      String master, Path scratch, S shared, List<T> items, SharedFunction<S, T, R> function)
      throws IOException {
    try (SparkSessions.Lease lease = SparkSessions.lease(master, scratch)) {
      JavaSparkContext context = JavaSparkContext.fromSparkContext(lease.session().sparkContext());
      Broadcast<S> everywhere = context.broadcast(shared);
      return context
          .parallelize(items, Math.max(1, items.size()))
          .map(item -> function.apply(everywhere.value(), item))
          .collect();
    } catch (Exception e) {
      throw unwrapped(e);
    }
  }

  /**
   * The sum of all items, one task per item, added up in a tree. Which sums are merged first is
   * left open: addition must not care.
   *
   * @param zero serializable, as the items; every task begins with a copy
   * @throws IOException what the first failing task threw
   */
  public static <S, T, A> A sum(
      String master,
      Path scratch,
      S shared,
      List<T> items,
      A zero,
      SharedSum<S, T, A> sum,
      Merge<A> merge)
      throws IOException {
    try (SparkSessions.Lease lease = SparkSessions.lease(master, scratch)) {
      JavaSparkContext context = JavaSparkContext.fromSparkContext(lease.session().sparkContext());
      Broadcast<S> everywhere = context.broadcast(shared);
      return context
          .parallelize(items, Math.max(1, items.size()))
          .treeAggregate(
              zero, (a, item) -> sum.add(everywhere.value(), a, item), (a, b) -> merge.merge(a, b));
    } catch (Exception e) {
      throw unwrapped(e);
    }
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
    } catch (Exception e) {
      throw unwrapped(e);
    }
  }

  /**
   * What a task threw, if it was an IOException; throws what it refused, otherwise the exception
   * itself. Spark is written in Scala and throws its SparkException, a checked one, without
   * declaring it.
   */
  private static IOException unwrapped(Exception e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof IOException io) {
        return io;
      }
      if (cause instanceof IllegalArgumentException refused) {
        throw refused;
      }
    }
    throw e instanceof RuntimeException unchecked ? unchecked : new IllegalStateException(e);
  }
}
