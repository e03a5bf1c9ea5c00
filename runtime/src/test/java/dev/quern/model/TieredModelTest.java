package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.quern.kernels.Activations;
import dev.quern.quant.QuantScheme;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Logits of a process that has just begun, whose kernels may change while it computes. */
@Tag("vector-width") // the build runs it at 128 and 256 bits too
class TieredModelTest {
  private static final int[] IDS = {3, 1, 69, 41, 5, 9, 2, 6, 53, 58, 0};

  @TempDir private Path temp;

  static List<String> families() throws IOException {
    return GoldenModel.families();
  }

  @ParameterizedTest
  @MethodSource("families")
  void familiesHaveTheLogitsOfVectors(String family) throws IOException {
    assertSameLogits(GoldenModel.folder(family), new ModelOptions(2));
  }

  @ParameterizedTest
  @EnumSource(Activations.class)
  void packsHaveTheLogitsOfVectors(Activations activations) throws IOException {
    for (int bits = 2; bits <= 4; bits++) {
      Path pack = Files.createDirectory(temp.resolve("pack" + bits));
      Path folder = Files.createDirectory(temp.resolve("folder" + bits));
      RandomPack.write(pack, folder, TestConfig.json().toString(), QuantScheme.turbo(bits));
      assertSameLogits(pack, new ModelOptions(2).with(activations));
    }
  }

  @Test
  void residualsHaveTheLogitsOfVectors() throws IOException {
    Path pack = Files.createDirectory(temp.resolve("pack"));
    Path folder = Files.createDirectory(temp.resolve("folder"));
    QuantScheme scheme = new QuantScheme(QuantScheme.Method.LLOYD_U4, 3, 16, true, true);
    RandomPack.write(pack, folder, TestConfig.json().toString(), scheme);
    assertSameLogits(pack, new ModelOptions(2));
  }

  private static void assertSameLogits(Path path, ModelOptions options) throws IOException {
    float[] expected = logits("vector", path, options);
    assertArrayEquals(expected, logits("tiered", path, options));
  }

  /** As a prompt, then token by token. */
  private static float[] logits(String kernels, Path path, ModelOptions options)
      throws IOException {
    System.setProperty("quern.kernels", kernels);
    try (Model model = Model.open(path, options);
        Session session = model.newSession(2 * IDS.length)) {
      float[] prompt = Golden.allLogits(model, IDS);
      float[] all = Arrays.copyOf(prompt, prompt.length + model.config().vocabSize());
      for (int id : IDS) {
        float[] logits = session.append(new int[] {id});
        System.arraycopy(logits, 0, all, prompt.length, logits.length);
      }
      return all;
    } finally {
      System.clearProperty("quern.kernels");
    }
  }
}
