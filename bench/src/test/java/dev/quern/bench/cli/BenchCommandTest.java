package dev.quern.bench.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.bench.peers.Scripts;
import dev.quern.bench.quality.Perplexity;
import dev.quern.cli.Main;
import dev.quern.format.Json;
import dev.quern.kernels.Activations;
import dev.quern.model.GoldenModel;
import dev.quern.model.ModelOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

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

  /**
   * {@code bench} of few tokens, with short warm-ups and two rounds.
   *
   * @param more options with a space between them, as a format of paths, which have none
   */
  private int bench(int prompt, int generated, String more, Object... paths) {
    String tests = "bench -p %d -n %d -r 2 -t 1 --warm-up 1 ".formatted(prompt, generated);
    return run((tests + more.formatted(paths)).split(" "));
  }

  private Path text() throws IOException {
    return Files.writeString(folder.resolve("text.txt"), "Once upon a time there was a text. ");
  }

  private static int occurrences(String text, String part) {
    return text.split(Pattern.quote(part), -1).length - 1;
  }

  @Test
  void aModelIsMeasuredAndRecorded() throws IOException {
    Path reports = folder.resolve("of/today");
    assertEquals(0, bench(4, 0, "--model %s --out %s", MODEL, reports), err.toString());
    assertTrue(out.toString().contains("| pp4 "), out.toString());
    assertTrue(out.toString().contains("perplexity not measured"), out.toString());
    for (String file : List.of("speed.json", "speed.csv", "speed-prefill.png", "roofline.svg")) {
      assertTrue(Files.size(reports.resolve(file)) > 0, file);
    }
    String json = Files.readString(reports.resolve("speed.json"));
    assertTrue(json.contains("\"testName\" : \"pp4\""), json);
    assertTrue(json.contains("\"operationsAll\""), json);
  }

  @Test
  void everyDepthIsALineOfCsvWithThePerplexity() throws IOException {
    String options = "-d 0 4 --dataset %s --windows 1 -o csv --model %s";
    assertEquals(0, bench(4, 2, options, text(), GoldenModel.folder("qwen3_moe")), err.toString());
    List<String> lines = out.toString().lines().toList();
    assertEquals(5, lines.size(), out.toString());
    List<String> tests = List.of("pp4", "tg2", "pp4 @ d4", "tg2 @ d4");
    for (int i = 0; i < tests.size(); i++) {
      assertTrue(lines.get(i + 1).contains("\"" + tests.get(i) + "\""), lines.get(i + 1));
      assertTrue(lines.get(i + 1).contains("\"perplexity "), lines.get(i + 1));
    }
  }

  @Test
  void modelsOfOneNameAndOfEqualBitsAreToldApart() throws IOException {
    Path golden = GoldenModel.folder("qwen3_moe");
    Path first = copy(golden, folder.resolve("first/model"));
    Path second = copy(golden, folder.resolve("second/model"));
    Path reports = folder.resolve("reports");
    String options = "--model %s %s -o json --out %s";
    assertEquals(0, bench(4, 0, options, first, second, reports), err.toString());
    JsonNode records = Json.parse(reports, out.toString().getBytes(StandardCharsets.UTF_8));
    assertEquals(
        List.of("" + first, "" + second),
        records.values().stream().map(r -> r.at("/subject/model").asString()).toList());
    assertTrue(Files.size(reports.resolve("roofline.png")) > 0);
  }

  private static Path copy(Path from, Path to) throws IOException {
    Files.createDirectories(to);
    try (Stream<Path> files = Files.list(from)) {
      for (Path file : files.toList()) {
        Files.copy(file, to.resolve(file.getFileName()));
      }
    }
    return to;
  }

  /** Its perplexity is that of its file, which says who computed it. */
  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aPeerIsMeasuredInTurnsWithThePerplexityOfItsWeights() throws IOException {
    Path gguf = GoldenModel.gguf("qwen3_moe");
    Path text = text();
    Path reports = folder.resolve("reports");
    Path model = GoldenModel.folder("qwen3_moe");
    Path peer = Scripts.llamaBench(folder);
    String options =
        "--model %s --dataset %s --windows 1 --peer llama.cpp=%s --peer-model %s --out %s";
    assertEquals(0, bench(0, 2, options, model, text, peer, gguf, reports), err.toString());
    ModelOptions exact = new ModelOptions(1).with(Activations.F32);
    String quality =
        String.format(
            Locale.ROOT,
            "perplexity %.3f (of its weights, computed by quern)",
            Perplexity.of(gguf, text, 1, exact));
    assertEquals(1, occurrences(out.toString(), quality), out.toString());
    assertEquals(2, occurrences(out.toString(), "| perplexity "), out.toString());
    assertTrue(out.toString().contains("| tg2 | quern qwen3_moe as stored, "), out.toString());
    assertTrue(out.toString().contains(" | llama.cpp qwen3_moe.gguf "), out.toString());
    for (String file : List.of("speed.csv", "peers.md", "peers.json", "peers.png")) {
      assertTrue(Files.size(reports.resolve(file)) > 0, file);
    }
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void ofAShapeThePeersModelIsMade() throws IOException {
    Path work = folder.resolve("work");
    Path peer = Scripts.llamaBench(folder);
    String options =
        "--like deepseek-v2-lite --layers 1 --vocab 512 --bits 2 --work %s --peer peer=%s";
    assertEquals(0, bench(0, 2, options, work, peer), err.toString());
    assertTrue(out.toString().contains("| tg2 | quern turbo 2 bits, "), out.toString());
    assertTrue(out.toString().contains(" | peer Q4_0, 4."), out.toString());
  }

  @Test
  void aPeersModelOfAnotherShapeIsOneLine() throws IOException {
    String options = "--model %s --peer peer=sh --peer-model %s";
    assertEquals(1, bench(0, 2, options, MODEL, GoldenModel.gguf("qwen3_moe")));
    assertTrue(err.toString().contains("qwen3_moe.gguf, tensors: weights: expected"), "" + err);
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
    assertUsage(
        "nothing to measure: --n-prompt 0, --n-gen 0 at depths [0]", "--like kimi-k2 -p 0 -n 0");
  }

  private void assertUsage(String expected, String options) {
    err.getBuffer().setLength(0);
    assertEquals(2, run(("bench " + options).split(" ")), err.toString());
    assertEquals("error: " + expected, err.toString().lines().findFirst().orElseThrow());
  }

  @Test
  void whatIsGivenTwiceIsWrongUsage() throws IOException {
    assertUsage("--bits: expected each once, found 3 twice", "--like kimi-k2 --bits 3 3");
    String model = "--model " + MODEL;
    assertUsage("--n-depth: expected each once, found 0 twice", model + " -d 0,0");
    String real = Path.of(MODEL).toRealPath().toString();
    assertUsage(
        "--model: expected each once, found " + real + " twice", model + " " + MODEL + "/.");
    String shape = "--like mixtral-8x7b ";
    assertUsage("--peer: expected each once, found a twice", shape + "--peer a=sh --peer a=cat");
    assertUsage(
        "--peer-types: expected each once, found Q4_K twice",
        shape + "--peer a=sh --peer-quantize sh --peer-types Q4_K Q4_K");
  }

  @Test
  void whatWouldDoNothingIsWrongUsage() {
    String model = "--model " + MODEL + " ";
    for (String option : List.of("--layers", "--vocab", "--bits", "--work")) {
      assertUsage(option + ": expected with --like, found with --model", model + option + " 4");
    }
    String shape = "--like mixtral-8x7b ";
    assertUsage("--dataset: expected with --model, found with --like", shape + "--dataset x");
    assertUsage("--windows: expected with --dataset", shape + "--windows 3");
    assertUsage("--windows: expected with --dataset", model + "--windows 3");
    assertUsage(
        "--peer-types: expected with --peer-quantize", shape + "--peer a=sh --peer-types Q4_K");
    assertUsage("--peer-timeout: expected with --peer", shape + "--peer-timeout 9");
    assertUsage(
        "--peer-quantize: expected with --like, found with --model",
        model + "--peer a=sh --peer-quantize sh");
    assertUsage("--peer: expected another name than quern's own", shape + "--peer quern=sh");
  }

  @Test
  void programsThatAreNotThereAreWrongUsageBeforeAnythingIsWritten() {
    Path work = folder.resolve("work");
    String shape = "--like mixtral-8x7b --work " + work;
    assertUsage(
        "--peer a: expected an executable file, found ~/llama-bench."
            + " After NAME= shells leave ~ alone: write $HOME",
        shape + " --peer a=~/llama-bench");
    assertUsage(
        "--peer-quantize: expected an executable file, found " + folder,
        shape + " --peer a=sh --peer-quantize " + folder);
    assertFalse(Files.exists(work));
  }

  @Test
  void theTableIsPrintedBeforeAnythingIsWritten() throws IOException {
    Files.createDirectories(folder.resolve("speed.md/in-the-way"));
    assertEquals(1, bench(4, 0, "--model %s --out %s", MODEL, folder));
    assertTrue(err.toString().contains("error: "), err.toString());
    assertTrue(out.toString().contains("| pp4 "), out.toString());
  }

  @Test
  void aFolderForResultsIsTriedBeforehandAndLeftAsItWas() throws IOException {
    Path file = text();
    assertEquals(1, bench(4, 0, "--model %s --out %s", MODEL, file));
    assertTrue(err.toString().contains(file + ": not a folder"), err.toString());
    assertFalse(err.toString().contains("tokens/s"), err.toString());
    Path kept = Files.createDirectory(folder.resolve("kept"));
    Path made = kept.resolve("a/b");
    assertEquals(1, bench(4, 0, "--model %s -d 512 --out %s", MODEL, made));
    assertTrue(err.toString().contains("--n-depth"), err.toString());
    try (Stream<Path> left = Files.list(kept)) {
      assertEquals(0, left.count());
    }
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
