package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.kernels.Activations;
import dev.quern.kv.KvType;
import dev.quern.quant.QuantScheme;
import dev.quern.quant.QuantScheme.Method;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A pack gives the logits of the matrices it stands for: packed weights, rotations of every input,
 * residuals, embedding rows, tied and separate heads, layers with and without experts.
 */
class PackForwardTest {
  /** Logits are about 1 large; rotating the input rounds otherwise than rotating the weights. */
  private static final float TOLERANCE = 2e-4f;

  private static final int[] IDS = {3, 1, 69, 41, 5, 9, 2, 6, 53, 58, 0};

  @TempDir private Path temp;

  static Stream<Arguments> schemes() {
    List<Arguments> all = new ArrayList<>();
    for (boolean tied : new boolean[] {false, true}) {
      for (int bits = 2; bits <= 4; bits++) {
        all.add(Arguments.of(QuantScheme.turbo(bits), tied));
      }
      all.add(Arguments.of(new QuantScheme(Method.LLOYD_U4, 3, 16, true, true), tied));
      all.add(Arguments.of(new QuantScheme(Method.LLOYD_U4, 3, 16, false, false), tied));
    }
    return all.stream();
  }

  @ParameterizedTest
  @MethodSource("schemes")
  void aPackGivesTheLogitsOfItsDequantizedMatrices(QuantScheme scheme, boolean tied)
      throws IOException {
    Path pack = Files.createDirectory(temp.resolve("pack"));
    Path folder = Files.createDirectory(temp.resolve("folder"));
    RandomPack.write(
        pack, folder, TestConfig.json().put("tie_word_embeddings", tied).toString(), scheme);
    try (Model packed =
            Model.open(pack, new ModelOptions(2).with(KvType.F32).with(Activations.F32));
        Model plain = Model.open(folder, new ModelOptions(2).with(KvType.F32))) {
      float[] expected = Golden.allLogits(plain, IDS);
      float[] actual = Golden.allLogits(packed, IDS);
      float difference = Golden.maxAbsDifference(expected, actual);
      assertTrue(difference <= TOLERANCE, "largest difference " + difference);
      float spread = Golden.maxAbsDifference(expected, new float[expected.length]);
      assertTrue(spread > 0.3, "logits too small to tell: " + spread);
      assertEquals(
          TensorListing.of(plain.source()).elements(),
          TensorListing.of(packed.source()).elements());
    }
  }
}
