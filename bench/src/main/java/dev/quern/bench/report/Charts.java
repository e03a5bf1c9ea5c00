package dev.quern.bench.report;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.internal.chartpart.Chart;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** The pictures of a report, drawn from {@link Results} alone. */
final class Charts {
  static final int WIDTH = 900;

  /** Where the legend says much. */
  static final int WIDE = 1200;

  static final int HEIGHT = 520;
  static final Color INK = new Color(0x22, 0x26, 0x2B);
  private static final Color FAINT = new Color(0xDD, 0xE1, 0xE6);

  /**
   * A picture with its caption.
   *
   * @param name of the files, without extension
   */
  record Picture(String name, String caption, Chart<?, ?> chart) {}

  private final Results results;

  Charts(Results results) {
    this.results = results;
  }

  /** Those for which the results hold data. */
  List<Picture> all() {
    List<Picture> pictures = new ArrayList<>();
    if (!results.quantized().isEmpty()) {
      pictures.add(perplexity());
      if (results.quantized().stream().anyMatch(v -> v.lnPplLoss() > 0)) {
        pictures.add(loss());
      }
      if (results.quantized().stream().anyMatch(v -> !v.tensorErrors().isEmpty())) {
        pictures.add(tensorErrors());
      }
    }
    if (!results.histograms().isEmpty()) {
      pictures.add(histogram());
    }
    if (results.quantized().isEmpty()) {
      return pictures;
    }
    pictures.add(
        speed(
            "speed-prefill",
            "Prefill: reading a prompt",
            "Tokens read per second when a prompt of %d tokens comes in one batch. Grey: the original, repeated in every group."
                .formatted(results.protocol().prefillTokens()),
            VariantResult::prefillTokensPerSecond));
    pictures.add(
        speed(
            "speed-decode",
            "Decode: writing, one token at a time",
            "Tokens written per second, one sequence, median of several runs of %d tokens. Grey: the original, repeated in every group."
                .formatted(results.protocol().decodeTokens()),
            VariantResult::decodeTokensPerSecond));
    return pictures;
  }

  private Picture perplexity() {
    XYChart chart =
        xy(
            "Perplexity against size",
            "bits per weight, everything stored counted",
            "perplexity (lower is better)");
    double original = results.original().perplexity();
    double[] ends = bitsRange();
    XYSeries base =
        chart.addSeries(
            "original", new double[] {ends[0], ends[1]}, new double[] {original, original});
    style(base, Palette.ORIGINAL.color(), Palette.DASHED).setMarker(SeriesMarkers.NONE);
    addMethods(chart, VariantResult::perplexity);
    double highest =
        results.variants().stream().mapToDouble(VariantResult::perplexity).max().orElseThrow();
    double margin = Math.max(0.01 * original, 0.06 * (highest - original));
    chart.getStyler().setYAxisMin(original - margin).setYAxisMax(highest + margin);
    return new Picture(
        "perplexity",
        "Down and to the left is better. The dashed line is the original at %.0f bits."
            .formatted(results.original().bitsPerWeight()),
        chart);
  }

  private Picture loss() {
    XYChart chart =
        xy(
            "What quantization costs",
            "bits per weight, everything stored counted",
            "loss in ln perplexity, logarithmic");
    addMethods(chart, VariantResult::lnPplLoss);
    double lowest =
        results.quantized().stream()
            .mapToDouble(VariantResult::lnPplLoss)
            .filter(l -> l > 0)
            .min()
            .orElseThrow();
    double highest =
        results.quantized().stream().mapToDouble(VariantResult::lnPplLoss).max().orElseThrow();
    chart
        .getStyler()
        .setYAxisLogarithmic(true)
        .setYAxisMin(Math.pow(10, Math.floor(Math.log10(lowest))))
        .setYAxisMax(Math.pow(10, Math.ceil(Math.log10(highest))))
        .setYAxisTickLabelsFormattingFunction(Charts::decimal);
    long hidden = results.quantized().stream().filter(v -> v.lnPplLoss() <= 0).count();
    String caption =
        "The same losses on a logarithmic scale: each bit more divides them by a nearly constant"
            + " factor, and the distance between two lines is what the method is worth.";
    return new Picture(
        "loss",
        hidden == 0
            ? caption
            : caption + " Variants without a measurable loss have no point: " + hidden + ".",
        chart);
  }

  private void addMethods(XYChart chart, ToDoubleFunction<VariantResult> value) {
    boolean logarithmicOnly = chart.getYAxisTitle().endsWith("logarithmic");
    for (String method : results.methods()) {
      List<VariantResult> points =
          results.quantized().stream()
              .filter(v -> v.method().equals(method))
              .filter(v -> !logarithmicOnly || value.applyAsDouble(v) > 0)
              .sorted(Comparator.comparingDouble(VariantResult::bitsPerWeight))
              .toList();
      if (!points.isEmpty()) {
        XYSeries series =
            chart.addSeries(
                method,
                points.stream().mapToDouble(VariantResult::bitsPerWeight).toArray(),
                points.stream().mapToDouble(value).toArray());
        Palette look = Palette.of(method);
        style(series, look.color(), Palette.LINE).setMarker(look.marker());
      }
    }
    double[] ends = bitsRange();
    chart.getStyler().setXAxisMin(ends[0]).setXAxisMax(ends[1]);
  }

  private double[] bitsRange() {
    double low =
        results.quantized().stream().mapToDouble(VariantResult::bitsPerWeight).min().orElseThrow();
    double high =
        results.quantized().stream().mapToDouble(VariantResult::bitsPerWeight).max().orElseThrow();
    return new double[] {Math.floor(2 * low - 0.2) / 2, Math.ceil(2 * high + 0.2) / 2};
  }

  /** Gate, up and down of the first method and, dashed, of the last plain one, at middle bits. */
  private Picture tensorErrors() {
    List<VariantResult> measured =
        results.quantized().stream().filter(v -> !v.tensorErrors().isEmpty()).toList();
    List<Integer> bits = measured.stream().map(VariantResult::bits).distinct().sorted().toList();
    int shownBits = bits.get((bits.size() - 1) / 2);
    List<VariantResult> shown =
        measured.stream()
            .filter(v -> v.bits() == shownBits)
            .filter(v -> v.method().equals("turbo") || v.method().equals("affine"))
            .toList();
    if (shown.isEmpty()) {
      shown = measured.subList(0, 1);
    }
    XYChart chart =
        xy(
            "Error per layer and projection, " + shown.getFirst().bits() + " bits",
            "layer",
            "relative mean squared error");
    Color[] colors = {Palette.TURBO.color(), Palette.AFFINE.color(), Palette.TURBO_QJL.color()};
    double highest = 0;
    int layers = 1;
    for (VariantResult variant : shown) {
      boolean first = variant.equals(shown.getFirst());
      List<String> projections =
          variant.tensorErrors().stream()
              .map(VariantResult.TensorError::projection)
              .distinct()
              .toList();
      for (String projection : projections) {
        List<VariantResult.TensorError> errors =
            variant.tensorErrors().stream()
                .filter(e -> e.projection().equals(projection))
                .sorted(Comparator.comparingInt(VariantResult.TensorError::layer))
                .toList();
        double[] y = errors.stream().mapToDouble(VariantResult.TensorError::relativeMse).toArray();
        XYSeries series =
            chart.addSeries(
                projection + ", " + variant.method(),
                errors.stream().mapToDouble(VariantResult.TensorError::layer).toArray(),
                y);
        int index = projections.indexOf(projection);
        style(
                series,
                index < colors.length ? colors[index] : Palette.OTHER.color(),
                first ? Palette.LINE : Palette.DASHED)
            .setMarker(first ? SeriesMarkers.CIRCLE : SeriesMarkers.DIAMOND);
        highest = Math.max(highest, Arrays.stream(y).max().orElse(0));
        layers = Math.max(layers, errors.getLast().layer() + 1);
      }
    }
    chart
        .getStyler()
        .setYAxisMin(0.0)
        .setYAxisMax(1.1 * highest)
        .setYAxisTickLabelsFormattingFunction(Charts::decimal)
        .setXAxisMin(-0.3)
        .setXAxisMax(layers - 0.7)
        .setXAxisDecimalPattern("0")
        .setXAxisMaxLabelCount(Math.min(layers, 24));
    return new Picture(
        "tensor-errors",
        "Squared error of the stored weights, as a share of the weights' own squares. Flat lines"
            + " mean that no layer is harder than another.",
        chart);
  }

  private Picture histogram() {
    XYChart chart =
        xy("Weights before and after rotation", "standard deviations", "density, logarithmic");
    double[] ends = {-5, 5};
    double lowest = 1;
    List<Color> colors = List.of(Palette.AFFINE.color(), Palette.TURBO.color());
    for (int h = 0; h < results.histograms().size(); h++) {
      WeightHistogram histogram = results.histograms().get(h);
      int[] bins =
          IntStream.range(0, histogram.density().size())
              .filter(b -> histogram.density().get(b) > 0)
              .filter(b -> histogram.center(b) > ends[0] && histogram.center(b) < ends[1])
              .toArray();
      double[] y = IntStream.of(bins).mapToDouble(b -> histogram.density().get(b)).toArray();
      XYSeries series =
          chart.addSeries(
              histogram.label(), IntStream.of(bins).mapToDouble(histogram::center).toArray(), y);
      style(series, colors.get(h % colors.size()), Palette.LINE).setMarker(SeriesMarkers.NONE);
      lowest = Math.min(lowest, Arrays.stream(y).min().orElse(1));
    }
    double[] x = IntStream.rangeClosed(-40, 40).mapToDouble(i -> i / 10.0).toArray();
    double[] normal =
        Arrays.stream(x).map(t -> Math.exp(-t * t / 2) / Math.sqrt(2 * Math.PI)).toArray();
    XYSeries gaussian = chart.addSeries("Gaussian", x, normal);
    style(gaussian, Palette.ORIGINAL.color(), Palette.DASHED).setMarker(SeriesMarkers.NONE);
    chart
        .getStyler()
        .setYAxisLogarithmic(true)
        .setYAxisTickLabelsFormattingFunction(Charts::decimal)
        .setYAxisMin(Math.pow(10, Math.floor(Math.log10(lowest))))
        .setYAxisMax(1.0)
        .setXAxisMin(ends[0])
        .setXAxisMax(ends[1]);
    StringBuilder caption = new StringBuilder();
    caption
        .append("Tensor ")
        .append(results.histograms().getFirst().tensor())
        .append(", the one that rotation changes most. Excess kurtosis (0 for a Gaussian):");
    for (WeightHistogram histogram : results.histograms()) {
      caption.append(
          String.format(Locale.ROOT, " %s %.3f;", histogram.label(), histogram.kurtosis()));
    }
    caption.setCharAt(caption.length() - 1, '.');
    return new Picture("weights", caption.toString(), chart);
  }

  private Picture speed(
      String name, String title, String caption, ToDoubleFunction<VariantResult> speed) {
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(title)
            .yAxisTitle("tokens per second")
            .build();
    common(chart.getStyler());
    List<Integer> bits =
        results.quantized().stream().map(VariantResult::bits).distinct().sorted().toList();
    List<String> groups = bits.stream().map(b -> b + " bits").toList();
    double base = speed.applyAsDouble(results.original());
    chart
        .addSeries("original", groups, Collections.nCopies(groups.size(), base))
        .setFillColor(Palette.ORIGINAL.color());
    for (String method : results.methods()) {
      List<Double> values = new ArrayList<>();
      for (int b : bits) {
        values.add(results.variant(method, b).map(speed::applyAsDouble).orElse(null));
      }
      chart.addSeries(method, groups, values).setFillColor(Palette.of(method).color());
    }
    chart.getStyler().setAvailableSpaceFill(0.9).setPlotGridVerticalLinesVisible(false);
    chart.getStyler().setYAxisMin(0.0).setYAxisDecimalPattern("#,##0");
    return new Picture(name, caption, chart);
  }

  /** XChart takes every name once: those that come again are numbered. */
  static List<String> distinct(List<String> names) {
    Map<String, Integer> uses = new HashMap<>();
    List<String> distinct = new ArrayList<>();
    for (String name : names) {
      int use = uses.merge(name, 1, Integer::sum);
      distinct.add(use == 1 ? name : "%s (%d)".formatted(name, use));
    }
    return distinct;
  }

  static XYChart xy(String title, String xTitle, String yTitle) {
    return xy(WIDTH, title, xTitle, yTitle);
  }

  static XYChart xy(int width, String title, String xTitle, String yTitle) {
    XYChart chart =
        new XYChartBuilder()
            .width(width)
            .height(HEIGHT)
            .title(title)
            .xAxisTitle(xTitle)
            .yAxisTitle(yTitle)
            .build();
    common(chart.getStyler());
    return chart;
  }

  static XYSeries style(XYSeries series, Color color, BasicStroke stroke) {
    series.setMarkerColor(color).setLineColor(color).setLineStyle(stroke);
    return series;
  }

  static void common(AxesChartStyler styler) {
    styler
        .setPlotGridLinesColor(FAINT)
        .setPlotGridLinesStroke(new BasicStroke(1f))
        .setAxisTickMarksColor(FAINT)
        .setAxisTickLabelsColor(INK)
        .setAxisTickLabelsFont(font(Font.PLAIN, 14))
        .setAxisTitleFont(font(Font.PLAIN, 15))
        .setAxisTicksLineVisible(false)
        .setPlotMargin(0)
        .setYAxisLabelAlignment(AxesChartStyler.TextAlignment.Right)
        .setAxisTitlePadding(10);
    styler
        .setChartBackgroundColor(Color.WHITE)
        .setPlotBackgroundColor(Color.WHITE)
        .setPlotBorderVisible(false)
        .setChartFontColor(INK)
        .setChartTitleFont(font(Font.BOLD, 18))
        .setChartTitlePadding(12)
        .setChartPadding(16)
        .setLegendFont(font(Font.PLAIN, 14))
        .setLegendBorderColor(Color.WHITE)
        .setLegendBackgroundColor(Color.WHITE)
        .setLegendPosition(Styler.LegendPosition.OutsideE)
        .setLegendPadding(10)
        .setMarkerSize(9)
        .setLocale(Locale.ROOT);
  }

  /** 0.001 rather than 1.0E-3. */
  private static String decimal(double value) {
    return new BigDecimal(value).round(new MathContext(2)).stripTrailingZeros().toPlainString();
  }

  private static Font font(int style, int size) {
    return new Font(Font.SANS_SERIF, style, size);
  }
}
