package dev.quern.bench.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.bench.report.Results;
import dev.quern.bench.report.ResultsFile;
import dev.quern.bench.report.VariantResult;
import dev.quern.cli.Main;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CommandsTest {
  private static final String MODEL = "../datasets/tiny-moe/model";

  @TempDir private Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... arguments) {
    return Main.commandLine()
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(arguments);
  }

  private void assertOneLine(String expected) {
    String text = err.toString();
    assertTrue(text.startsWith("error: ") && text.contains(expected), text);
    assertEquals(1, text.lines().count(), text);
  }

  @Test
  void theDemoConvertsTellsMeasuresAndReports() throws IOException {
    Path demo = folder.resolve("demo");
    assertEquals(0, run("demo", "--out", demo.toString(), "--num-samples", "1"), err.toString());
    Results results = ResultsFile.read(demo.resolve(ResultsFile.NAME));
    assertEquals(1 + 3 * 4, results.variants().size()); // the original; 3 widths by 4 methods
    assertEquals(List.of("turbo", "turbo-rms", "affine", "turbo+qjl"), results.methods());
    assertTrue(out.toString().contains("Once upon a time"), out.toString());
    for (String file : List.of("report.html", "results.parquet", "loss.png", "loss.svg")) {
      assertTrue(Files.size(demo.resolve(file)) > 0, file);
    }
    for (VariantResult variant : results.variants()) {
      assertTrue(out.toString().contains(variant.label()), variant.label());
    }

    Path again = folder.resolve("again");
    String json = demo.resolve(ResultsFile.NAME).toString();
    assertEquals(0, run("report", "--results", json, "--out", again.toString()), err.toString());
    assertEquals(results, ResultsFile.read(again.resolve(ResultsFile.NAME)));
    assertEquals(
        Files.readString(demo.resolve("report.html")),
        Files.readString(again.resolve("report.html")));
  }

  @Test
  void resultsThatAreMissingAreOneLine() {
    assertEquals(1, run("report", "--results", "none.json", "--out", folder.toString()));
    assertOneLine("none.json");
  }

  @Test
  void widthsThatCannotBeEvaluatedAreWrongUsage() {
    assertEquals(2, run("evaluate", "--model", MODEL, "--bits", "7"));
    assertTrue(err.toString().contains("expected 2, 3 or 4, found 7"), err.toString());
  }

  @Test
  void whatCannotBeEvaluatedIsOneLine() throws IOException {
    String packs = folder.resolve("out").toString();
    assertEquals(1, run("evaluate", "--model", "nowhere", "--dataset", MODEL, "--out", packs));
    assertOneLine("nowhere");
    err.getBuffer().setLength(0);

    Path empty = Files.createDirectory(folder.resolve("texts"));
    assertEquals(
        1, run("evaluate", "--model", MODEL, "--dataset", empty.toString(), "--out", packs));
    assertOneLine("no text");
    err.getBuffer().setLength(0);

    assertEquals(1, run("evaluate", "--model", MODEL, "--seq-len", "4096", "--out", packs));
    assertOneLine("context is 512");
  }
}
