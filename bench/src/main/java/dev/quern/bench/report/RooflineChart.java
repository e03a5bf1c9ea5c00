package dev.quern.bench.report;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * What was reached against what the machine can: operations per second over operations per byte,
 * both axes logarithmic. Source: S. Williams, A. Waterman, D. Patterson, "Roofline", CACM 52(4),
 * 2009.
 */
public final class RooflineChart {
  private static final List<Marker> MARKERS =
      List.of(
          SeriesMarkers.CIRCLE,
          SeriesMarkers.SQUARE,
          SeriesMarkers.DIAMOND,
          SeriesMarkers.TRIANGLE_UP,
          SeriesMarkers.TRIANGLE_DOWN);

  private static final int MARKER_SIZE = 14;

  /**
   * A machine's ceilings.
   *
   * @param gigabytesPerSecond read from memory
   * @param gigaOperationsPerSecond in registers
   */
  public record Roof(String label, double gigabytesPerSecond, double gigaOperationsPerSecond) {
    /** Billions of operations per second that can be reached with so many per byte. */
    public double at(double operationsPerByte) {
      return Math.min(gigaOperationsPerSecond, operationsPerByte * gigabytesPerSecond);
    }
  }

  /**
   * What was measured.
   *
   * @param color points of one number have one colour
   * @param marker points of one number have one marker
   */
  public record Point(
      String label,
      double operationsPerByte,
      double gigaOperationsPerSecond,
      int color,
      int marker) {}

  private RooflineChart() {}

  /**
   * Writes NAME.png and NAME.svg.
   *
   * @param folder created if missing
   * @param roofs the last one is what points are compared with
   * @param points at least one
   */
  public static void write(
      Path folder, String name, String title, List<Roof> roofs, List<Point> points)
      throws IOException {
    LineChart.save(chart(title, roofs, points), folder, name);
  }

  static XYChart chart(String title, List<Roof> roofs, List<Point> points) {
    XYChart chart =
        Charts.xy(
            Charts.WIDE,
            title,
            "operations per byte read from memory",
            "10^9 operations per second");
    // Ticks stand at powers of ten, so the axes end there.
    double left = points.stream().mapToDouble(Point::operationsPerByte).min().orElseThrow();
    double right = points.stream().mapToDouble(Point::operationsPerByte).max().orElseThrow();
    for (Roof roof : roofs) {
      right = Math.max(right, roof.gigaOperationsPerSecond() / roof.gigabytesPerSecond());
    }
    left = Math.pow(10, Math.floor(Math.log10(left)));
    right = Math.pow(10, Math.ceil(Math.log10(right)));
    double top = 0;
    double bottom = Double.POSITIVE_INFINITY;
    for (int i = 0; i < roofs.size(); i++) {
      Roof roof = roofs.get(i);
      top = Math.max(top, roof.at(right));
      bottom = Math.min(bottom, roof.at(left));
      boolean last = i == roofs.size() - 1;
      Charts.style(line(chart, roof, left, right), Charts.INK, last ? Palette.LINE : Palette.DASHED)
          .setMarker(SeriesMarkers.NONE);
    }
    List<String> names =
        Charts.distinct(points.stream().map(point -> name(point, roofs.getLast())).toList());
    for (int i = 0; i < points.size(); i++) {
      Point point = points.get(i);
      bottom = Math.min(bottom, point.gigaOperationsPerSecond());
      top = Math.max(top, point.gigaOperationsPerSecond());
      XYSeries series =
          chart.addSeries(
              names.get(i),
              new double[] {point.operationsPerByte()},
              new double[] {point.gigaOperationsPerSecond()});
      Charts.style(series, LineChart.color(point.color()), Palette.LINE)
          .setMarker(MARKERS.get(point.marker() % MARKERS.size()));
    }
    chart
        .getStyler()
        .setXAxisLogarithmic(true)
        .setYAxisLogarithmic(true)
        .setXAxisMin(left)
        .setXAxisMax(right)
        .setYAxisMin(Math.pow(10, Math.floor(Math.log10(bottom))))
        .setYAxisMax(Math.pow(10, Math.ceil(Math.log10(top))));
    chart.getStyler().setMarkerSize(MARKER_SIZE);
    return chart;
  }

  /** With the share of what the machine can. */
  private static String name(Point point, Roof roof) {
    double share = point.gigaOperationsPerSecond() / roof.at(point.operationsPerByte());
    return String.format(Locale.ROOT, "%s; %.0f %%", point.label(), 100 * share);
  }

  private static XYSeries line(XYChart chart, Roof roof, double left, double right) {
    double bend = roof.gigaOperationsPerSecond() / roof.gigabytesPerSecond();
    double[] x = {left, Math.clamp(bend, left, right), right};
    double[] y = Arrays.stream(x).map(roof::at).toArray();
    return chart.addSeries(roof.label(), x, y);
  }
}
