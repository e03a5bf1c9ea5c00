package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** A random model against another engine's logits; see the README beside them. */
class Qwen3MoeGoldenTest {
  private static final Path FOLDER = Golden.QWEN3_MOE.resolve("hf");

  /** Independent float32 implementations agree within this. */
  private static final float TOLERANCE = 2e-4f;

  /** The same sums in another order. */
  private static final float CHUNK_TOLERANCE = 1e-4f;

  private static JsonNode sequence(String name) throws IOException {
    return Golden.json(Golden.QWEN3_MOE.resolve("golden.json")).get("sequences").get(name);
  }

  @ParameterizedTest
  @ValueSource(strings = {"short", "long"})
  void logitsAgreeWithTheOtherEngine(String name) throws IOException {
    float[] expected = Golden.floats(Golden.QWEN3_MOE.resolve(name + ".logits.f32"));
    try (Model model = Model.open(FOLDER, new ModelOptions(2))) {
      float[] actual = Golden.allLogits(model, Golden.ids(sequence(name).get("row_ids")));
      float difference = Golden.maxAbsDifference(expected, actual);
      assertTrue(difference <= TOLERANCE, "largest difference " + difference);
    }
  }

  @Test
  void greedyTokensAreIdentical() throws IOException {
    JsonNode sequence = sequence("short");
    int[] expected = Golden.ids(sequence.get("greedy_ids"));
    int[] actual = new int[expected.length];
    try (Model model = Model.open(FOLDER, new ModelOptions(1));
        Session session = model.newSession(64)) {
      int[] ids = Golden.ids(sequence.get("prompt_ids"));
      for (int i = 0; i < actual.length; i++) {
        float[] logits = session.append(ids);
        actual[i] = Golden.argmax(logits, 0, logits.length);
        ids = new int[] {actual[i]};
      }
    }
    assertArrayEquals(expected, actual);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 50})
  void logitsDoNotDependOnHowThePromptIsCut(int chunk) throws IOException {
    int[] ids = Golden.ids(sequence("long").get("row_ids"));
    try (Model model = Model.open(FOLDER, new ModelOptions(2));
        Session session = model.newSession(ids.length)) {
      float[] whole = Golden.allLogits(model, ids);
      int vocabSize = model.config().vocabSize();
      for (int from = 0; from < ids.length; from += chunk) {
        int end = Math.min(from + chunk, ids.length);
        float[] actual = session.append(Arrays.copyOfRange(ids, from, end));
        float[] expected = Arrays.copyOfRange(whole, (end - 1) * vocabSize, end * vocabSize);
        float difference = Golden.maxAbsDifference(expected, actual);
        assertTrue(difference <= CHUNK_TOLERANCE, end + " tokens: " + difference);
      }
    }
  }

  @Test
  void threadsDoNotChangeABit() throws IOException {
    int[] ids = Golden.ids(sequence("long").get("row_ids"));
    float[][] logits = new float[3][];
    for (int threads = 1; threads <= 3; threads++) {
      try (Model model = Model.open(FOLDER, new ModelOptions(threads))) {
        logits[threads - 1] = Golden.allLogits(model, ids);
      }
    }
    assertArrayEquals(logits[0], logits[1]);
    assertArrayEquals(logits[0], logits[2]);
  }

  @Test
  void aTruncatedSessionContinuesAsIfTheRestHadNotBeen() throws IOException {
    int[] ids = Golden.ids(sequence("short").get("row_ids"));
    try (Model model = Model.open(FOLDER, new ModelOptions(1));
        Session session = model.newSession(64);
        Session fresh = model.newSession(64)) {
      session.append(Arrays.copyOf(ids, 40));
      session.truncate(20);
      assertEquals(20, session.position());
      fresh.append(Arrays.copyOf(ids, 20));
      int[] next = {ids[20]};
      // The first 20 tokens were read in batches of other sizes.
      float difference = Golden.maxAbsDifference(fresh.append(next), session.append(next));
      assertTrue(difference <= CHUNK_TOLERANCE, "largest difference " + difference);
    }
  }
}
