package dev.quern.bench.report;

import java.awt.Color;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.VectorGraphicsEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.internal.chartpart.Chart;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * Lines in one picture, in the style of the reports. Colours: Okabe and Ito, "Color Universal
 * Design" (2008); after the seventh line they come again with other dashes.
 */
public final class LineChart {
  private static final int DOTS_PER_INCH = 144; // twice the pixels of the SVG's nominal size
  private static final List<Color> COLORS =
      List.of(
          new Color(0x00, 0x72, 0xB2),
          new Color(0xE6, 0x9F, 0x00),
          new Color(0x00, 0x9E, 0x73),
          new Color(0xD5, 0x5E, 0x00),
          new Color(0xCC, 0x79, 0xA7),
          new Color(0x56, 0xB4, 0xE9),
          new Color(0x8B, 0x80, 0x00)); // their yellow, darker: it is drawn on white
  private static final Color BOUND = new Color(0x55, 0x55, 0x55);

  /**
   * One line.
   *
   * @param bound whether it is no result but what results are held against: grey and dashed
   */
  public record Line(String label, double[] x, double[] y, boolean bound) {}

  private LineChart() {}

  /**
   * Writes NAME.png and NAME.svg.
   *
   * @param folder created if missing
   */
  public static void write(
      Path folder, String name, String title, String xTitle, String yTitle, List<Line> lines)
      throws IOException {
    XYChart chart = Charts.xy(title, xTitle, yTitle);
    int colored = 0;
    int bounds = 0;
    for (Line line : lines) {
      XYSeries series = chart.addSeries(line.label(), line.x(), line.y());
      if (line.bound()) {
        Charts.style(series, BOUND, bounds++ % 2 == 0 ? Palette.DASHED : Palette.DOTTED)
            .setMarker(SeriesMarkers.NONE);
      } else {
        boolean again = colored / COLORS.size() % 2 == 1;
        Charts.style(series, color(colored++), again ? Palette.DASHED : Palette.LINE)
            .setMarker(SeriesMarkers.CIRCLE);
      }
    }
    save(chart, folder, name);
  }

  /** After the seventh the colours come again. */
  static Color color(int index) {
    return COLORS.get(index % COLORS.size());
  }

  /** Writes NAME.png and NAME.svg into a folder, which is created if missing. */
  static void save(Chart<?, ?> chart, Path folder, String name) throws IOException {
    System.setProperty("java.awt.headless", "true"); // before AWT starts; there is no window here
    Files.createDirectories(folder);
    VectorGraphicsEncoder.saveVectorGraphic(
        chart,
        folder.resolve(name + ".svg").toString(),
        VectorGraphicsEncoder.VectorGraphicsFormat.SVG);
    BitmapEncoder.saveBitmapWithDPI(
        chart,
        folder.resolve(name + ".png").toString(),
        BitmapEncoder.BitmapFormat.PNG,
        DOTS_PER_INCH);
  }
}
