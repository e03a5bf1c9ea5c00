package dev.quern.bench.cli;

import dev.quern.bench.report.Results;
import dev.quern.bench.report.ResultsFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code quern report}: draws a report again from its numbers. */
@Command(
    name = "report",
    mixinStandardHelpOptions = true,
    description = "Draw the charts and the page of a report from its results.json.")
public final class ReportCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--results",
      required = true,
      paramLabel = "FILE",
      description = "results.json of quern evaluate")
  private Path resultsFile;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "folder of the report, created if need be")
  private Path out;

  @Override
  public Integer call() throws IOException {
    PrintWriter text = spec.commandLine().getOut();
    Results results = ResultsFile.read(resultsFile);
    ReportFolder.print(results, text);
    ReportFolder.write(results, out, text);
    return 0;
  }
}
