package dev.quern.bench.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.cli.Main;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code quern bench cache} on traces as {@code quern collect-traces} writes them. */
class CacheCommandTest {
  private static final String MODEL = "../datasets/tiny-moe/model";

  @TempDir private Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... arguments) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    return Main.commandLine()
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(arguments);
  }

  /** Hit rates of a row. */
  private static double[] row(String table, String policy) {
    String line = table.lines().filter(l -> l.startsWith(policy + " ")).findFirst().orElseThrow();
    return Arrays.stream(line.substring(policy.length()).strip().split("\\([^)]*\\)"))
        .mapToDouble(Double::parseDouble)
        .toArray();
  }

  @Test
  void tracesAndTheModelItselfAreReplayedAlike() throws IOException {
    String text =
        Files.readString(Path.of("../datasets/tiny-moe/text/test.txt")).substring(0, 4000);
    Path file = folder.resolve("text.txt");
    Files.writeString(file, text);
    Path traces = folder.resolve("traces");
    collect(file, traces, "--continuous", "--columns", "input", "--columns", "scores");
    assertEquals(
        0,
        run("bench", "cache", "--traces", traces.toString(), "--predictors", MODEL),
        err.toString());
    String ofTraces = out.toString();
    assertEquals(
        0,
        run(
            "bench",
            "cache",
            "--model",
            MODEL,
            "--dataset",
            file.toString(),
            "--predictors",
            MODEL),
        err.toString());
    String ofModel = out.toString();
    // Inputs of traces are halved floats, and the text's end is a token more or less.
    for (String policy : List.of("lru", "forward, next router", "belady (one pool)")) {
      assertEquals(3, row(ofModel, policy).length);
      assertArrayEquals(row(ofModel, policy), row(ofTraces, policy), 0.003, policy);
    }
  }

  @Test
  void predictionsNeedInputsAndTheSameModel() throws IOException {
    Path file = folder.resolve("text.txt");
    Files.writeString(file, "The fox said to the crow: what a fine voice you have.");
    Path traces = folder.resolve("traces");
    collect(file, traces, "--columns", "scores");
    assertEquals(1, run("bench", "cache", "--traces", traces.toString(), "--predictors", MODEL));
    String last = err.toString().lines().reduce((a, b) -> b).orElseThrow();
    assertTrue(last.endsWith("Collect them with --columns input"), err.toString());
  }

  private void collect(Path text, Path traces, String... more) {
    String[] args = {
      "collect-traces", "--model", MODEL, "--dataset", text.toString(), "--out", traces.toString()
    };
    Stream<String> all =
        Stream.of(args, new String[] {"--split-name", "test"}, more).flatMap(Stream::of);
    assertEquals(0, run(all.toArray(String[]::new)), err.toString());
  }
}
