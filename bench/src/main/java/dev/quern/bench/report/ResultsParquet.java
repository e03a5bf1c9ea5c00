package dev.quern.bench.report;

import dev.quern.converter.spark.RecordTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** The table of {@link Results} as Parquet: one row per variant, without the single samples. */
public final class ResultsParquet {
  public static final String NAME = "results.parquet";
  private static final String MASTER = "local[1]"; // a dozen rows

  private ResultsParquet() {}

  /** Writes {@link #NAME} into a folder. */
  public static void write(Results results, Path folder) throws IOException {
    List<Map<String, Object>> rows = new ArrayList<>();
    for (VariantResult v : results.variants()) {
      Map<String, Object> row = new LinkedHashMap<>();
      row.put("model", results.model().name());
      row.put("fingerprint", results.model().fingerprint());
      row.put("method", v.method());
      row.put("bits", v.bits());
      row.put("bitsPerWeight", v.bitsPerWeight());
      row.put("sizeBytes", v.sizeBytes());
      row.put("expertBytes", v.expertBytes());
      row.put("perplexity", v.perplexity());
      row.put("lnPplLoss", v.lnPplLoss());
      row.put("lnPplLossLow", v.lnPplLossLow());
      row.put("lnPplLossHigh", v.lnPplLossHigh());
      row.put("meanKld", v.meanKld());
      row.put("top1Agreement", v.top1Agreement());
      row.put("relativeMse", v.relativeMse());
      row.put("prefillTokensPerSecond", v.prefillTokensPerSecond());
      row.put("decodeTokensPerSecond", v.decodeTokensPerSecond());
      row.put("bandwidthShare", v.bandwidthShare());
      row.put("cpu", results.machine().cpu());
      row.put("commit", results.run().commit());
      row.put("date", results.run().date());
      rows.add(row);
    }
    Path scratch = Files.createTempDirectory(folder, "spark-scratch");
    try {
      RecordTable.write(MASTER, scratch, rows, folder.resolve(NAME));
    } finally {
      try (Stream<Path> files = Files.walk(scratch)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.deleteIfExists(file);
        }
      }
    }
  }
}
