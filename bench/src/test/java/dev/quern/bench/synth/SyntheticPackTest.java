package dev.quern.bench.synth;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.bench.speed.SpeedCost;
import dev.quern.converter.quantize.Tables;
import dev.quern.format.PackManifest;
import dev.quern.kernels.TileLayout;
import dev.quern.model.HuggingFaceConfig;
import dev.quern.model.Model;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelOptions;
import dev.quern.model.Session;
import dev.quern.model.WeightSizes;
import dev.quern.quant.QuantScheme;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SyntheticPackTest {
  private static final Path TINY = Path.of("../runtime/src/test/resources/golden/arch");

  @TempDir private Path folder;

  private static ModelConfig tiny(String family) throws IOException {
    return HuggingFaceConfig.read(TINY.resolve(family).resolve("hf/config.json"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "qwen3_moe",
        "gpt_oss",
        "mixtral",
        "qwen3_next",
        "deepseek_v2",
        "deepseek_v3",
        "glm4_moe"
      })
  void everyFamilyDecodesFiniteLogits(String family) throws IOException {
    ModelConfig config = tiny(family);
    SyntheticPack synthetic = new SyntheticPack(config, PackCache.everything(3), 1);
    List<Long> told = new ArrayList<>();
    synthetic.write(folder, family, told::add);
    assertEquals(synthetic.bytes(), told.getLast());
    try (Model model = Model.open(folder, new ModelOptions(1));
        Session session = model.newSession(16)) {
      assertEquals(config, model.config());
      float[] first = session.append(new int[] {3, 1, 4, 1, 5}).clone();
      float[] second = session.append(new int[] {9}).clone();
      double squares = 0;
      for (float logit : second) {
        assertTrue(Float.isFinite(logit), "logit " + logit);
        squares += logit * logit;
      }
      // An input with a mean square of 1 and weights with one of 1/n give outputs with one of 1.
      assertEquals(1, squares / second.length, 0.5);
      assertFalse(Arrays.equals(first, second));
    }
  }

  @Test
  void sixteenBitsAreBf16() throws IOException {
    ModelConfig config = tiny("qwen3_moe");
    new SyntheticPack(config, PackCache.everything(16), 1).write(folder, "tiny", bytes -> {});
    try (Model model = Model.open(folder, new ModelOptions(1));
        Session session = model.newSession(4)) {
      assertEquals(16, WeightSizes.of(model.source()).expertBitsPerWeight(), 0.5);
      for (float logit : session.append(new int[] {1, 2})) {
        assertTrue(Float.isFinite(logit));
      }
    }
  }

  @Test
  void indicesOccurAsOftenAsInNormalWeights() throws IOException {
    QuantScheme scheme = QuantScheme.turbo(2);
    int rows = 512;
    int cols = 256;
    int[] counts = new int[4];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment packed = arena.allocate(scheme.bytes(rows, cols), TileLayout.ALIGNMENT);
      new PackedPool(scheme, cols, rows * cols, 7, arena).fill(rows, 99, packed);
      TileLayout layout = scheme.layout(rows, cols);
      for (long block = 0; block < layout.factorOffset(); block += layout.blockBytes()) {
        for (long at = layout.scaleBytes(); at < layout.blockBytes(); at++) {
          int fields = packed.get(ValueLayout.JAVA_BYTE, block + at);
          for (int shift = 0; shift < Byte.SIZE; shift += 2) {
            counts[fields >>> shift & 3]++;
          }
        }
      }
    }
    assertEquals(4, Tables.of(scheme).codebook().length);
    double all = rows * cols;
    // Lloyd–Max for the unit normal, 2 bits: the boundary is 0.98 deviations, the tails hold 16 %.
    // With scales chosen per group of 16 the figure moves by a few hundredths.
    assertEquals(0.16, counts[0] / all, 0.04);
    assertEquals(0.34, counts[1] / all, 0.04);
    assertEquals(counts[0] / all, counts[3] / all, 0.01);
    assertEquals(counts[1] / all, counts[2] / all, 0.01);
  }

  @Test
  void aPackIsWrittenOnceAndNeverHalf() throws IOException {
    List<String> lines = new ArrayList<>();
    PackCache cache = new PackCache(folder, lines::add);
    OptionalInt one = OptionalInt.of(1);
    OptionalInt vocabulary = OptionalInt.of(512);
    String name = "deepseek-v2-lite-layers1-vocab512-2bit-v" + PackManifest.FORMAT_VERSION;
    Path part = folder.resolve(name + ".part");
    Files.createDirectories(part);
    Files.writeString(part.resolve("dense.safetensors"), "of a run that was killed");
    Path pack = cache.pack(PublishedModel.DEEPSEEK_V2_LITE, one, vocabulary, 2);
    assertFalse(Files.exists(part));
    assertTrue(lines.getFirst().startsWith("writing "), lines.toString());
    byte[] manifest = Files.readAllBytes(pack.resolve(PackManifest.NAME));
    lines.clear();

    assertEquals(pack, cache.pack(PublishedModel.DEEPSEEK_V2_LITE, one, vocabulary, 2));
    assertEquals(List.of(), lines);
    assertArrayEquals(manifest, Files.readAllBytes(pack.resolve(PackManifest.NAME)));
    Path other = cache.pack(PublishedModel.DEEPSEEK_V2_LITE, one, vocabulary, 3);
    assertNotEquals(pack, other);
    try (Stream<Path> left = Files.list(folder)) {
      assertEquals(0, left.filter(path -> path.toString().endsWith(".part")).count());
    }
  }

  @Test
  void publishedModelsHaveTheirPublishersParameters() throws IOException {
    assertBillions(30.5, PublishedModel.QWEN3_30B_A3B.config().totalParameters());
    assertBillions(3.3, PublishedModel.QWEN3_30B_A3B.config().activeParameters());
    assertBillions(20.9, PublishedModel.GPT_OSS_20B.config().totalParameters());
    assertBillions(116.8, PublishedModel.GPT_OSS_120B.config().totalParameters());
    assertBillions(46.7, PublishedModel.MIXTRAL_8X7B.config().totalParameters());
    assertBillions(12.9, PublishedModel.MIXTRAL_8X7B.config().activeParameters());
    assertBillions(80, PublishedModel.QWEN3_NEXT_80B_A3B.config().totalParameters());
    assertBillions(15.7, PublishedModel.DEEPSEEK_V2_LITE.config().totalParameters());
    assertBillions(1026, PublishedModel.KIMI_K2.config().totalParameters());
    assertBillions(106, PublishedModel.GLM_4_5_AIR.config().totalParameters());
  }

  /** Their publishers leave the embedding out of the active parameters. */
  @Test
  void aTokenTouchesOneRowOfTheEmbedding() throws IOException {
    assertBillions(3.6, SpeedCost.touchedWeights(PublishedModel.GPT_OSS_20B.config()));
    assertBillions(5.1, SpeedCost.touchedWeights(PublishedModel.GPT_OSS_120B.config()));
    assertBillions(2.4, SpeedCost.touchedWeights(PublishedModel.DEEPSEEK_V2_LITE.config()));
  }

  private static void assertBillions(double expected, long found) {
    assertEquals(expected, found / 1e9, 0.025 * expected); // they round to two digits
  }

  @Test
  void everyModelHasItsName() {
    for (PublishedModel model : PublishedModel.values()) {
      assertEquals(model, PublishedModel.named(model.label()));
    }
  }

  @Test
  void unknownModelsAreNamed() {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> PublishedModel.named("qwen9"));
    assertTrue(e.getMessage().contains("glm-4.5-air"), e.getMessage());
  }
}
