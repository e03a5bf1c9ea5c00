package dev.quern.bench.report;

import java.awt.Font;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;

/** Bars in groups, with their deviations and values, in the style of the reports. */
public final class BarChart {
  private static final int LABEL_POINTS = 12;

  /**
   * Bars of one colour, one per group.
   *
   * @param values as many as groups; NaN where there is none
   * @param deviations drawn above and below, as many; NaN where there is none
   */
  public record Bars(String label, List<Double> values, List<Double> deviations) {
    public Bars {
      values = List.copyOf(values);
      deviations = List.copyOf(deviations);
    }
  }

  /** Under the bars so many fit side by side; more are slanted. */
  private static final int LEVEL_CHARACTERS = 100;

  private static final int SLANT_DEGREES = 15;

  private BarChart() {}

  /**
   * Writes NAME.png and NAME.svg.
   *
   * @param folder created if missing
   */
  public static void write(
      Path folder, String name, String title, String yTitle, List<String> groups, List<Bars> bars)
      throws IOException {
    LineChart.save(chart(title, yTitle, groups, bars), folder, name);
  }

  static CategoryChart chart(String title, String yTitle, List<String> groups, List<Bars> bars) {
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(Charts.WIDE)
            .height(Charts.HEIGHT)
            .title(title)
            .yAxisTitle(yTitle)
            .build();
    Charts.common(chart.getStyler());
    List<String> names = Charts.distinct(bars.stream().map(Bars::label).toList());
    List<String> places = Charts.distinct(groups);
    for (int i = 0; i < bars.size(); i++) {
      Bars series = bars.get(i);
      chart
          .addSeries(names.get(i), places, present(series.values()), present(series.deviations()))
          .setFillColor(LineChart.color(i));
    }
    chart
        .getStyler()
        .setAvailableSpaceFill(0.9)
        .setPlotGridVerticalLinesVisible(false)
        .setYAxisMin(0.0)
        .setYAxisDecimalPattern("#,##0");
    if (groups.stream().mapToInt(String::length).sum() > LEVEL_CHARACTERS) {
      chart.getStyler().setXAxisLabelRotation(SLANT_DEGREES);
    }
    chart
        .getStyler()
        .setLabelsVisible(true)
        .setLabelsPosition(0.05)
        .setLabelsFont(new Font(Font.SANS_SERIF, Font.BOLD, LABEL_POINTS))
        .setLabelsFontColorAutomaticEnabled(true)
        .setDecimalPattern("#,##0.#");
    return chart;
  }

  /** XChart leaves out what is null. */
  private static List<Double> present(List<Double> values) {
    return values.stream().map(value -> value.isNaN() ? null : value).toList();
  }
}
