package dev.quern.bench.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.cli.Main;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PlanCommandTest {
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

  @Test
  void aModelIsPlannedUnconvertedAndAsAPack() {
    String charts = folder.resolve("charts").toString();
    assertEquals(
        0,
        run(
            "plan",
            "--model",
            MODEL,
            "--memory",
            "1g",
            "--disk-speed",
            "2g",
            "--threads",
            "1",
            "--bits",
            "3",
            "4",
            "--out",
            charts),
        err.toString());
    assertTrue(out.toString().contains("> 4"), out.toString());
    assertTrue(out.toString().contains("\n  3 "), out.toString());
    assertTrue(Files.isRegularFile(folder.resolve("charts/plan.svg")));

    String pack = folder.resolve("pack").toString();
    assertEquals(0, run("convert", "--model", MODEL, "--bits", "3", "--out", pack), err.toString());
    out.getBuffer().setLength(0);
    assertEquals(
        0, run("plan", "--model", pack, "--memory", "1g", "--threads", "1"), err.toString());
    assertTrue(out.toString().contains("192 of    192  100 %"), out.toString());
    assertTrue(
        out.toString().contains("quern generate --model " + pack + " --memory 1000m"),
        out.toString());
  }

  @Test
  void whatCannotFitIsRefusedWithTheNumbers() {
    assertEquals(
        1, run("plan", "--model", MODEL, "--memory", "100m", "--disk-speed", "1g", "--bits", "2"));
    String text = err.toString();
    assertTrue(text.startsWith("error: memory: expected at least 2"), text);
    assertTrue(text.contains("found 100 MB"), text);
    assertEquals(1, text.lines().count(), text);
  }

  @Test
  void wrongOptionsAreWrongUsage() {
    assertEquals(2, run("plan", "--model", MODEL, "--memory", "1g", "--bits", "7"));
    assertTrue(err.toString().contains("expected 2, 3 or 4"), err.toString());
    assertEquals(2, run("plan", "--model", MODEL, "--memory", "1g", "--cache", "fifo"));
    assertEquals(2, run("plan", "--model", MODEL, "--memory", "1g", "--disk-speed", "fast"));
  }
}
