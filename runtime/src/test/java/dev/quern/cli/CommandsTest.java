package dev.quern.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.format.Json;
import dev.quern.model.Golden;
import dev.quern.model.GoldenModel;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** The commands as a user calls them, in-process. */
class CommandsTest {
  private static final String MODEL = Golden.TINY_MOE.resolve("model").toString();

  @TempDir private Path temp;

  /** What one call printed and returned. */
  private record Run(int code, String out, String err) {
    void refused(int expectedCode, String fragment) {
      assertEquals(expectedCode, code, err);
      assertEquals("", out);
      assertTrue(err.startsWith("error: "), err);
      assertTrue(err.contains(fragment), err);
      assertFalse(err.contains("\tat "), err);
    }
  }

  private static Run quern(String... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int code =
        Main.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err)).execute(args);
    return new Run(code, out.toString(), err.toString());
  }

  private static JsonNode json(String text) throws IOException {
    return Json.parse(Path.of("output"), text.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void generatePrintsTheContinuationAndNothingElse() throws IOException {
    Path golden = Golden.TINY_MOE.resolve("golden").resolve("continuations.json");
    JsonNode first = Json.read(golden, 1 << 20).get(0);
    Run run =
        quern(
            "generate",
            "--model",
            MODEL,
            "--prompt",
            first.get("prompt").asString(),
            "--max-tokens",
            "64");
    assertEquals(0, run.code, run.err);
    assertEquals(first.get("continuation").asString(), run.out);
    assertTrue(run.err.contains("tokens/s"), run.err);
  }

  @Test
  void generateStopsAndReportsAsJson() throws IOException {
    Run run =
        quern(
            "generate",
            "--model",
            MODEL,
            "--prompt",
            "Once upon a time",
            "--stop",
            "had",
            "--json",
            "--threads",
            "1");
    assertEquals(0, run.code, run.err);
    JsonNode result = json(run.out);
    assertEquals(" a man was borne by a man who ", result.get("text").asString());
    assertEquals("stop_string", result.get("finish").asString());
    assertEquals(4, result.get("promptTokens").asInt());
  }

  @Test
  void theSameSeedWritesTheSameText() {
    String[] args = {
      "generate",
      "--model",
      MODEL,
      "--prompt",
      "The fox",
      "--chat",
      "--system",
      "Be brief.",
      "--temperature",
      "1",
      "--top-k",
      "50",
      "--seed",
      "5",
      "--max-tokens",
      "12"
    };
    Run first = quern(args);
    assertEquals(0, first.code, first.err);
    assertFalse(first.out.isEmpty());
    assertEquals(first.out, quern(args).out);
    args[13] = "6";
    assertFalse(first.out.equals(quern(args).out), first.out);
  }

  /** A template of its own makes the prompt visible: its tokens are counted. */
  @Test
  void chatOptionsReachTheTemplate() throws IOException {
    Path model = copyOfModel();
    Path tools = Files.writeString(temp.resolve("tools.json"), "[{\"name\": \"f\"}]");
    Path template = model.resolve("chat_template.jinja");
    String[] args = {
      "generate",
      "--model",
      model.toString(),
      "--prompt",
      "hi",
      "--max-tokens",
      "1",
      "--chat",
      "--tools",
      tools.toString(),
      "--thinking",
      "off",
      "--template-var",
      "effort=high",
      "--template-var",
      "budget=3"
    };
    Files.writeString(
        template,
        "{% if tools[0].name == 'f' and enable_thinking is false and thinking is false and effort =="
            + " 'high' and budget == 3 %}{{ messages[0].content }}{% else %}{{ raise_exception("
            + "'tools: ' ~ tools ~ ', effort: ' ~ effort ~ ', budget: ' ~ budget) }}{% endif %}");
    Run run = quern(args);
    assertEquals(0, run.code, run.err);
    args[args.length - 1] = "budget=[4]";
    quern(args).refused(1, "line 1: the template refuses: tools: [{'name': 'f'}], effort: high");

    Files.writeString(template, "{{ messages[0].content }}");
    for (String[] option :
        new String[][] {
          {"--tools", tools.toString()}, {"--thinking", "on"}, {"--template-var", "effort=low"}
        }) {
      quern("generate", "--model", model.toString(), "--prompt", "a", option[0], option[1])
          .refused(2, option[0] + " needs --chat");
      quern(
              "generate",
              "--model",
              model.toString(),
              "--prompt",
              "a",
              "--chat",
              option[0],
              option[1])
          .refused(1, option[0] + ": the chat template of this model does not use");
    }
    Files.writeString(template, "{{ tools }}");
    Files.writeString(tools, "{}");
    quern(args).refused(1, "expected a JSON array of objects");
    Files.delete(template);
    Files.writeString(model.resolve("tokenizer_config.json"), "{}");
    quern("generate", "--model", model.toString(), "--prompt", "a", "--chat")
        .refused(1, "the model has no chat template");
  }

  private Path copyOfModel() throws IOException {
    Path copy = Files.createDirectory(temp.resolve("model"));
    try (var files = Files.list(Path.of(MODEL))) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(file.getFileName()));
      }
    }
    return copy;
  }

  @Test
  void badInputOfGenerateIsOneLine() throws IOException {
    quern("generate", "--model", MODEL, "--prompt", "").refused(1, "the prompt is empty");
    quern("generate", "--model", "/no/such", "--prompt", "a").refused(1, "/no/such: no such file");
    quern("generate", "--prompt", "a").refused(2, "--model");
    quern("generate", "--model", MODEL, "--prompt", "a", "--system", "b").refused(2, "--chat");
    quern("generate", "--model", MODEL, "--prompt", "a", "--top-p", "2").refused(1, "top-p");
    quern("generate", "--model", MODEL, "--prompt", "a", "--threads", "0").refused(1, "threads");
    quern("generate", "--model", MODEL, "--prompt", "word ".repeat(600)).refused(1, "context");
    quern("generate", "--model", temp.toString(), "--prompt", "a").refused(1, "neither");
    Files.writeString(temp.resolve("config.json"), "{\"model_type\": \"qwen3_mo\"}");
    quern("generate", "--model", temp.toString(), "--prompt", "a")
        .refused(1, "nearest is 'qwen3_moe'");
  }

  @ParameterizedTest
  @CsvSource({
    "--io, ' direct'",
    "--cache, ' lru'",
    "--prefetch, ' none'",
    "--speculate, ''",
    "--readers, ' 2'",
    "--no-checksums, ''",
    "--no-memory-watch, ''",
    "--prefill resident, ''",
    "--profile load, =FILE",
    "--skip-missing, ''",
    "--stand-in-bits, ' 2'"
  })
  void optionsOfStreamingAreRefusedWithoutIt(String option, String value) {
    generate(option + value).refused(2, option + " needs --memory");
  }

  @Test
  void speculationWithoutPredictionsIsRefused() {
    generate("--memory 6g --speculate --prefetch none").refused(2, "--speculate needs predictions");
  }

  private static Run generate(String options) {
    List<String> args = new ArrayList<>(List.of("generate", "--model", MODEL, "--prompt", "a"));
    args.addAll(List.of(options.split(" ")));
    return quern(args.toArray(String[]::new));
  }

  @Test
  void moreTokensThanAnyContextAreNoOverflow() {
    generate("--memory 6g --max-tokens 2147483647").refused(1, "packs with experts only");
  }

  @Test
  void aProfileOfADenseModelIsRefusedBeforeTheText() throws IOException {
    Path profile = temp.resolve("profile.json");
    String model = GoldenModel.folder("llama").toString();
    String use = "save=" + profile;
    quern("generate", "--model", model, "--prompt", "a", "--profile", use).refused(1, "no experts");
    assertFalse(Files.exists(profile));
  }

  @Test
  void logitsAreTheGoldenOnes() throws IOException {
    Path golden = Golden.TINY_MOE.resolve("golden");
    JsonNode prompt = Json.read(golden.resolve("logits.json"), 1 << 20).get(1);
    int[] ids = new int[prompt.get("ids").size()];
    Arrays.setAll(ids, i -> prompt.get("ids").get(i).asInt());
    Path out = temp.resolve("logits.npy");
    String list = Arrays.toString(ids).replaceAll("[\\[\\] ]", "");
    String to = out.toString();
    Run run = quern("logits", "--model", MODEL, "--ids", list, "--kv-type", "f32", "--out", to);
    assertEquals(0, run.code, run.err);
    float[] expected = Golden.npy(golden.resolve(prompt.get("file").asString()));
    assertArrayEquals(expected, Golden.npy(out), 2e-4f);
  }

  @Test
  void badInputOfLogitsLeavesNoFile() throws IOException {
    Path out = temp.resolve("logits.npy");
    String[] args = {"logits", "--model", MODEL, "--ids", "1,4096", "--out", out.toString()};
    quern(args).refused(1, "token id: expected 0 to 4095, found 4096");
    args[4] = "1,x";
    quern(args).refused(2, "'x' is not an int");
    args[4] = "1" + ",1".repeat(512);
    quern(args).refused(1, "context of 512");
    try (var files = Files.list(temp)) {
      assertEquals(0, files.count());
    }
  }

  @Test
  void tokenizePrintsIds() {
    Run run = quern("tokenize", "--model", MODEL, "Once upon a time");
    assertEquals("[2713, 711, 258, 531]", run.out.strip());
    quern("tokenize", "--model", temp.toString(), "a").refused(1, "tokenizer.json");
  }

  @Test
  void everyKindOfModelIsRunAndTokenized() throws IOException {
    Path folder = GoldenModel.folder("mixtral");
    Path gguf = GoldenModel.gguf("mixtral");
    Path[] outs = {temp.resolve("folder.npy"), temp.resolve("gguf.npy")};
    assertEquals(0, logits(folder, outs[0]).code);
    assertEquals(0, logits(gguf, outs[1]).code);
    assertArrayEquals(Golden.npy(outs[0]), Golden.npy(outs[1]), 1e-4f);
    Run tokens = quern("tokenize", "--model", folder.toString(), "the cat");
    assertEquals(0, tokens.code, tokens.err);
    assertEquals(tokens.out, quern("tokenize", "--model", gguf.toString(), "the cat").out);
    Files.copy(gguf, temp.resolve("tiny.gguf"));
    quern("generate", "--model", temp.toString(), "--prompt", "a").refused(1, "tiny.gguf");
    Path weights = folder.resolve("model.safetensors");
    quern("generate", "--model", weights.toString(), "--prompt", "a").refused(1, "neither");
  }

  private static Run logits(Path model, Path out) {
    return quern("logits", "--model", model.toString(), "--ids", "1,2,3", "--out", out.toString());
  }

  @Test
  void verifyNeedsAManifest() {
    quern("verify", MODEL).refused(1, "no quern.json");
    quern("verify", "/no/such").refused(1, "no such file");
    quern("verify", Path.of(MODEL, "config.json").toString()).refused(1, "not a pack");
  }

  @Test
  void wrongUsageIsExitCodeTwo() {
    quern().refused(2, "a command is missing");
    quern("genrate").refused(2, "genrate");
    assertEquals(0, quern("--help").code);
    assertTrue(quern("--version").out.startsWith("quern "));
  }
}
