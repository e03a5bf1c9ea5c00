package dev.quern.bench.cli;

import dev.quern.bench.report.LineChart;
import dev.quern.format.FormatException;
import dev.quern.format.Json;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.databind.JsonNode;

/** {@code quern bench shadow}: draws what {@code train-shadow} measured. */
@Command(
    name = "shadow",
    mixinStandardHelpOptions = true,
    description = "Draw the recall and the reliability of predictors from shadow-report.json.")
public final class ShadowChartsCommand implements Callable<Integer> {
  private static final int MAX_BYTES = 64 << 20;

  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "FILE", description = "shadow-report.json of train-shadow")
  private Path file;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "folder of the charts, created if need be")
  private Path out;

  /** Sums of recall by distance. */
  private record Mean(int count, double sum) {
    Mean plus(double value) {
      return new Mean(count + 1, sum + value);
    }
  }

  @Override
  public Integer call() throws IOException {
    JsonNode report = Json.read(file, MAX_BYTES);
    if (!report.path("record").asString("").equals("shadow") || !report.path("scores").isArray()) {
      throw FormatException.of(
          file, "'record'", "value", "shadow", report.path("record"), "Is it of train-shadow?");
    }
    drawRecall(report);
    drawReliability(report);
    spec.commandLine().getOut().println(out.resolve("shadow-recall.png"));
    spec.commandLine().getOut().println(out.resolve("shadow-reliability.png"));
    return 0;
  }

  private void drawRecall(JsonNode report) throws IOException {
    Map<String, TreeMap<Integer, Mean>> byName = new LinkedHashMap<>();
    int maxDistance = 1;
    for (JsonNode score : report.path("scores")) {
      int distance = score.path("distance").asInt(0);
      if (distance > 0) {
        byName
            .computeIfAbsent(score.path("predictor").asString(""), name -> new TreeMap<>())
            .compute(
                distance,
                (d, mean) ->
                    (mean == null ? new Mean(0, 0) : mean).plus(score.path("recall").asDouble(0)));
        maxDistance = Math.max(maxDistance, distance);
      }
    }
    List<LineChart.Line> lines = new ArrayList<>();
    byName.forEach((name, means) -> {
      double[] x = means.keySet().stream().mapToDouble(Integer::doubleValue).toArray();
      double[] y = means.values().stream().mapToDouble(mean -> mean.sum / mean.count).toArray();
      lines.add(new LineChart.Line(name, x, y, false));
    });
    double chance =
        report.path("model").path("topK").asDouble(0)
            / Math.max(1, report.path("model").path("experts").asDouble(1));
    lines.add(
        new LineChart.Line(
            "chance", new double[] {1, maxDistance}, new double[] {chance, chance}, true));
    LineChart.write(
        out,
        "shadow-recall",
        "Experts found among as many as are used, mean over layers",
        "layers ahead",
        "recall@k",
        lines);
  }

  private void drawReliability(JsonNode report) throws IOException {
    Map<String, TreeMap<Integer, double[]>> byName = new LinkedHashMap<>();
    for (JsonNode score : report.path("scores")) {
      if (score.path("distance").asInt(0) != 1) {
        continue;
      }
      TreeMap<Integer, double[]> bins =
          byName.computeIfAbsent(score.path("predictor").asString(""), name -> new TreeMap<>());
      for (JsonNode bin : score.path("reliability")) {
        double count = bin.path("count").asDouble(0);
        double predicted = bin.path("predicted").asDouble(0);
        double[] sums = bins.computeIfAbsent((int) (20 * predicted), b -> new double[3]);
        sums[0] += count;
        sums[1] += count * predicted;
        sums[2] += count * bin.path("observed").asDouble(0);
      }
    }
    List<LineChart.Line> lines = new ArrayList<>();
    byName.forEach((name, bins) -> {
      double[] x = bins.values().stream().mapToDouble(sums -> sums[1] / sums[0]).toArray();
      double[] y = bins.values().stream().mapToDouble(sums -> sums[2] / sums[0]).toArray();
      lines.add(new LineChart.Line(name, x, y, false));
    });
    lines.add(new LineChart.Line("as predicted", new double[] {0, 1}, new double[] {0, 1}, true));
    LineChart.write(
        out,
        "shadow-reliability",
        "One layer ahead: how often what was predicted came true",
        "predicted probability",
        "observed share",
        lines);
  }
}
