package dev.quern.bench.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The table of a report: as text for a terminal, as cells for HTML. */
public final class ResultsTable {
  private static final String[] HEADERS = {
    "variant",
    "bits/weight",
    "size",
    "perplexity",
    "ln PPL loss",
    "95 % interval",
    "KLD",
    "top-1",
    "rel. MSE",
    "prefill",
    "decode",
    "bandwidth"
  };

  private ResultsTable() {}

  static List<String> headers() {
    return List.of(HEADERS);
  }

  static List<String> cells(VariantResult v) {
    boolean original = v.isOriginal();
    return List.of(
        v.label(),
        format("%.3f", v.bitsPerWeight()),
        bytes(v.sizeBytes()),
        format("%.3f", v.perplexity()),
        original ? "" : format("%+.5f", v.lnPplLoss()),
        original ? "" : format("%+.4f … %+.4f", v.lnPplLossLow(), v.lnPplLossHigh()),
        original ? "" : format("%.5f", v.meanKld()),
        original ? "" : format("%.2f %%", 100 * v.top1Agreement()),
        original ? "" : format("%.5f", v.relativeMse()),
        format("%,.0f", v.prefillTokensPerSecond()),
        format("%,.1f", v.decodeTokensPerSecond()),
        format("%.1f %%", 100 * v.bandwidthShare()));
  }

  /** Plain text, columns aligned, a line per variant; speeds are tokens per second. */
  public static String text(Results results) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(headers());
    results.variants().forEach(v -> rows.add(cells(v)));
    StringBuilder text = new StringBuilder();
    for (List<String> row : rows) {
      for (int c = 0; c < HEADERS.length; c++) {
        int column = c;
        int width = rows.stream().mapToInt(r -> r.get(column).length()).max().orElseThrow();
        String pad = " ".repeat(width - row.get(c).length());
        text.append(c == 0 ? row.get(c) + pad : "  " + pad + row.get(c));
      }
      text.append('\n');
    }
    return text.toString();
  }

  static String bytes(long bytes) {
    if (bytes < 1_000_000) {
      return format("%.1f kB", bytes / 1e3);
    }
    return bytes < 1_000_000_000L ? format("%.2f MB", bytes / 1e6) : format("%.2f GB", bytes / 1e9);
  }

  private static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern, values);
  }
}
