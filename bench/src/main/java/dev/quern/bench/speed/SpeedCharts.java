package dev.quern.bench.speed;

import dev.quern.bench.report.BarChart;
import dev.quern.bench.report.RooflineChart;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The pictures of a run: tokens per second as bars, and where they lie under the roofline. */
final class SpeedCharts {
  private SpeedCharts() {}

  /** Writes speed-prefill, speed-decode and roofline as PNG and SVG, those that have points. */
  static void write(List<SpeedRecord> records, Path folder) throws IOException {
    for (SpeedTest.Kind kind : SpeedTest.Kind.values()) {
      List<SpeedRecord> some = records.stream().filter(r -> r.test().kind() == kind).toList();
      if (!some.isEmpty()) {
        bars(kind, some, folder);
      }
    }
    roofline(records, folder);
  }

  private static void bars(SpeedTest.Kind kind, List<SpeedRecord> records, Path folder)
      throws IOException {
    String name =
        switch (kind) {
          case PREFILL -> "prefill";
          case DECODE -> "decode";
        };
    List<String> tests = records.stream().map(SpeedRecord::testName).distinct().toList();
    List<BarChart.Bars> bars = new ArrayList<>();
    for (String subject : subjects(records)) {
      List<Double> values = new ArrayList<>();
      List<Double> deviations = new ArrayList<>();
      for (String test : tests) {
        double value = Double.NaN;
        double deviation = Double.NaN;
        for (SpeedRecord record : records) {
          if (subject(record).equals(subject) && record.testName().equals(test)) {
            value = record.mean();
            deviation = record.deviation();
          }
        }
        values.add(value);
        deviations.add(deviation);
      }
      bars.add(new BarChart.Bars(subject, values, deviations));
    }
    String title = title(records, name);
    BarChart.write(folder, "speed-" + name, title, "tokens per second", tests, bars);
  }

  private static void roofline(List<SpeedRecord> records, Path folder) throws IOException {
    Ceilings ceilings = records.getFirst().ceilings();
    List<String> subjects = subjects(records);
    List<String> tests = records.stream().map(SpeedRecord::testName).distinct().toList();
    List<RooflineChart.Roof> roofs = new ArrayList<>();
    if (ceilings.threads() > 1) {
      roofs.add(roof("1 thread", ceilings.readOne(), ceilings.operationsOne()));
    }
    String all = ceilings.threads() == 1 ? "1 thread" : ceilings.threads() + " threads";
    roofs.add(roof(all, ceilings.readAll(), ceilings.operationsAll()));
    List<RooflineChart.Point> points = new ArrayList<>();
    for (SpeedRecord record : records) {
      points.add(
          new RooflineChart.Point(
              record.testName() + ", " + subject(record),
              record.cost().operations() / record.cost().bytes(),
              record.gigaOperationsPerSecond(),
              subjects.indexOf(subject(record)),
              tests.indexOf(record.testName())));
    }
    RooflineChart.write(folder, "roofline", title(records, "roofline"), roofs, points);
  }

  private static RooflineChart.Roof roof(String threads, double read, double operations) {
    String label =
        String.format(Locale.ROOT, "%s: %.0f GB/s, %.0f GFLOP/s", threads, read, operations);
    return new RooflineChart.Roof(label, read, operations);
  }

  private static List<String> subjects(List<SpeedRecord> records) {
    return records.stream().map(SpeedCharts::subject).distinct().toList();
  }

  private static String subject(SpeedRecord record) {
    return String.format(
        Locale.ROOT,
        "%s, %s: %.2f b/w",
        record.subject().engine(),
        record.subject().quantization(),
        record.subject().touchedBitsPerWeight());
  }

  private static String title(List<SpeedRecord> records, String what) {
    List<String> models = records.stream().map(r -> r.subject().model()).distinct().toList();
    return models.size() == 1 ? models.getFirst() + ": " + what : what;
  }
}
