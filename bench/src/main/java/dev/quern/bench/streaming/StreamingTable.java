package dev.quern.bench.streaming;

import dev.quern.bench.streaming.StreamingResults.Decoding;
import dev.quern.bench.streaming.StreamingResults.Prefilling;
import dev.quern.bench.streaming.StreamingResults.Reading;
import java.io.PrintWriter;
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
        reading.ratios().get(reading.ratios().size() / 2),
        reading.ratios().getFirst(),
        reading.ratios().getLast());
    reading
        .deviceShare()
        .ifPresent(share -> line(out, "read by the device: %.3f of what the store read", share));
    line(
        out,
        "%n%-30s %6s %9s %9s %7s %9s %8s %9s %8s   %s",
        "decode",
        "share",
        "tokens/s",
        "predicted",
        "hits",
        "stall/tok",
        "reads",
        "device MB",
        "x naive",
        "ahead: in time, late, wasted");
    double naive = rate(results.decoding(), "naive");
    for (Decoding d : results.decoding()) {
      line(
          out,
          "%-30s %6s %9.2f %9s %7.3f %6.2f ms %8.2f %9s %8.2f   %d, %d, %d",
          d.way(),
          d.share() == 0 ? "least" : "%.0f %%".formatted(100 * d.share()),
          d.tokensPerSecond(),
          d.predictedTokensPerSecond() > 0 ? "%.2f".formatted(d.predictedTokensPerSecond()) : "",
          d.hitRate(),
          d.stallMillisPerToken(),
          d.readsPerToken(),
          d.deviceBytes().map(b -> "%.0f".formatted(b / 1e6)).orElse("?"),
          d.tokensPerSecond() / naive,
          d.prefetchUseful(),
          d.prefetchLate(),
          d.prefetchWasted());
    }
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

  private static double rate(List<Decoding> decodings, String way) {
    return decodings.stream()
        .filter(d -> d.way().equals(way))
        .mapToDouble(Decoding::tokensPerSecond)
        .findFirst()
        .orElse(Double.NaN);
  }

  private static void line(PrintWriter out, String format, Object... values) {
    out.printf(Locale.ROOT, format + "%n", values);
  }
}
