package dev.quern.converter.spark;

import java.io.File;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.spark.sql.SparkSession;

/** Opens Spark sessions without a web interface, without log noise, bound to this machine. */
public final class SparkSessions {
  private static final Pattern LOCAL =
      Pattern.compile("local(?:\\[(\\*|[1-9]\\d*)(?:\\s*,\\s*\\d+)?])?");
  private static final Pattern LOCAL_CLUSTER =
      Pattern.compile("local-cluster\\[\\s*(\\d+)\\s*,\\s*(\\d+)\\s*,\\s*(\\d+)\\s*]");
  private static final Pattern CLUSTER = Pattern.compile("spark://.+");
  private static final Pattern OWN_JAR =
      Pattern.compile("(quern-.*|jackson-(core|databind)-3\\..*)\\.jar");
  private static final String LOOPBACK = "127.0.0.1";

  private SparkSessions() {}

  /**
   * A session to work in: the running one where its master is the same, else a new one in its
   * place.
   *
   * @param scratch for shuffles and spills; removed by whoever owns it after the session is closed
   */
  public static Lease lease(String master, Path scratch) {
    scala.Option<SparkSession> running = SparkSession.getDefaultSession();
    if (running.isDefined() && !running.get().sparkContext().isStopped()) {
      if (running.get().sparkContext().master().equals(master)) {
        return new Lease(running.get(), false);
      }
      running.get().stop();
    }
    return new Lease(open(master, scratch), true);
  }

  private static SparkSession open(String master, Path scratch) {
    SparkSession.Builder builder =
        SparkSession.builder()
            .appName("quern")
            .master(master)
            .config("spark.ui.enabled", false)
            .config("spark.ui.showConsoleProgress", false)
            .config("spark.local.dir", scratch.toAbsolutePath().toString())
            .config("spark.sql.warehouse.dir", scratch.resolve("warehouse").toUri().toString())
            // A task that fails on a bad file fails again: retries only help against lost
            // executors.
            .config("spark.task.maxFailures", 2)
            // What tasks return is planned for: of a large model's predictors more than Spark's
            // gigabyte.
            .config("spark.driver.maxResultSize", 0)
            .config("spark.log.structuredLogging.enabled", false);
    if (isLocal(master) || LOCAL_CLUSTER.matcher(master).matches()) {
      builder.config("spark.driver.host", LOOPBACK).config("spark.driver.bindAddress", LOOPBACK);
    }
    if (!isLocal(master)) {
      builder.config("spark.jars", ownJars());
    }
    return builder.getOrCreate();
  }

  /** What executors elsewhere need besides Spark: this program's jars and its JSON reader. */
  private static String ownJars() {
    return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
        .filter(entry -> OWN_JAR.matcher(new File(entry).getName()).matches())
        .map(entry -> new File(entry).getAbsolutePath())
        .collect(Collectors.joining(","));
  }

  /**
   * Before anything is begun: Spark says the same with a stack trace, after files were written.
   *
   * @throws IllegalArgumentException if this is no master of Spark
   */
  public static void checkMaster(String master) {
    boolean known =
        isLocal(master)
            || LOCAL_CLUSTER.matcher(master).matches()
            || CLUSTER.matcher(master).matches();
    if (!known) {
      throw new IllegalArgumentException(
          "--master: expected local[2], local[*] or spark://host:7077, found " + master);
    }
  }

  /** Whether all tasks run in this process. */
  public static boolean isLocal(String master) {
    return LOCAL.matcher(master).matches();
  }

  /**
   * Tasks that run at once on this machine.
   *
   * @return 0 if only the cluster knows
   */
  public static int localTasks(String master) {
    Matcher local = LOCAL.matcher(master);
    if (local.matches()) {
      String threads = local.group(1);
      if (threads == null) {
        return 1;
      }
      return threads.equals("*")
          ? Runtime.getRuntime().availableProcessors()
          : Integer.parseInt(threads);
    }
    Matcher cluster = LOCAL_CLUSTER.matcher(master);
    return cluster.matches()
        ? Math.multiplyExact(Integer.parseInt(cluster.group(1)), Integer.parseInt(cluster.group(2)))
        : 0;
  }

  /**
   * A session and the duty to stop it.
   *
   * @param owned whether closing stops the session; one that was running before goes on
   */
  public record Lease(SparkSession session, boolean owned) implements AutoCloseable {
    @Override
    public void close() {
      if (owned) {
        session.stop();
      }
    }
  }
}
