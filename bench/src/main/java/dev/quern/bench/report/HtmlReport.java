package dev.quern.bench.report;

import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** One self-contained page: no script, no request to anywhere. */
final class HtmlReport {
  private static final Pattern SVG_ELEMENT = Pattern.compile("(?s)<svg.*</svg>");
  private static final Pattern SVG_ID = Pattern.compile("(id=\"|url\\(#|href=\"#)");

  private static final String TABLE_NOTE =
      """
      <p class="note">Bold: best of its width, turbo+qjl with its extra bit aside. Loss: ln perplexity
      minus that of the original, with the 95 % interval of a paired bootstrap over windows. KLD: mean
      KL divergence from the original, nats per token. Top-1: how often the most probable token is the
      original's. Rel. MSE: of the stored weights, without the residual of QJL. Prefill and decode:
      tokens per second, with integer activations and float16 keys and values, as when generating; quality
      is that of the weights, in float32. Bandwidth: share of the machine's measured read speed that the weights touched
      in decode make up.</p>
      """;

  /** A chart as the text of an SVG file. */
  record Figure(String name, String caption, String svg) {}

  private final Results results;
  private final List<Figure> figures;

  HtmlReport(Results results, List<Figure> figures) {
    this.results = results;
    this.figures = figures;
  }

  String render() {
    Results.Model model = results.model();
    StringBuilder html = new StringBuilder(1 << 16);
    html.append(
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>quern: %s</title>
        <style>%s</style></head><body><main>
        <header><p class="mark">quern</p><h1>%s, ground down</h1><p class="lead">%s</p></header>
        """
            .formatted(escape(model.name()), CSS, escape(model.name()), escape(lead())));
    html.append(highlights());
    html.append("<h2>The numbers</h2>\n").append(table());
    html.append("<h2>The pictures</h2>\n");
    figures.forEach(figure -> html.append(figure(figure)));
    html.append(verdict());
    html.append(facts());
    html.append("<h2>Repeat it</h2>\n<pre><code>")
        .append(escape(results.run().command()))
        .append("</code></pre>\n<p class=\"note\">The charts alone, from these numbers: ")
        .append("<code>./quern report --results results.json --out DIR</code></p>\n")
        .append("</main></body></html>\n");
    return html.toString();
  }

  private String lead() {
    Results.Protocol protocol = results.protocol();
    Results.Model model = results.model();
    return String.format(
        Locale.ROOT,
        "A %s model of %d layers with %d experts each (%d at work per token). Its original and %d"
            + " quantized variants read the same %,d tokens of %s in %,d windows of %d%s.",
        model.modelType(),
        model.layers(),
        model.experts(),
        model.topK(),
        results.quantized().size(),
        protocol.predictedTokens(),
        protocol.dataset(),
        protocol.windows(),
        protocol.sequenceLength(),
        protocol.windows() < protocol.availableWindows()
            ? String.format(Locale.ROOT, " (evenly spaced among %,d)", protocol.availableWindows())
            : "");
  }

  /** Three or four figures in large type: what the first method makes of the model. */
  private String highlights() {
    StringBuilder html = new StringBuilder("<section class=\"cards\">");
    card(
        html,
        "original",
        String.format(Locale.ROOT, "%.2f", results.original().perplexity()),
        "perplexity at " + Math.round(results.original().bitsPerWeight()) + " bits");
    String method = results.methods().contains("turbo") ? "turbo" : "";
    for (VariantResult v : results.quantized()) {
      if (v.method().equals(method)) {
        card(
            html,
            v.label(),
            String.format(Locale.ROOT, "%+.2f %%", 100 * Math.expm1(v.lnPplLoss())),
            String.format(
                Locale.ROOT,
                "perplexity at %.2f bits, experts %.1f× smaller",
                v.bitsPerWeight(),
                results.original().bitsPerWeight() / v.bitsPerWeight()));
      }
    }
    return html.append("</section>\n").toString();
  }

  private static void card(StringBuilder html, String title, String figure, String note) {
    html.append("<div class=\"card\"><p class=\"title\">")
        .append(escape(title))
        .append("</p><p class=\"figure\">")
        .append(escape(figure))
        .append("</p><p>")
        .append(escape(note))
        .append("</p></div>");
  }

  private String table() {
    StringBuilder html = new StringBuilder("<div class=\"scroll\"><table><thead><tr>");
    ResultsTable.headers()
        .forEach(header -> html.append("<th>").append(escape(header)).append("</th>"));
    html.append("</tr></thead><tbody>\n");
    int bits = 0;
    for (VariantResult v : results.variants()) {
      html.append(v.bits() != bits ? "<tr class=\"first\">" : "<tr>");
      bits = v.bits();
      List<String> cells = ResultsTable.cells(v);
      for (int c = 0; c < cells.size(); c++) {
        String cell = escape(cells.get(c));
        String tag = c == 0 ? "th" : "td";
        html.append('<').append(tag).append('>');
        html.append(isBest(v, c) ? "<strong>" + cell + "</strong>" : cell);
        html.append("</").append(tag).append('>');
      }
      html.append("</tr>\n");
    }
    return html.append("</tbody></table></div>\n").append(TABLE_NOTE).toString();
  }

  /** Column 4 is the loss; the others follow {@link ResultsTable#headers}. */
  private boolean isBest(VariantResult v, int column) {
    if (v.isOriginal()) {
      return false;
    }
    return switch (column) {
      case 1 -> isLeast(v, VariantResult::bitsPerWeight);
      case 2 -> isLeast(v, VariantResult::sizeBytes);
      case 3 -> isLeast(v, VariantResult::perplexity);
      case 4 -> isLeast(v, VariantResult::lnPplLoss);
      case 6 -> isLeast(v, VariantResult::meanKld);
      case 7 -> isLeast(v, x -> -x.top1Agreement());
      case 8 -> isLeast(v, VariantResult::relativeMse);
      case 9 -> isLeast(v, x -> -x.prefillTokensPerSecond());
      case 10 -> isLeast(v, x -> -x.decodeTokensPerSecond());
      default -> false;
    };
  }

  /** The residual costs a bit more than the others of its width: it is not compared with them. */
  private boolean isLeast(VariantResult v, ToDoubleFunction<VariantResult> value) {
    return !v.method().equals(VariantResult.TURBO_QJL)
        && results.quantized().stream()
            .filter(other -> other.bits() == v.bits())
            .filter(other -> !other.method().equals(VariantResult.TURBO_QJL))
            .allMatch(other -> value.applyAsDouble(v) <= value.applyAsDouble(other));
  }

  /** Ids inside an SVG are made unique: all of them share the page. */
  private static String figure(Figure figure) {
    Matcher element = SVG_ELEMENT.matcher(figure.svg());
    if (!element.find()) {
      throw new IllegalArgumentException("no svg element in figure " + figure.name());
    }
    String svg = SVG_ID.matcher(element.group()).replaceAll("$1" + figure.name() + "-");
    return "<figure>%s<figcaption>%s</figcaption></figure>%n"
        .formatted(scalable(svg), escape(figure.caption()));
  }

  /** Lets the page choose the size: width and height give way to the viewBox. */
  private static String scalable(String svg) {
    int end = svg.indexOf('>');
    String head = svg.substring(0, end).replaceAll("\\s(width|height)=\"[^\"]*\"", "");
    return head + " role=\"img\"" + svg.substring(end);
  }

  private String verdict() {
    List<String> sentences = QjlVerdict.sentences(results);
    if (sentences.isEmpty()) {
      return "";
    }
    return "<h2>Does QJL pay?</h2>\n<p><strong>%s</strong> %s</p>%n"
        .formatted(
            escape(sentences.getFirst()),
            sentences.stream().skip(1).map(HtmlReport::escape).collect(Collectors.joining(" ")));
  }

  private String facts() {
    Machine machine = results.machine();
    StringBuilder html = new StringBuilder("<h2>Where and how</h2>\n<dl>");
    fact(html, "Processor", machine.cpu());
    fact(
        html,
        "Cores, threads",
        machine.cores() + " cores; " + machine.threads() + " threads measured");
    fact(html, "Memory", ResultsTable.bytes(machine.memoryBytes()));
    if (machine.readBytesPerSecond() > 0) {
      fact(
          html,
          "Read bandwidth",
          String.format(Locale.ROOT, "%.1f GB/s, measured", machine.readBytesPerSecond() / 1e9));
    }
    fact(html, "System", machine.os());
    fact(html, "JVM", machine.jvm());
    fact(html, "JVM flags", String.join(" ", machine.jvmFlags()));
    fact(html, "Date", results.run().date());
    fact(html, "Commit", results.run().commit());
    fact(html, "Seed", Long.toString(results.run().seed()));
    fact(html, "Fingerprint of the model", results.model().fingerprint());
    fact(
        html,
        "Quantized weights",
        String.format(Locale.ROOT, "%,d", results.model().quantizedWeights()));
    return html.append("</dl>\n").toString();
  }

  private static void fact(StringBuilder html, String name, String value) {
    html.append("<dt>").append(escape(name)).append("</dt><dd>");
    html.append(escape(value)).append("</dd>\n");
  }

  static String escape(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }

  private static final String CSS =
      """
      :root{--ink:#22262b;--soft:#5b6570;--paper:#fbfaf7;--card:#fff;--line:#e2e0da;--accent:#0072b2}
      @media (prefers-color-scheme:dark){:root{--ink:#e8e6e1;--soft:#a4a9b0;--paper:#17191c;--card:#202327;--line:#33373d;--accent:#6cb8e6}}
      *{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
      main{max-width:72rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
      .mark{color:var(--accent);font-weight:700;letter-spacing:.08em;margin:0}
      h1{font-size:2.2rem;line-height:1.15;margin:.2rem 0 .8rem}h2{font-size:1.3rem;margin:2.6rem 0 .8rem}
      .lead{font-size:1.1rem;color:var(--soft);max-width:46rem;margin:0}
      .cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:1rem;margin-top:1.8rem}
      .card{background:var(--card);border:1px solid var(--line);border-radius:.7rem;padding:1rem 1.1rem}
      .card p{margin:0;color:var(--soft);font-size:.92rem}.card .title{font-weight:600;color:var(--accent)}
      .card .figure{font-size:1.9rem;font-weight:700;color:var(--ink);font-variant-numeric:tabular-nums}
      .scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:.7rem}
      table{border-collapse:collapse;width:100%;font-size:.8rem;font-variant-numeric:tabular-nums;white-space:nowrap}
      th,td{padding:.42rem .45rem;text-align:right}th:first-child{text-align:left}
      thead th{color:var(--soft);font-weight:600}tbody th{font-weight:600}tr.first>*{border-top:1px solid var(--line)}
      td strong{color:var(--accent)}.note{color:var(--soft);font-size:.88rem}
      figure{max-width:58rem;margin:0 auto 1.6rem;background:#fff;border:1px solid var(--line);border-radius:.7rem;overflow:hidden}
      figure svg{display:block;width:100%;height:auto}
      figcaption{background:var(--card);border-top:1px solid var(--line);padding:.8rem 1.1rem;color:var(--soft)}
      dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.2rem;font-size:.92rem}
      dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
      pre{background:var(--card);border:1px solid var(--line);border-radius:.7rem;padding:1rem;overflow-x:auto}
      @media (max-width:40rem){dl{grid-template-columns:1fr}dd{margin-bottom:.5rem}}
      """;
}
