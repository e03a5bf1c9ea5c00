package dev.quern.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.format.Json;
import dev.quern.model.Golden;
import dev.quern.model.GoldenModel;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/** {@code quern inspect} on every kind of input. */
class InspectTest {
  private static final Path MODEL = Golden.TINY_MOE.resolve("model");
  private static final Path PUBLISHED = Path.of("src", "test", "resources", "published");

  @TempDir private Path temp;

  /** What one call printed and returned. */
  private record Run(int code, String out, String err) {
    void refused(int expectedCode, String fragment) {
      assertEquals(expectedCode, code, err);
      assertEquals("", out);
      assertTrue(err.startsWith("error: "), err);
      assertTrue(err.contains(fragment), err);
      assertFalse(err.contains("\tat "), err);
      if (expectedCode == 1) {
        assertEquals(1, err.lines().count(), err);
      }
    }

    JsonNode json() throws IOException {
      assertEquals(0, code, err);
      return Json.parse(Path.of("output"), out.getBytes(StandardCharsets.UTF_8));
    }
  }

  private static Run inspect(Path path, String... options) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    String[] args =
        Stream.concat(Stream.of("inspect", path.toString()), Stream.of(options))
            .toArray(String[]::new);
    int code =
        Main.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err)).execute(args);
    return new Run(code, out.toString(), err.toString());
  }

  static List<String> families() throws IOException {
    return GoldenModel.families();
  }

  @Test
  void theSmallModelIsCounted() throws IOException {
    JsonNode model = inspect(MODEL, "--json").json();
    assertEquals(632, model.get("tensors").size());
    assertEquals(632, model.get("types").get("BF16").asInt());
    assertEquals(11_718_656, model.get("parameters").asLong());
    assertEquals(3_461_120, model.get("activeParameters").asLong());
    assertEquals(23_437_312, model.get("bytes").asLong());
    assertEquals(16, model.get("bitsPerWeight").asDouble());
    assertEquals("byte-level BPE (tokenizer.json)", model.get("tokenizer").asString());
    assertEquals(512, model.get("memory").get("context").asInt());
    // 6 layers, 2 heads of 64 for keys and as many for values, float16.
    assertEquals(6 * 2 * 2 * 64 * 2, model.get("memory").get("cachePerToken").asInt());
    JsonNode asItIs = model.get("variants").get(0);
    assertTrue(asItIs.get("convertBits").isNull());
    assertEquals(23_437_312, asItIs.get("bytes").asLong());
    assertEquals(6 * 32 * 3 * 64 * 256 * 2, asItIs.get("expertBytes").asLong());
    assertEquals(4, model.get("variants").get(1).get("convertBits").asInt());
  }

  @Test
  void aTokenReadsWhatTheModelSaysItReads() throws IOException {
    long expected;
    try (Model model = Model.open(MODEL, new ModelOptions(1))) {
      expected = model.bytesTouchedPerToken().values().stream().mapToLong(Long::longValue).sum();
    }
    JsonNode asItIs = inspect(MODEL, "--json").json().get("variants").get(0);
    assertEquals(expected, asItIs.get("readPerToken").asLong());
  }

  @Test
  void theFirstScreenSaysTheSame() {
    Run run = inspect(MODEL, "--memory", "220m", "--context", "100");
    assertEquals(0, run.code, run.err);
    for (String part :
        List.of(
            "qwen3_moe, Hugging Face folder, BF16 632",
            "11.7 M in total, 3.46 M active per token",
            "6: 6 full attention; 6 with experts",
            "4 of 32 per token; size 64; softmax",
            "byte-level BPE",
            "convert --bits 3",
            "in 220 MB of memory",
            "100 tokens, 3072 bytes each",
            "everything")) {
      assertTrue(run.out.contains(part), part + " in\n" + run.out);
    }
    assertTrue(run.out.lines().allMatch(line -> line.length() <= 132), run.out);
  }

  @Test
  void tensorsAreListedWhenAskedFor() {
    Run all = inspect(MODEL, "--tensors");
    assertEquals(633, all.out.lines().count());
    assertTrue(all.out.contains("632 tensors, 11718656 weights, 23437312 bytes"), all.out);
    Run some = inspect(MODEL, "--contains", "layers.3.mlp.gate.");
    assertEquals(2, some.out.lines().count(), some.out);
    assertTrue(some.out.contains("[32, 256]"), some.out);
    Run file = inspect(MODEL.resolve("model-00001-of-00002.safetensors"));
    assertEquals(0, file.code, file.err);
    assertTrue(file.out.contains("bits per weight"), file.out);
  }

  /** The memory that is missing decides; each amount is one byte from the next answer. */
  @Test
  void aBudgetHoldsEverythingOrSomeExpertsOrNothing() throws IOException {
    JsonNode asItIs = inspect(MODEL, "--json").json().get("variants").get(0);
    long runs = asItIs.get("runs").asLong();
    long expert = asItIs.get("expertBytes").asLong() / (6 * 32);
    long predictor = 6 * 32 * 256 * Float.BYTES; // the routers, where experts are read
    assertEquals("everything", fit(runs).get("fits").asString());
    JsonNode some = fit(runs - 1);
    assertEquals("some_experts", some.get("fits").asString());
    assertEquals((192 * expert - 1 - predictor) / expert, some.get("experts").asInt());
    assertEquals(192, some.get("ofExperts").asInt());
    long least = runs - 188 * expert + predictor;
    assertEquals(4, fit(least).get("experts").asInt());
    JsonNode nothing = fit(least - 1);
    assertEquals("nothing", nothing.get("fits").asString());
    assertEquals(least, nothing.get("needed").asLong());
  }

  private static JsonNode fit(long budget) throws IOException {
    return inspect(MODEL, "--json", "--memory", Long.toString(budget))
        .json()
        .get("variants")
        .get(0)
        .get("fit");
  }

  /** Publishers count an embedding's table, a head, both or neither as active: see the README. */
  @ParameterizedTest
  @CsvSource({
    "qwen3-30b-a3b, 30.5, 3.3, both",
    "gpt-oss-20b, 20.9, 3.6, head",
    "deepseek-v2-lite, 15.7, 2.4, head",
    "mixtral-8x7b, 46.7, 12.9, both",
    "glm-4.5-air, 106, 12, neither",
    "qwen3-next-80b-a3b, 80, 3, neither",
  })
  void publishedModelsHaveTheirPublishedSizes(
      String name, String total, String active, String counted) throws IOException {
    JsonNode model = inspect(PUBLISHED.resolve(name + ".json"), "--json").json();
    assertEquals("configuration", model.get("form").asString());
    assertFalse(model.has("tensors"));
    JsonNode config = model.get("config");
    long table = config.get("vocabSize").asLong() * config.get("hiddenSize").asLong();
    long found =
        switch (counted) {
          case "both" -> model.get("activeParameters").asLong();
          case "head" -> model.get("activeWithoutEmbedding").asLong();
          default -> model.get("activeWithoutEmbedding").asLong() - table;
        };
    assertPublished(total, model.get("parameters").asLong());
    assertPublished(active, found);
  }

  /** Some figures are rounded, some cut: within one unit of the last digit, from 0.5 below. */
  private static void assertPublished(String billions, long found) {
    double unit = billions.contains(".") ? 0.1 : 1;
    double difference = found / 1e9 - Double.parseDouble(billions);
    assertTrue(difference >= -unit / 2 && difference < unit, billions + " B, found " + found);
  }

  @Test
  void aConfigurationAloneIsEnough() throws IOException {
    Path source = PUBLISHED.resolve("gpt-oss-20b.json");
    Files.copy(source, temp.resolve("config.json"));
    Run folder = inspect(temp);
    assertEquals(0, folder.code, folder.err);
    assertTrue(folder.out.contains("weights absent"), folder.out);
    assertTrue(folder.out.contains("12 sliding window 128, 12 full attention"), folder.out);
    assertEquals(inspect(source).out, folder.out);
    inspect(temp, "--tensors").refused(1, "0 such files");
  }

  @ParameterizedTest
  @MethodSource("families")
  void aFolderAndItsGgufAreTheSameModel(String family) throws IOException {
    JsonNode folder = inspect(GoldenModel.folder(family), "--json").json();
    JsonNode gguf = inspect(GoldenModel.gguf(family), "--json").json();
    assertEquals("folder", folder.get("form").asString());
    assertEquals("gguf", gguf.get("form").asString());
    for (String key :
        List.of("parameters", "activeParameters", "numLayers", "numExperts", "topK", "memory")) {
      assertEquals(folder.get(key), gguf.get(key), key);
    }
    long inFiles = 0;
    for (JsonNode tensor : folder.get("tensors")) {
      inFiles += tensor.get("bytes").asLong();
    }
    long aside = 0;
    for (JsonNode part : folder.get("leftAside")) {
      aside += part.get("bytes").asLong();
    }
    assertEquals(
        inFiles - aside, folder.get("variants").get(0).get("bytes").asLong(), 0.02 * inFiles);
    if (folder.get("numExperts").asInt() == 0) {
      assertEquals(1, folder.get("variants").size());
    } else {
      // Nothing but the experts changes, and those of both files are the same matrices.
      assertEquals(4, folder.get("variants").size());
      for (int i = 1; i < 4; i++) {
        assertEquals(
            folder.get("variants").get(i).get("expertBytes"),
            gguf.get("variants").get(i).get("expertBytes"));
      }
    }
  }

  @Test
  void aTensorIsDumpedAsItsFileHasIt() throws IOException {
    Path out = temp.resolve("router.npy");
    Run run = inspect(MODEL, "--dump", "layers.3.router", "--out", out.toString());
    assertEquals(0, run.code, run.err);
    assertEquals(32 * 256, Golden.npy(out).length);
    Path norm = temp.resolve("norm.npy");
    Path folder = GoldenModel.folder("qwen3_next");
    assertEquals(0, inspect(folder, "--dump", "norm.final", "--out", norm.toString()).code);
    Path other = temp.resolve("other.npy");
    Path gguf = GoldenModel.gguf("qwen3_next");
    assertEquals(0, inspect(gguf, "--dump", "norm.final", "--out", other.toString()).code);
    assertArrayEquals(Golden.npy(norm), Golden.npy(other));
    inspect(MODEL, "--dump", "layers.3.ruter", "--out", out.toString())
        .refused(1, "nearest is 'layers.3.router'");
    inspect(MODEL, "--dump", "norm.final").refused(2, "--out");
    inspect(MODEL, "--dump", "a", "--dump", "b", "--out", out.toString()).refused(2, "a folder");
  }

  @Test
  void badInputIsOneLine() throws IOException {
    inspect(Path.of("/no/such")).refused(1, "no such file");
    inspect(temp).refused(1, "neither config.json nor quern.json");
    inspect(MODEL, "--context", "513").refused(1, "expected 1 to 512");
    inspect(MODEL, "--memory", "lots").refused(2, "such as 6g");
    inspect(MODEL, "--memory", "0").refused(2, "such as 6g");
    Path text = Files.writeString(temp.resolve("notes.txt"), "no tensors here");
    inspect(text).refused(1, "Is it safetensors");
    inspect(MODEL.resolve("tokenizer.json")).refused(1, "model_type");
    byte[] gguf = Files.readAllBytes(GoldenModel.gguf("llama"));
    for (int length : new int[] {4, 24, 1000, gguf.length - 1}) {
      Path cut = Files.write(temp.resolve("cut.gguf"), Arrays.copyOf(gguf, length));
      inspect(cut).refused(1, "cut.gguf");
      inspect(cut, "--tensors").refused(1, "cut.gguf");
    }
  }

  /** Nothing is counted one by one that only a configuration claims to be there. */
  @Test
  void aConfigurationMayClaimAnything() throws IOException {
    String config = Files.readString(PUBLISHED.resolve("mixtral-8x7b.json"));
    String many =
        config
            .replace("\"num_hidden_layers\": 32", "\"num_hidden_layers\": 10000")
            .replace("\"num_local_experts\": 8", "\"num_local_experts\": 100000");
    Path file = Files.writeString(temp.resolve("many.json"), many);
    Run run = assertTimeoutPreemptively(Duration.ofSeconds(30), () -> inspect(file));
    assertEquals(0, run.code, run.err);
    assertTrue(run.out.contains("2 of 100000 per token"), run.out);
    String wide = many.replace("\"hidden_size\": 4096", "\"hidden_size\": 16777216");
    inspect(Files.writeString(file, wide.replace("14336", "16777216"))).refused(1, "beyond 2^63");
  }

  @Test
  void aFolderThatIsDamagedIsOneLine() throws IOException {
    for (String name : List.of("config.json", "model.safetensors")) {
      Files.copy(GoldenModel.folder("qwen3").resolve(name), temp.resolve(name));
    }
    Path weights = temp.resolve("model.safetensors");
    byte[] whole = Files.readAllBytes(weights);
    for (int length : new int[] {0, 7, 100, whole.length - 1}) {
      Files.write(weights, Arrays.copyOf(whole, length));
      inspect(temp).refused(1, "model.safetensors, ");
      inspect(temp, "--tensors").refused(1, "model.safetensors, ");
    }
    Files.writeString(temp.resolve("quern.json"), "{}");
    inspect(temp).refused(1, "quern.json");
    inspect(temp, "--tensors").refused(1, "quern.json");
  }

  @Test
  void theTensorsOfAnUnknownFamilyAreListed() throws IOException {
    Path folder = GoldenModel.folder("llama");
    Files.copy(folder.resolve("model.safetensors"), temp.resolve("model.safetensors"));
    String config = Files.readString(folder.resolve("config.json"));
    Files.writeString(
        temp.resolve("config.json"),
        config.replace("\"model_type\": \"llama\"", "\"model_type\": \"lama\""));
    inspect(temp).refused(1, "inspect --tensors lists its tensors");
    Run list = inspect(temp, "--tensors");
    assertEquals(0, list.code, list.err);
    assertTrue(list.out.contains("bits per weight"), list.out);
    assertTrue(inspect(temp, "--tensors", "--json").json().get("tensors").size() > 10);
    Path gguf = Path.of("src", "test", "resources", "golden", "gguf-types", "Q4_K.gguf");
    inspect(gguf).refused(1, "inspect --tensors lists its tensors");
    assertTrue(inspect(gguf, "--tensors").out.contains("Q4_K"));
  }
}
