package dev.quern.converter;

import dev.quern.converter.plan.ConversionPlan;
import dev.quern.converter.spark.SparkSessions;
import dev.quern.converter.work.OutputDirectory;
import dev.quern.format.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What a conversion needs at its peak.
 *
 * @param tasks that run at once on this machine; 0 if only the cluster knows
 * @param inProcess whether they run in this process
 * @param taskHeapBytes of one task
 * @param taskNativeBytes of one task, outside the heap
 * @param diskBytes while chunks and files lie side by side
 */
public record Resources(
    int tasks, boolean inProcess, long taskHeapBytes, long taskNativeBytes, long diskBytes) {
  /** Heap of Spark and of this program, without tasks. */
  private static final long BASE_HEAP_BYTES = 200L << 20;

  /** Resident memory of the JVM outside its heap: code, classes, threads. */
  private static final long BASE_NATIVE_BYTES = 400L << 20;

  /** The collector lets the heap grow to about twice what lives in it. */
  private static final int HEAP_GROWTH = 2;

  static Resources of(ConversionPlan plan, String master) {
    int tasks = SparkSessions.localTasks(master);
    return new Resources(
        tasks,
        SparkSessions.isLocal(master),
        plan.taskHeapBytes(),
        plan.taskNativeBytes(),
        plan.diskBytes(Math.max(1, tasks)));
  }

  /** Heap in use at once in this process. */
  public long heapBytes() {
    return BASE_HEAP_BYTES + (inProcess ? tasks * taskHeapBytes : 0);
  }

  /** Resident memory of this process, about. */
  public long peakMemoryBytes() {
    return HEAP_GROWTH * heapBytes()
        + BASE_NATIVE_BYTES
        + (inProcess ? tasks * taskNativeBytes : 0);
  }

  /**
   * @param out the folder of the pack, which need not exist
   * @throws FormatException if heap or disk cannot hold it, with the numbers
   */
  void check(Path out) throws IOException {
    long heap = Runtime.getRuntime().maxMemory();
    if (heapBytes() > heap) {
      throw new FormatException(
          "the conversion needs %s of heap for %d tasks, the JVM has %s. Run fewer tasks (--master local[1]) or give it more (-Xmx)"
              .formatted(megabytes(heapBytes()), tasks, megabytes(heap)));
    }
    Path existing = out.toAbsolutePath();
    while (!Files.exists(existing)) {
      existing = existing.getParent();
    }
    long usable = Files.getFileStore(existing).getUsableSpace();
    long own = OutputDirectory.ownBytes(out);
    if (diskBytes > usable + own) {
      throw new FormatException(
          "%s: the conversion needs %s of disk, %s are free%s. Choose another --out or fewer bits"
              .formatted(
                  out,
                  megabytes(diskBytes),
                  megabytes(usable),
                  own == 0 ? "" : " and " + megabytes(own) + " are its own"));
    }
  }

  private static String megabytes(long bytes) {
    return Math.ceilDiv(bytes, 1_000_000) + " MB";
  }
}
