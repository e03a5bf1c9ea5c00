package dev.quern.bench.speed;

import dev.quern.format.AtomicFile;
import dev.quern.format.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Records of a run as a table, JSON and CSV. */
public final class SpeedReport {
  /** Name of the files that {@link #write} leaves, without their endings. */
  public static final String NAME = "speed";

  /** How records are written. */
  public enum Format {
    MD,
    CSV,
    JSON
  }

  private static final List<String> TABLE_COLUMNS =
      List.of(
          "model",
          "engine",
          "quantization",
          "bits/weight (touched)",
          "MB/token",
          "threads",
          "test",
          "t/s (mean ± deviation)",
          "t/s (median)",
          "quality");

  /** In the words of llama-bench where it has them. */
  private static final List<String> CSV_COLUMNS =
      List.of(
          "engine",
          "engine_version",
          "build_commit",
          "cpu_info",
          "cores",
          "memory_bytes",
          "os",
          "vector_bits",
          "jvm",
          "jvm_flags",
          "model",
          "quantization",
          "bits_per_weight",
          "touched_bits_per_weight",
          "weights",
          "touched_weights",
          "touched_bytes",
          "quality",
          "n_threads",
          "test",
          "n_prompt",
          "n_gen",
          "n_depth",
          "avg_ts",
          "stddev_ts",
          "median_ts",
          "samples_ts",
          "operations_per_token",
          "bytes_per_token",
          "read_one_gb_s",
          "read_gb_s",
          "peak_one_gflop_s",
          "peak_gflop_s",
          "allocated_bytes_per_token",
          "warm_up",
          "command");

  private final List<SpeedRecord> records;

  public SpeedReport(List<SpeedRecord> records) {
    this.records = List.copyOf(records);
  }

  /** The whole report in one of its formats, with a line feed at its end. */
  public String render(Format format) {
    return switch (format) {
      case MD -> markdown();
      case CSV -> csv();
      case JSON -> Json.pretty(Json.mapper().valueToTree(records));
    };
  }

  /**
   * Writes speed.md, speed.csv and speed.json, and the pictures.
   *
   * @param folder created if missing
   */
  public void write(Path folder) throws IOException {
    Files.createDirectories(folder);
    for (Format format : Format.values()) {
      String name = NAME + "." + format.name().toLowerCase(Locale.ROOT);
      AtomicFile.writeText(folder.resolve(name), render(format));
    }
    new SpeedCharts(records).write(folder);
  }

  private String markdown() {
    List<List<String>> rows = new ArrayList<>();
    rows.add(TABLE_COLUMNS);
    for (SpeedRecord record : records) {
      SpeedSubject subject = record.subject();
      rows.add(
          List.of(
              subject.model(),
              subject.engine(),
              subject.quantization(),
              "%s (%s)"
                  .formatted(
                      number("%.3f", subject.bitsPerWeight()),
                      number("%.3f", subject.touchedBitsPerWeight())),
              number("%.1f", subject.touchedBytes() / 1e6),
              Integer.toString(subject.threads()),
              record.testName(),
              number("%.2f", record.mean()) + " ± " + number("%.2f", record.deviation()),
              number("%.2f", record.median()),
              subject.quality()));
    }
    int[] widths = new int[TABLE_COLUMNS.size()];
    for (List<String> row : rows) {
      for (int c = 0; c < widths.length; c++) {
        widths[c] = Math.max(widths[c], row.get(c).length());
      }
    }
    StringBuilder text = new StringBuilder();
    for (int r = 0; r < rows.size(); r++) {
      for (int c = 0; c < widths.length; c++) {
        text.append("| ").append(rows.get(r).get(c));
        text.append(" ".repeat(widths[c] - rows.get(r).get(c).length() + 1));
      }
      text.append("|\n");
      if (r == 0) {
        for (int width : widths) {
          text.append("|").append("-".repeat(width + 2));
        }
        text.append("|\n");
      }
    }
    return text.toString();
  }

  private String csv() {
    StringBuilder text = new StringBuilder(String.join(",", CSV_COLUMNS)).append('\n');
    for (SpeedRecord record : records) {
      text.append(
          values(record).stream()
              .map(value -> "\"" + value.replace("\"", "\"\"") + "\"")
              .collect(Collectors.joining(",", "", "\n")));
    }
    return text.toString();
  }

  private static List<String> values(SpeedRecord record) {
    SpeedSubject subject = record.subject();
    SpeedTest test = record.test();
    boolean prefill =
        switch (test.kind()) {
          case PREFILL -> true;
          case DECODE -> false;
        };
    return List.of(
        subject.engine(),
        subject.version(),
        record.commit(),
        record.machine().cpu(),
        Integer.toString(record.machine().cores()),
        Long.toString(record.machine().memoryBytes()),
        record.machine().os(),
        Integer.toString(record.vectorBits()),
        record.machine().jvm(),
        String.join(" ", record.machine().jvmFlags()),
        subject.model(),
        subject.quantization(),
        number("%.4f", subject.bitsPerWeight()),
        number("%.4f", subject.touchedBitsPerWeight()),
        Long.toString(subject.weights()),
        Long.toString(subject.touchedWeights()),
        Long.toString(subject.touchedBytes()),
        subject.quality(),
        Integer.toString(subject.threads()),
        record.testName(),
        Integer.toString(prefill ? test.tokens() : 0),
        Integer.toString(prefill ? 0 : test.tokens()),
        Integer.toString(test.depth()),
        number("%.4f", record.mean()),
        number("%.4f", record.deviation()),
        number("%.4f", record.median()),
        record.samples().stream()
            .map(sample -> number("%.4f", sample))
            .collect(Collectors.joining(" ")),
        number("%.0f", record.cost().operations()),
        number("%.0f", record.cost().bytes()),
        number("%.1f", record.ceilings().readOne()),
        number("%.1f", record.ceilings().readAll()),
        number("%.1f", record.ceilings().operationsOne()),
        number("%.1f", record.ceilings().operationsAll()),
        record.allocatedPerToken().isPresent()
            ? number("%.0f", record.allocatedPerToken().getAsDouble())
            : "",
        record.warmUp(),
        record.command());
  }

  private static String number(String format, double value) {
    return String.format(Locale.ROOT, format, value);
  }
}
