package dev.quern.bench.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What lossy shortcuts cost, model by model.
 *
 * @param options that chose them
 * @param protocol what was run, in words
 */
public record LossyResults(String options, String protocol, List<Row> rows) {
  private static final List<String> HEADERS =
      List.of(
          "variant",
          "left out",
          "replaced",
          "exact PPL",
          "perplexity",
          "ln PPL, lossy − exact",
          "KLD",
          "top-1");

  public LossyResults {
    rows = List.copyOf(rows);
  }

  /**
   * One model with the shortcuts.
   *
   * @param variant as in the table of exact runs
   * @param chosen experts that routers chose, for all tokens and layers
   * @param leftOut of them
   * @param replaced of them, by stand-ins
   * @param exactPerplexity of the same variant without shortcuts
   * @param meanKld against the exact original, nats
   * @param top1Agreement with the exact original
   */
  public record Row(
      String variant,
      long chosen,
      long leftOut,
      long replaced,
      double exactPerplexity,
      double perplexity,
      double meanKld,
      double top1Agreement) {
    public double lnPplLoss() {
      return Math.log(perplexity) - Math.log(exactPerplexity);
    }

    private List<String> cells() {
      return List.of(
          variant,
          format("%.2f %%", 100.0 * leftOut / chosen),
          format("%.2f %%", 100.0 * replaced / chosen),
          format("%.3f", exactPerplexity),
          format("%.3f", perplexity),
          format("%+.5f", lnPplLoss()),
          format("%.5f", meanKld),
          format("%.2f %%", 100 * top1Agreement));
    }
  }

  /** Plain text: what was run, then a line per model. */
  public String text() {
    List<List<String>> lines = new ArrayList<>();
    lines.add(HEADERS);
    rows.forEach(row -> lines.add(row.cells()));
    StringBuilder text = new StringBuilder("lossy: " + options + "; " + protocol + "\n");
    for (List<String> line : lines) {
      for (int c = 0; c < HEADERS.size(); c++) {
        int column = c;
        int width = lines.stream().mapToInt(l -> l.get(column).length()).max().orElseThrow();
        String pad = " ".repeat(width - line.get(c).length());
        text.append(c == 0 ? line.get(c) + pad : "  " + pad + line.get(c));
      }
      text.append('\n');
    }
    return text.toString();
  }

  private static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern, values);
  }
}
