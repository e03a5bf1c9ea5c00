package dev.quern.bench.report;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.VectorGraphicsEncoder;

/** Writes the folder of a report: results.json, every chart as PNG and SVG, report.html. */
public final class ReportWriter {
  public static final String HTML = "report.html";
  private static final int DOTS_PER_INCH = 144; // twice the pixels of the SVG's nominal size

  private ReportWriter() {}

  /**
   * @param folder created if missing; files of an earlier report in it are replaced
   * @return the report.html
   */
  public static Path write(Results results, Path folder) throws IOException {
    System.setProperty("java.awt.headless", "true"); // before AWT starts; there is no window here
    Files.createDirectories(folder);
    ResultsFile.write(results, folder.resolve(ResultsFile.NAME));
    List<HtmlReport.Figure> figures = new ArrayList<>();
    for (Charts.Picture picture : new Charts(results).all()) {
      ByteArrayOutputStream svg = new ByteArrayOutputStream();
      VectorGraphicsEncoder.saveVectorGraphic(
          picture.chart(), svg, VectorGraphicsEncoder.VectorGraphicsFormat.SVG);
      Files.write(folder.resolve(picture.name() + ".svg"), svg.toByteArray());
      BitmapEncoder.saveBitmapWithDPI(
          picture.chart(),
          folder.resolve(picture.name() + ".png").toString(),
          BitmapEncoder.BitmapFormat.PNG,
          DOTS_PER_INCH);
      figures.add(
          new HtmlReport.Figure(
              picture.name(), picture.caption(), svg.toString(StandardCharsets.UTF_8)));
    }
    Path html = folder.resolve(HTML);
    Files.writeString(html, new HtmlReport(results, figures).render());
    return html;
  }
}
