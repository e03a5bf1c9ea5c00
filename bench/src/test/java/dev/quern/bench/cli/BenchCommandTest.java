package dev.quern.bench.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.cli.Main;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BenchCommandTest {
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
  void aModelIsMeasuredAndRecorded() throws IOException {
    String[] command = {
      "bench",
      "--model",
      MODEL,
      "-p",
      "8",
      "-n",
      "0",
      "-r",
      "2",
      "-t",
      "1",
      "--warm-up",
      "1",
      "--out",
      "" + folder
    };
    assertEquals(0, run(command), err.toString());
    assertTrue(out.toString().contains("| pp8 "), out.toString());
    assertTrue(out.toString().contains("perplexity not measured"), out.toString());
    for (String file : List.of("speed.json", "speed.csv", "speed-prefill.png", "roofline.svg")) {
      assertTrue(Files.size(folder.resolve(file)) > 0, file);
    }
    String json = Files.readString(folder.resolve("speed.json"));
    assertTrue(json.contains("\"testName\" : \"pp8\""), json);
    assertTrue(json.contains("\"operationsAll\""), json);
  }

  @Test
  void aContextThatIsTooLongIsOneLine() {
    assertEquals(1, run("bench", "--model", MODEL, "-p", "8", "-n", "0", "-d", "512", "-r", "1"));
    List<String> errors = err.toString().lines().filter(l -> l.startsWith("error: ")).toList();
    assertEquals(1, errors.size(), err.toString());
    assertTrue(errors.getFirst().contains("--n-depth"), errors.getFirst());
  }

  @Test
  void whatCannotBeMeasuredIsWrongUsage() {
    assertEquals(2, run("bench"));
    assertTrue(err.toString().contains("--like MODEL or --model PATH"), err.toString());
    assertEquals(2, run("bench", "--like", "qwen9"));
    assertTrue(err.toString().contains("glm-4.5-air"), err.toString());
    assertEquals(2, run("bench", "--like", "kimi-k2", "--bits", "5"));
    assertTrue(err.toString().contains("expected 2, 3, 4, 8 or 16"), err.toString());
    assertEquals(2, run("bench", "--model", MODEL, "-r", "0"));
    assertTrue(err.toString().contains("--repetitions"), err.toString());
    assertEquals(2, run("bench", "--model", MODEL, "--like", "kimi-k2"));
  }

  @Test
  void peersThatCannotRunAreWrongUsage() {
    assertEquals(2, run("bench", "--like", "qwen3-30b-a3b", "--peer", "jlama"));
    assertTrue(err.toString().contains("--peer jlama: expected --like mixtral-8x7b"), "" + err);
    assertEquals(2, run("bench", "--like", "gpt-oss-20b", "--peer", "java-llama.cpp"));
    assertTrue(err.toString().contains("found gpt-oss-20b"), "" + err);
    assertEquals(2, run("bench", "--model", MODEL, "--peer", "jlama"));
    assertTrue(err.toString().contains("expected with --like: it reads no GGUF"), "" + err);
    assertEquals(2, run("bench", "--model", MODEL, "--peer", "java-llama.cpp"));
    assertTrue(err.toString().contains("--peer: expected --peer-model or --like"), "" + err);
    assertEquals(2, run("bench", "--like", "mixtral-8x7b", "--peer", "jlana"));
    assertTrue(err.toString().contains("jlama or java-llama.cpp, found jlana"), "" + err);
    String[] nothingReadsIt = {
      "bench", "--like", "mixtral-8x7b", "--peer", "jlama", "--peer-model", "a.gguf"
    };
    assertEquals(2, run(nothingReadsIt));
    assertTrue(err.toString().contains("one that reads GGUF"), "" + err);
  }

  @Test
  void subcommandsNeedNoModel() {
    assertEquals(0, run("bench", "smoke", "--filter", "none of them"), err.toString());
    assertTrue(out.toString().contains("multiply-add in registers"), out.toString());
  }
}
