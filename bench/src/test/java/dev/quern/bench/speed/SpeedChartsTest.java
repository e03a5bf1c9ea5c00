package dev.quern.bench.speed;

import static dev.quern.bench.speed.SampleRecords.DECODE;
import static dev.quern.bench.speed.SampleRecords.PREFILL;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.bench.report.BarChart;
import dev.quern.bench.report.RooflineChart;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SpeedChartsTest {
  private static final SpeedSubject ONE = SampleRecords.subject("quern", "one", 100);
  private static final SpeedSubject OTHER = SampleRecords.subject("quern", "other", 100);

  @TempDir private Path folder;

  @Test
  void modelsOfEqualBitsStandBesideOneAnotherUnderTheirNames() throws IOException {
    SpeedCharts charts =
        new SpeedCharts(
            List.of(
                SampleRecords.record(ONE, PREFILL, 300.0),
                SampleRecords.record(OTHER, PREFILL, 200.0),
                SampleRecords.record(ONE, DECODE, 31.0),
                SampleRecords.record(OTHER, DECODE, 31.0)));
    assertEquals(
        List.of(
            new BarChart.Bars("quern one Q, 4.25 b/w", List.of(300.0), List.of(0.0)),
            new BarChart.Bars("quern other Q, 4.25 b/w", List.of(200.0), List.of(0.0))),
        charts.bars(SpeedTest.Kind.PREFILL));
    List<RooflineChart.Point> points = charts.points();
    assertEquals("tg64, quern one Q, 4.25 b/w", points.get(2).label());
    assertEquals("tg64, quern other Q, 4.25 b/w", points.get(3).label());
    charts.write(folder);
    for (String chart : List.of("speed-prefill", "speed-decode", "roofline")) {
      assertTrue(Files.size(folder.resolve(chart + ".png")) > 0, chart);
    }
  }

  @Test
  void aSingleModelIsNotNamed() throws IOException {
    SpeedCharts charts = new SpeedCharts(List.of(SampleRecords.record(ONE, DECODE, 30.0)));
    assertEquals("quern Q, 4.25 b/w", charts.bars(SpeedTest.Kind.DECODE).getFirst().label());
    charts.write(folder);
    assertFalse(Files.exists(folder.resolve("speed-prefill.svg")));
  }

  @Test
  void subjectsThatDifferInNothingAreAllDrawn() throws IOException {
    SpeedRecord record = SampleRecords.record(ONE, DECODE, 30.0);
    SpeedCharts charts = new SpeedCharts(List.of(record, record));
    assertEquals(2, charts.bars(SpeedTest.Kind.DECODE).size());
    assertEquals(List.of(0, 1), charts.points().stream().map(RooflineChart.Point::color).toList());
    charts.write(folder);
    assertTrue(Files.size(folder.resolve("roofline.svg")) > 0);
  }
}
