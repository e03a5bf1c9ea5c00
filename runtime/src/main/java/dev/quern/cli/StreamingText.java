package dev.quern.cli;

import dev.quern.experts.StreamStatistics;
import dev.quern.model.ExpertStreams;
import dev.quern.model.ModelConfig;
import java.io.PrintWriter;
import java.util.Locale;

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
  }
}
