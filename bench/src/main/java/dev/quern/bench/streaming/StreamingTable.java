package dev.quern.bench.streaming;

import dev.quern.bench.speed.Throughput;
import dev.quern.bench.streaming.StreamingResults.Decoding;
import dev.quern.bench.streaming.StreamingResults.Memory;
import dev.quern.bench.streaming.StreamingResults.Prefilling;
import dev.quern.bench.streaming.StreamingResults.Reading;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** {@link StreamingResults} as text. */
final class StreamingTable {
  private StreamingTable() {}

  static void print(StreamingResults results, PrintWriter out) {
    Reading reading = results.reading();
    line(
        out,
        "%s: %d experts of %.2f MB, %.0f MB together, %.3f bits per weight; %d readers",
        results.pack(),
        results.experts(),
        results.recordBytes() / 1e6,
        results.expertBytes() / 1e6,
        results.bitsPerWeight(),
        reading.readers());
    line(
        out,
        "%nreading: plain reader %.0f MB/s, expert store %.0f MB/s; ratio, median of %d turns: %.2f (%.2f to %.2f)",
        reading.plainBytesPerSecond() / 1e6,
        reading.storeBytesPerSecond() / 1e6,
        reading.ratios().size(),
        Throughput.median(reading.ratios()),
        reading.ratios().getFirst(),
        reading.ratios().getLast());
    reading
        .deviceShare()
        .ifPresent(share -> line(out, "read by the device: %.3f of what the store read", share));
    decoding(results, out);
    memory(results, out);
    line(out, "%nhits by windows of tokens");
    results
        .warming()
        .forEach(w ->
            line(
                out,
                "%-20s %.0f %% in memory, windows of %d: %s; first 32 tokens %.3f",
                w.way(),
                100 * w.share(),
                w.windowTokens(),
                String.join(
                    " ", w.hitRates().stream().limit(8).map(r -> "%.3f".formatted(r)).toList()),
                w.hitRates().stream().limit(2).mapToDouble(r -> r).average().orElse(0)));
    if (!results.prefilling().isEmpty()) {
      line(out, "%n%-20s %6s %8s %10s %8s", "prefill", "tokens", "seconds", "MB read", "x used");
    }
    for (Prefilling p : results.prefilling()) {
      line(
          out,
          "%-20s %6d %8.2f %10.0f %8.3f",
          p.way(),
          p.tokens(),
          p.seconds(),
          p.bytesRead() / 1e6,
          (double) p.bytesRead() / p.usedBytes());
    }
    results
        .writtenBytes()
        .ifPresent(bytes -> line(out, "%nwritten to the device meanwhile: %d bytes", bytes));
  }

  private static void decoding(StreamingResults results, PrintWriter out) {
    line(
        out,
        "%n%-24s %6s %9s %9s %7s %9s %8s %7s %9s %8s %10s   %s",
        "decode",
        "share",
        "tokens/s",
        "predicted",
        "hits",
        "wait/tok",
        "wait cut",
        "reads",
        "device MB",
        "x naive",
        "x parallel",
        "ahead: in time, late, wasted");
    for (Decoding d : results.decoding()) {
      line(
          out,
          "%-24s %6s %9.2f %9s %7.3f %6.2f ms %8s %7.2f %9s %8.2f %10.2f   %d, %d, %d",
          d.way(),
          d.share() == 0 ? "" : "%.0f %%".formatted(100 * d.share()),
          d.tokensPerSecond(),
          d.predictedTokensPerSecond() > 0 ? "%.2f".formatted(d.predictedTokensPerSecond()) : "",
          d.hitRate(),
          d.stallMillisPerToken(),
          waitCut(results.decoding(), d),
          d.readsPerToken(),
          d.deviceBytes().map(b -> "%.0f".formatted(b / 1e6)).orElse("?"),
          d.timesNaive(),
          d.timesParallel(),
          d.prefetchUseful(),
          d.prefetchLate(),
          d.prefetchWasted());
    }
    List<Double> errors =
        results.decoding().stream()
            .filter(d -> d.predictedTokensPerSecond() > 0)
            .map(d -> Math.abs(d.predictedTokensPerSecond() / d.tokensPerSecond() - 1))
            .toList();
    if (!errors.isEmpty()) {
      line(
          out,
          "%ntokens/s predicted: off by %.1f %% in the median of %d, %.1f %% at most",
          100 * Throughput.median(errors),
          errors.size(),
          100 * errors.stream().max(Double::compare).orElseThrow());
    }
  }

  /** How much of the wait reading ahead saves, against the same policy without it. */
  private static String waitCut(List<Decoding> all, Decoding ahead) {
    if (ahead.prefetchReads() == 0) {
      return "";
    }
    String policy = ahead.way().startsWith("lru") ? "lru" : "forward";
    return all.stream()
        .filter(d -> d.way().equals(policy) && d.share() == ahead.share())
        .findFirst()
        .map(d -> 100 * (1 - ahead.stallMillisPerToken() / d.stallMillisPerToken()))
        .map("%.0f %%"::formatted)
        .orElse("");
  }

  private static void memory(StreamingResults results, PrintWriter out) {
    if (results.memory().isEmpty()) {
      return;
    }
    line(out, "%n%-24s %6s %12s %12s %6s", "memory", "share", "predicted MB", "measured MB", "off");
    List<Double> errors = new ArrayList<>();
    for (Memory m : results.memory()) {
      double off = (double) m.measuredBytes() / m.predictedBytes() - 1;
      errors.add(Math.abs(off));
      line(
          out,
          "%-24s %4.0f %% %12.0f %12.0f %4.1f %%",
          "generate",
          100 * m.share(),
          m.predictedBytes() / 1e6,
          m.measuredBytes() / 1e6,
          100 * off);
    }
    line(out, "off by %.1f %% in the median", 100 * Throughput.median(errors));
  }

  private static void line(PrintWriter out, String format, Object... values) {
    out.printf(Locale.ROOT, format + "%n", values);
  }
}
