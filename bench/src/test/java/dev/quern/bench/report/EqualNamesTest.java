package dev.quern.bench.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategorySeries;
import org.knowm.xchart.XYSeries;

/** XChart refuses a second series of a name. */
class EqualNamesTest {
  @Test
  void pointsOfOneNameAndShareOfTheRoofAreBothDrawn() {
    RooflineChart.Roof roof = new RooflineChart.Roof("roof", 40, 500);
    RooflineChart.Point point = new RooflineChart.Point("tg64", 2, 40, 0, 0);
    assertEquals(
        List.of("roof", "tg64; 50 %", "tg64; 50 % (2)"),
        RooflineChart.chart("title", List.of(roof), List.of(point, point))
            .getSeriesCollection()
            .stream()
            .map(XYSeries::getName)
            .toList());
  }

  @Test
  void barsAndGroupsOfOneNameAreAllDrawn() {
    BarChart.Bars bars = new BarChart.Bars("x", List.of(1.0, 2.0), List.of(0.0, 0.0));
    CategoryChart chart =
        BarChart.chart("title", "y", List.of("tg64", "tg64"), List.of(bars, bars));
    assertEquals(2, chart.getSeriesCollection().size());
    CategorySeries second = chart.getSeries("x (2)");
    assertEquals(List.of("tg64", "tg64 (2)"), second.getXData());
    assertArrayEquals(new double[] {1, 2}, second.getYData());
  }
}
