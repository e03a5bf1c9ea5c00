package dev.quern.bench.speed;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * Measures all engines in turns, so that a machine that slows down slows all of them: every
 * repetition of a test visits each engine once, starting with another one each time.
 */
public final class SpeedRun {
  private final List<SpeedEngine> engines;
  private final int repetitions;
  private final Consumer<String> progress;

  /**
   * @param engines at least one; they stay open
   * @param repetitions of every test, at least 1
   * @param progress told a line per test
   */
  public SpeedRun(List<SpeedEngine> engines, int repetitions, Consumer<String> progress) {
    if (engines.isEmpty() || repetitions < 1) {
      throw new IllegalArgumentException(
          "%d engines, %d repetitions: expected at least 1".formatted(engines.size(), repetitions));
    }
    this.engines = List.copyOf(engines);
    this.repetitions = repetitions;
    this.progress = progress;
  }

  /** One record per test and engine, in that order. */
  public List<SpeedRecord> measure(List<SpeedTest> tests, SpeedRecord.Origin origin)
      throws IOException {
    List<SpeedRecord> records = new ArrayList<>();
    for (SpeedTest test : tests) {
      records.addAll(measure(test, origin));
    }
    return records;
  }

  private List<SpeedRecord> measure(SpeedTest test, SpeedRecord.Origin origin) throws IOException {
    List<String> warmUps = new ArrayList<>();
    List<List<Double>> samples = new ArrayList<>();
    for (SpeedEngine engine : engines) {
      warmUps.add(engine.warmUp(test));
      samples.add(new ArrayList<>());
    }
    for (int repetition = 0; repetition < repetitions; repetition++) {
      for (int turn = 0; turn < engines.size(); turn++) {
        int e = (turn + repetition) % engines.size();
        samples.get(e).add(engines.get(e).repetition(test));
      }
    }
    SubjectLabels labels = SubjectLabels.of(engines.stream().map(SpeedEngine::subject).toList());
    List<SpeedRecord> records = new ArrayList<>();
    for (int e = 0; e < engines.size(); e++) {
      SpeedEngine engine = engines.get(e);
      SpeedRecord record =
          SpeedRecord.of(
              engine.subject(),
              test,
              samples.get(e),
              engine.cost(test),
              engine.allocatedPerToken(),
              warmUps.get(e),
              origin);
      progress.accept(
          String.format(
              Locale.ROOT,
              "%s, %s: %.2f ± %.2f tokens/s (%s)",
              labels.label(record.subject()),
              record.testName(),
              record.mean(),
              record.deviation(),
              record.warmUp()));
      records.add(record);
    }
    return records;
  }
}
