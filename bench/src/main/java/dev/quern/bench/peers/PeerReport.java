package dev.quern.bench.peers;

import dev.quern.bench.report.BarChart;
import dev.quern.bench.speed.SpeedRecord;
import dev.quern.bench.speed.SpeedSubject;
import dev.quern.format.AtomicFile;
import dev.quern.format.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** quern beside its peers: a table of ratios, their JSON and a picture. */
public final class PeerReport {
  private static final String NAME = "peers";
  private static final String HEAD =
      """
      | test | quern | peer | quern / peer, median of rounds (lowest to highest) |
      |---|---|---|---|
      """;

  private final List<SpeedRecord> records;
  private final List<PeerRatio> ratios;

  public PeerReport(List<SpeedRecord> records) {
    this.records = List.copyOf(records);
    this.ratios = PeerRatio.of(records);
  }

  /** The table, with a line feed at its end. */
  public String markdown() {
    StringBuilder text = new StringBuilder(HEAD);
    for (PeerRatio ratio : ratios) {
      text.append(
          String.format(
              Locale.ROOT,
              "| %s | %s | %s | %.2f (%.2f to %.2f) |%n",
              ratio.test(),
              label(ratio.quern()),
              label(ratio.peer()),
              ratio.median(),
              ratio.lowest(),
              ratio.highest()));
    }
    return text.toString();
  }

  private static String label(SpeedSubject subject) {
    return String.format(
        Locale.ROOT,
        "%s %s, %.2f b/w",
        subject.engine(),
        subject.quantization(),
        subject.touchedBitsPerWeight());
  }

  /**
   * Writes peers.md, peers.json and a picture of the ratios.
   *
   * @param folder created if missing
   */
  public void write(Path folder) throws IOException {
    Files.createDirectories(folder);
    AtomicFile.writeText(folder.resolve(NAME + ".md"), markdown());
    AtomicFile.writeText(
        folder.resolve(NAME + ".json"), Json.pretty(Json.mapper().valueToTree(ratios)));
    List<String> groups = ratios.stream().map(PeerReport::group).distinct().toList();
    List<BarChart.Bars> bars = new ArrayList<>();
    for (String peer : ratios.stream().map(r -> label(r.peer())).distinct().toList()) {
      List<Double> percents = new ArrayList<>();
      List<Double> spreads = new ArrayList<>();
      for (String group : groups) {
        Optional<PeerRatio> ratio =
            ratios.stream()
                .filter(r -> group(r).equals(group) && label(r.peer()).equals(peer))
                .findFirst();
        percents.add(ratio.map(r -> 100 * r.median()).orElse(Double.NaN));
        spreads.add(ratio.map(r -> 50 * (r.highest() - r.lowest())).orElse(Double.NaN));
      }
      bars.add(new BarChart.Bars(peer, percents, spreads));
    }
    String title = records.getFirst().subject().model() + ": quern / peer";
    BarChart.write(folder, NAME, title, "percent of the peer's speed", groups, bars);
  }

  /** What stands under the bars: a colour is a peer. */
  private static String group(PeerRatio ratio) {
    return ratio.test() + ", " + ratio.quern().quantization();
  }
}
