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
      double perToken = (double) plan.allBytes() * config.topK() / config.numExperts();
      err.printf(
          Locale.ROOT,
          "disk: %s/s with %d readers; a token uses %s of experts: %.1f tokens/s if none is in"
              + " memory, more as they are; predictions by %s%n",
          ByteSize.text((long) disk.get().bytesPerSecond()),
          disk.get().readers(),
          ByteSize.text((long) perToken),
          disk.get().bytesPerSecond() / perToken,
          streams.predictor());
    }
    err.flush();
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
