package dev.quern.bench.cli;

import dev.quern.bench.report.QjlVerdict;
import dev.quern.bench.report.ReportWriter;
import dev.quern.bench.report.Results;
import dev.quern.bench.report.ResultsParquet;
import dev.quern.bench.report.ResultsTable;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;

/** What evaluate, report and demo leave behind. */
final class ReportFolder {
  private ReportFolder() {}

  /** Writes results.json, Parquet, charts and page, and says where. */
  static void write(Results results, Path folder, PrintWriter out) throws IOException {
    Path page = ReportWriter.write(results, folder);
    ResultsParquet.write(results, folder);
    out.println("report: " + page);
    out.flush();
  }

  /** The table and the verdict on QJL. */
  static void print(Results results, PrintWriter out) {
    out.print(ResultsTable.text(results));
    List<String> verdict = QjlVerdict.sentences(results);
    if (!verdict.isEmpty()) {
      out.println();
      verdict.forEach(out::println);
    }
    out.println();
    out.flush();
  }
}
