package dev.quern.bench.speed;

import dev.quern.bench.report.BarChart;
import dev.quern.bench.report.RooflineChart;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/** The pictures of a run: tokens per second as bars, and where they lie under the roofline. */
final class SpeedCharts {
  /** [test][subject]: two subjects may have the same label. */
  private final List<List<SpeedRecord>> tests;

  private final SubjectLabels labels;

  /**
   * @param records at least one; of every test the same subjects in the same order
   */
  SpeedCharts(List<SpeedRecord> records) {
    Map<SpeedTest, List<SpeedRecord>> byTest = new LinkedHashMap<>();
    for (SpeedRecord record : records) {
      byTest.computeIfAbsent(record.test(), test -> new ArrayList<>()).add(record);
    }
    tests = List.copyOf(byTest.values());
    labels = SubjectLabels.of(records.stream().map(SpeedRecord::subject).toList());
  }

  /** Writes speed-prefill, speed-decode and roofline as PNG and SVG, those that have points. */
  void write(Path folder) throws IOException {
    for (SpeedTest.Kind kind : SpeedTest.Kind.values()) {
      List<String> names = testsOf(kind).map(test -> test.getFirst().testName()).toList();
      String name =
          switch (kind) {
            case PREFILL -> "prefill";
            case DECODE -> "decode";
          };
      if (!names.isEmpty()) {
        BarChart.write(
            folder, "speed-" + name, labels.title(name), "tokens per second", names, bars(kind));
      }
    }
    RooflineChart.write(folder, "roofline", labels.title("roofline"), roofs(), points());
  }

  private Stream<List<SpeedRecord>> testsOf(SpeedTest.Kind kind) {
    return tests.stream().filter(test -> test.getFirst().test().kind() == kind);
  }

  /** Of every subject, with a group per test. */
  List<BarChart.Bars> bars(SpeedTest.Kind kind) {
    List<BarChart.Bars> bars = new ArrayList<>();
    for (int s = 0; s < tests.getFirst().size(); s++) {
      int subject = s;
      List<SpeedRecord> records = testsOf(kind).map(test -> test.get(subject)).toList();
      bars.add(
          new BarChart.Bars(
              labels.label(records.getFirst().subject()),
              records.stream().map(SpeedRecord::mean).toList(),
              records.stream().map(SpeedRecord::deviation).toList()));
    }
    return bars;
  }

  private List<RooflineChart.Roof> roofs() {
    Ceilings ceilings = tests.getFirst().getFirst().ceilings();
    List<RooflineChart.Roof> roofs = new ArrayList<>();
    if (ceilings.threads() > 1) {
      roofs.add(roof("1 thread", ceilings.readOne(), ceilings.operationsOne()));
    }
    String all = ceilings.threads() == 1 ? "1 thread" : ceilings.threads() + " threads";
    roofs.add(roof(all, ceilings.readAll(), ceilings.operationsAll()));
    return roofs;
  }

  /** A colour is a subject, a marker a test. */
  List<RooflineChart.Point> points() {
    List<RooflineChart.Point> points = new ArrayList<>();
    for (int test = 0; test < tests.size(); test++) {
      for (int subject = 0; subject < tests.get(test).size(); subject++) {
        SpeedRecord record = tests.get(test).get(subject);
        points.add(
            new RooflineChart.Point(
                record.testName() + ", " + labels.label(record.subject()),
                record.cost().operations() / record.cost().bytes(),
                record.gigaOperationsPerSecond(),
                subject,
                test));
      }
    }
    return points;
  }

  private static RooflineChart.Roof roof(String threads, double read, double operations) {
    String label =
        String.format(Locale.ROOT, "%s: %.0f GB/s, %.0f GFLOP/s", threads, read, operations);
    return new RooflineChart.Roof(label, read, operations);
  }
}
