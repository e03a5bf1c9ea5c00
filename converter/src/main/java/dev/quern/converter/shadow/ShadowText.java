package dev.quern.converter.shadow;

import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** A report as tables for a terminal. */
public final class ShadowText {
  private final ShadowReport report;
  private final PrintWriter out;

  private ShadowText(ShadowReport report, PrintWriter out) {
    this.report = report;
    this.out = out;
  }

  public static void print(ShadowReport report, PrintWriter out) {
    ShadowText text = new ShadowText(report, out);
    text.line(
        "%,d tokens to learn from, %,d to choose by, %,d to score by",
        report.trainTokens(), report.validTokens(), report.testTokens());
    TreeSet<Integer> distances =
        report.scores().stream()
            .map(Score::distance)
            .collect(Collectors.toCollection(TreeSet::new));
    for (int distance : distances.tailSet(1)) {
      text.table(distance, distance == 1 ? "one layer ahead" : distance + " layers ahead");
    }
    if (distances.contains(0)) {
      text.table(0, "next token, same layer");
    }
    text.choices();
    text.latencies();
    report.seconds().forEach((phase, took) -> text.line("%s: %.1f s", phase, took));
    out.flush();
  }

  private void line(String format, Object... values) {
    out.println(String.format(Locale.ROOT, format, values));
  }

  private void table(int distance, String title) {
    int k = report.sizes().topK();
    List<Score> here = report.scores().stream().filter(s -> s.distance() == distance).toList();
    List<Integer> layers = here.stream().map(Score::layer).distinct().sorted().toList();
    Map<String, Map<Integer, Score>> rows = new LinkedHashMap<>();
    for (Score score : here) {
      rows.computeIfAbsent(score.predictor(), name -> new LinkedHashMap<>())
          .put(score.layer(), score);
    }
    out.println();
    line("%s: recall@%d; on the right the means of recall@%d and @%d", title, k, k, 2 * k);
    StringBuilder header = new StringBuilder("%-32s".formatted(""));
    for (int layer : layers) {
      header.append("%7s".formatted(distance == 0 ? layer : layer + "→" + (layer + distance)));
    }
    header.append("%7s%7s%7s".formatted("mean", "@" + 2 * k, "ECE"));
    out.println(header);
    rows.forEach((name, scores) -> row(name, layers, scores));
    double chance = (double) k / report.sizes().numExperts();
    double twice = Math.min(1, 2 * chance);
    line("%-32s%s%7.3f%7.3f", "chance", "       ".repeat(layers.size()), chance, twice);
  }

  private void row(String name, List<Integer> layers, Map<Integer, Score> scores) {
    StringBuilder row = new StringBuilder("%-32s".formatted(name));
    for (int layer : layers) {
      Optional<Score> score = Optional.ofNullable(scores.get(layer));
      row.append(score.map(s -> String.format(Locale.ROOT, "%7.3f", s.recall())).orElse("      –"));
    }
    OptionalDouble recall = scores.values().stream().mapToDouble(Score::recall).average();
    OptionalDouble twice = scores.values().stream().mapToDouble(Score::recallTwice).average();
    OptionalDouble error = scores.values().stream().mapToDouble(Score::calibrationError).average();
    row.append(
        String.format(
            Locale.ROOT,
            "%7.3f%7.3f%7.3f",
            recall.orElse(Double.NaN),
            twice.orElse(Double.NaN),
            error.orElse(Double.NaN)));
    out.println(row);
  }

  private void choices() {
    if (report.chosen().isEmpty()) {
      return;
    }
    long refined = report.chosen().stream().filter(ShadowReport.Choice::refined).count();
    out.println();
    line(
        "stored: %,d bytes; two-layer heads won %d of %d times on the validation split",
        report.bytes(), refined, report.chosen().size());
  }

  private void latencies() {
    for (Latency latency : report.latencies()) {
      line(
          "one prediction at hidden size %d, %d experts (%d hidden units): %.0f µs, each further"
              + " distance %.0f µs; %d layers take %,d bytes",
          latency.hiddenSize(),
          latency.numExperts(),
          latency.width(),
          latency.firstMicros(),
          latency.furtherMicros(),
          latency.layers(),
          latency.bytes());
    }
  }
}
