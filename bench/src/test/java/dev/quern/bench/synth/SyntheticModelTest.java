package dev.quern.bench.synth;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.format.DType;
import dev.quern.format.FloatConversion;
import dev.quern.format.FormatException;
import dev.quern.format.SafetensorsFolder;
import dev.quern.format.TensorInfo;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import dev.quern.model.Session;
import dev.quern.text.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SyntheticModelTest {
  private static final SyntheticShape SMALL =
      new SyntheticShape("small", 256, 2, 4, 2, 64, 8, 2, 96, 300);

  @TempDir Path folder;

  @Test
  void runsAndReadsItsOwnText() throws IOException {
    new SyntheticModel(SMALL, 1).write(folder, written -> {});
    try (Tokenizer tokenizer = Tokenizer.open(folder);
        Model model = Model.open(folder, new ModelOptions(1));
        Session session = model.newSession(64)) {
      String text = "Grüße, 世界!\n";
      int[] ids = tokenizer.encode(text, false);
      assertEquals(text.getBytes(StandardCharsets.UTF_8).length, ids.length);
      assertEquals(text, tokenizer.decode(ids, false));
      float[] logits = session.append(ids);
      assertEquals(SMALL.vocabSize(), logits.length);
      for (float logit : logits) {
        assertTrue(Float.isFinite(logit));
      }
    }
  }

  @Test
  void sameSeedSameBytes() throws IOException {
    byte[] first = write("a", 7);
    assertArrayEquals(first, write("b", 7));
    assertFalse(Arrays.equals(first, write("c", 8)));
  }

  private byte[] write(String name, long seed) throws IOException {
    Path target = folder.resolve(name);
    new SyntheticModel(SMALL, seed).write(target, written -> {});
    return Files.readAllBytes(target.resolve("model-00001-of-00001.safetensors"));
  }

  @Test
  void weightsHaveTheStatedSpreadAndHeavyTails() throws IOException {
    new SyntheticModel(SMALL, 1).write(folder, written -> {});
    try (SafetensorsFolder model = SafetensorsFolder.open(folder)) {
      TensorInfo embedding = model.tensors().get("model.embed_tokens.weight");
      assertEquals(DType.BF16, embedding.dtype());
      int n = Math.toIntExact(embedding.elements());
      float[] weights = new float[n];
      FloatConversion.toFloat(DType.BF16, model.map(embedding), 0, weights, 0, n);
      double squares = 0;
      double fourths = 0;
      int ordinary = 0;
      for (int i = 0; i < n; i++) {
        if (i % 256 % 100 != 50) {
          squares += (double) weights[i] * weights[i];
          fourths += Math.pow(weights[i], 4);
          ordinary++;
        }
      }
      double variance = squares / ordinary;
      assertEquals(1.0 / 256, variance, 0.05 / 256);
      // Student-t with 5 degrees of freedom: 6 in theory; a sample of 75,000 stays below, far from
      // a normal's 0.
      double kurtosis = fourths / ordinary / (variance * variance) - 3;
      assertTrue(kurtosis > 2, "excess kurtosis " + kurtosis);
    }
  }

  @Test
  void aFullFolderIsLeftAlone() throws IOException {
    Path mine = Files.writeString(folder.resolve("mine.txt"), "keep");
    assertThrows(
        FormatException.class, () -> new SyntheticModel(SMALL, 1).write(folder, written -> {}));
    assertEquals("keep", Files.readString(mine));
  }

  @Test
  void unknownShapesAreNamed() {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> SyntheticShape.named("qwen9"));
    assertTrue(e.getMessage().contains("qwen3-30b-a3b"), e.getMessage());
  }
}
