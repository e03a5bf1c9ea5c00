package dev.quern.bench.peers;

import dev.quern.bench.report.BarChart;
import dev.quern.bench.speed.SpeedRecord;
import dev.quern.bench.speed.SpeedSubject;
import dev.quern.bench.speed.SubjectLabels;
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

  private final List<PeerRatio> ratios;
  private final SubjectLabels labels;

  public PeerReport(List<SpeedRecord> records) {
    ratios = PeerRatio.of(records);
    labels = SubjectLabels.of(records.stream().map(SpeedRecord::subject).toList());
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
              labels.label(ratio.quern()),
              labels.label(ratio.peer()),
              ratio.median(),
              ratio.lowest(),
              ratio.highest()));
    }
    return text.toString();
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
    BarChart.write(
        folder,
        NAME,
        labels.title("quern / peer"),
        "percent of the peer's speed",
        groups().stream().map(g -> g.test() + ", " + labels.weights(g.quern())).toList(),
        bars());
  }

  /** What stands under the bars: a colour is a peer. */
  private record Group(String test, SpeedSubject quern) {
    static Group of(PeerRatio ratio) {
      return new Group(ratio.test(), ratio.quern());
    }
  }

  private List<Group> groups() {
    return ratios.stream().map(Group::of).distinct().toList();
  }

  /** Of every peer. */
  List<BarChart.Bars> bars() {
    return ratios.stream().map(PeerRatio::peer).distinct().map(this::bars).toList();
  }

  private BarChart.Bars bars(SpeedSubject peer) {
    List<Double> percents = new ArrayList<>();
    List<Double> spreads = new ArrayList<>();
    for (Group group : groups()) {
      Optional<PeerRatio> ratio =
          ratios.stream()
              .filter(r -> Group.of(r).equals(group) && r.peer().equals(peer))
              .findFirst();
      percents.add(ratio.map(r -> 100 * r.median()).orElse(Double.NaN));
      spreads.add(ratio.map(r -> 50 * (r.highest() - r.lowest())).orElse(Double.NaN));
    }
    return new BarChart.Bars(labels.label(peer), percents, spreads);
  }
}
