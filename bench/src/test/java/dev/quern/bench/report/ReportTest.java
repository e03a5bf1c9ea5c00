package dev.quern.bench.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.format.FormatException;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {
  private static final List<String> PICTURES =
      List.of("perplexity", "loss", "tensor-errors", "weights", "speed-prefill", "speed-decode");

  @TempDir private Path folder;

  @Test
  void resultsReadBackEqualWhatWasWritten() throws IOException {
    Path file = folder.resolve(ResultsFile.NAME);
    ResultsFile.write(SampleResults.results(), file);
    assertEquals(SampleResults.results(), ResultsFile.read(file));
    String json = Files.readString(file);
    for (String name :
        List.of(
            "method",
            "bits",
            "bitsPerWeight",
            "sizeBytes",
            "perplexity",
            "meanKld",
            "top1Agreement",
            "relativeMse",
            "prefillTokensPerSecond",
            "decodeTokensPerSecond")) {
      assertTrue(json.contains("\"" + name + "\""), name);
    }
  }

  @Test
  void damagedResultsAreRefusedInOneLine() throws IOException {
    Path file = folder.resolve(ResultsFile.NAME);
    ResultsFile.write(SampleResults.results(), file);
    String json = Files.readString(file);
    List<String> damaged =
        List.of(
            "",
            "[]",
            json.substring(0, json.length() / 2),
            json.replaceFirst("\"perplexity\" : [0-9.]+", "\"perplexity\" : null"),
            json.replaceFirst("\"schemaVersion\" : 2", "\"schemaVersion\" : 1"),
            json.replaceFirst("\"method\" : \"original\"", "\"method\" : \"affine\""),
            "[".repeat(10_000));
    for (String text : damaged) {
      Files.writeString(file, text);
      FormatException e = assertThrows(FormatException.class, () -> ResultsFile.read(file));
      assertTrue(e.getMessage().startsWith("results.json, "), e.getMessage());
      assertFalse(e.getMessage().contains("\n"), e.getMessage());
    }
  }

  @Test
  void everyChartIsDrawnInTheColoursOfItsSeries() throws IOException {
    ReportWriter.write(SampleResults.results(), folder);
    for (String name : PICTURES) {
      BufferedImage image = ImageIO.read(folder.resolve(name + ".png").toFile());
      Set<Integer> colours = new HashSet<>();
      for (int y = 0; y < image.getHeight(); y++) {
        for (int x = 0; x < image.getWidth(); x++) {
          colours.add(image.getRGB(x, y));
        }
      }
      assertTrue(colours.contains(Palette.TURBO.color().getRGB()), name);
      assertTrue(colours.contains(Palette.AFFINE.color().getRGB()), name);
      assertTrue(Files.readString(folder.resolve(name + ".svg")).contains("<svg"), name);
    }
  }

  @Test
  void thePageIsSelfContainedAndEscaped() throws IOException {
    String html = Files.readString(ReportWriter.write(SampleResults.results(), folder));
    assertTrue(html.contains("tiny &lt;moe&gt;"));
    assertFalse(html.contains("tiny <moe>"));
    assertFalse(Pattern.compile("(src|href)=\"https?:").matcher(html).find());
    assertFalse(html.contains("<script"));
    for (VariantResult variant : SampleResults.results().variants()) {
      assertTrue(html.contains(">" + variant.label() + "<"), variant.label());
    }
    List<String> ids =
        Pattern.compile("\\sid=\"([^\"]+)\"").matcher(html).results().map(m -> m.group(1)).toList();
    assertEquals(ids.size(), new HashSet<>(ids).size(), "ids used twice");
  }

  @Test
  void theVerdictComparesTheResidualWithOneMoreBit() {
    List<String> sentences = QjlVerdict.sentences(SampleResults.results());
    // At 2 bits 0.6 · 0.086 > 0.0100; at 3 bits 0.6 · 0.0100 > 0.0015; no turbo at 5 bits.
    assertEquals(3, sentences.size());
    assertEquals("The QJL residual does not pay.", sentences.getFirst());
  }

  @Test
  void aHistogramOfKnownWeightsHasItsDensityAndKurtosis() {
    WeightHistogram histogram = WeightHistogram.of("two values", "t", new float[] {-1, 1, -1, 1});
    // ±1 with equal shares: fourth moment 1, variance 1, so the excess kurtosis is −2.
    assertEquals(-2, histogram.kurtosis(), 1e-12);
    double total = histogram.density().stream().mapToDouble(d -> d * histogram.binWidth()).sum();
    assertEquals(1, total, 1e-9);
    assertEquals(2, histogram.density().stream().filter(d -> d > 0).count());
  }
}
