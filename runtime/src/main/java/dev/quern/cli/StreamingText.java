package dev.quern.cli;

import dev.quern.experts.MemoryMonitor;
import dev.quern.experts.StreamStatistics;
import dev.quern.model.ExpertStreams;
import dev.quern.model.ModelConfig;
import dev.quern.system.DiskSpeed;
import dev.quern.system.ProcessIo;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.Optional;

/** What is said of streamed experts before and after a run. */
final class StreamingText {
  private StreamingText() {}

  /** What fits, how experts are read, and the speed to expect. */
  static void printStart(ExpertStreams streams, ModelConfig config, PrintWriter err) {
    ExpertStreams.Plan plan = streams.plan();
    err.printf(
        Locale.ROOT,
        "memory: %s for experts, which take %s (%.0f %%), %s for everything else%n",
        ByteSize.text(plan.expertBytes()),
        ByteSize.text(plan.allBytes()),
        100.0 * plan.expertBytes() / plan.allBytes(),
        ByteSize.text(plan.otherBytes()));
    streams.store().note().ifPresent(err::println);
    Optional<DiskSpeed> disk = streams.disk();
    if (disk.isPresent()) {
      err.printf(
          Locale.ROOT,
          "disk: %s/s with %d readers; predictions by %s%n",
          ByteSize.text((long) disk.get().bytesPerSecond()),
          disk.get().readers(),
          streams.predictor());
      err.println(expectation(plan, disk.get(), config));
    }
    err.flush();
  }

  /**
   * What the disk allows. How fast this machine computes is not known yet, and to find out takes
   * longer than some texts; {@code quern plan} does.
   */
  private static String expectation(ExpertStreams.Plan plan, DiskSpeed disk, ModelConfig config) {
    double perToken = (double) plan.allBytes() * config.topK() / config.numExperts();
    double hits = plan.expectedHitRate();
    if (hits == 1) {
      return "expected: as fast as this machine computes, once every expert has been read";
    }
    return String.format(
        Locale.ROOT,
        "expected: of the %s of experts that a token uses about %.0f %% in memory, the rest read at"
            + " about %.1f tokens/s, or slower if computing takes longer; quern plan says more",
        ByteSize.text((long) perToken),
        100 * hits,
        disk.bytesPerSecond() / perToken / (1 - hits));
  }

  /** What was read and waited for. */
  static void printEnd(ExpertStreams streams, PrintWriter err) {
    StreamStatistics s = streams.statistics();
    err.printf(
        Locale.ROOT,
        "experts: %,d uses, %.1f %% in memory; %,d read (%s), %,d of them ahead: %,d in time, %,d"
            + " late, %,d never used; waited %.2f s%n",
        s.hits() + s.misses(),
        100 * s.hitRate(),
        s.reads(),
        ByteSize.text(s.bytesRead()),
        s.prefetchReads(),
        s.prefetchUseful(),
        s.prefetchLate(),
        s.prefetchWasted(),
        s.stallNanos() / 1e9);
    ProcessIo.now()
        .ifPresent(io ->
            err.printf(
                Locale.ROOT,
                "device: %s read by this process, %d bytes written%n",
                ByteSize.text(io.readBytes()),
                io.writtenBytes()));
    streams
        .monitor()
        .map(MemoryMonitor::actions)
        .filter(actions -> actions.shrinks() > 0)
        .ifPresent(actions ->
            err.printf(
                Locale.ROOT,
                "memory got short: the cache shrank %,d times, to %s at the least, and grew %,d times%n",
                actions.shrinks(),
                ByteSize.text(actions.lowestBudgetBytes()),
                actions.grows()));
  }
}
