package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.kv.KvType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** A random model of every family against another engine's logits; see the README beside them. */
class ArchitectureGoldenTest {
  /** Independent float32 implementations agree within this. */
  private static final float TOLERANCE = 2e-4f;

  /** The same sums in another order. */
  private static final float CHUNK_TOLERANCE = 1e-4f;

  /**
   * A file and what it should give.
   *
   * @param suffix of the sequences: a folder may state what GGUF cannot
   */
  record Case(String family, boolean gguf, String suffix) {
    Path path() throws IOException {
      return gguf ? GoldenModel.gguf(family) : GoldenModel.folder(family);
    }

    JsonNode sequence(String name) throws IOException {
      return GoldenModel.json(family).get("sequences").get(name + suffix);
    }

    float[] logits(String name) throws IOException {
      return GoldenModel.logits(family, name + suffix);
    }

    @Override
    public String toString() {
      return family + (gguf ? " GGUF" : " folder");
    }
  }

  static List<Case> cases() throws IOException {
    List<Case> cases = new ArrayList<>();
    for (String family : GoldenModel.families()) {
      boolean statesMore = GoldenModel.json(family).get("sequences").has("short_hf");
      cases.add(new Case(family, false, statesMore ? "_hf" : ""));
      cases.add(new Case(family, true, ""));
    }
    return cases;
  }

  @Test
  void everyFamilyOfTheReferenceIsHere() throws IOException {
    assertEquals(28, cases().size());
  }

  @ParameterizedTest
  @MethodSource("cases")
  void logitsAgreeWithTheOtherEngine(Case golden) throws IOException {
    try (Model model = Model.open(golden.path(), new ModelOptions(2).with(KvType.F32))) {
      for (String name : List.of("short", "long")) {
        float[] expected = golden.logits(name);
        int[] ids = Golden.ids(golden.sequence(name).get("row_ids"));
        float difference = Golden.maxAbsDifference(expected, Golden.allLogits(model, ids));
        assertTrue(difference <= TOLERANCE, name + ": largest difference " + difference);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void greedyTokensAreIdentical(Case golden) throws IOException {
    JsonNode sequence = golden.sequence("short");
    int[] expected = Golden.ids(sequence.get("greedy_ids"));
    int[] actual = new int[expected.length];
    try (Model model = Model.open(golden.path(), new ModelOptions(1).with(KvType.F32));
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
  @MethodSource("cases")
  void logitsDoNotDependOnHowThePromptIsCut(Case golden) throws IOException {
    int[] ids = Golden.ids(golden.sequence("long").get("row_ids"));
    try (Model model = Model.open(golden.path(), new ModelOptions(2).with(KvType.F32))) {
      float[] whole = Golden.allLogits(model, ids);
      int vocabSize = model.config().vocabSize();
      for (int chunk : new int[] {1, 3, 50}) {
        try (Session session = model.newSession(ids.length)) {
          for (int from = 0; from < ids.length; from += chunk) {
            int end = Math.min(from + chunk, ids.length);
            float[] actual = session.append(Arrays.copyOfRange(ids, from, end));
            float[] expected = Arrays.copyOfRange(whole, (end - 1) * vocabSize, end * vocabSize);
            float difference = Golden.maxAbsDifference(expected, actual);
            assertTrue(
                difference <= CHUNK_TOLERANCE,
                "chunks of " + chunk + ", " + end + " tokens: " + difference);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void threadsDoNotChangeABit(Case golden) throws IOException {
    int[] ids = Golden.ids(golden.sequence("long").get("row_ids"));
    float[][] logits = new float[3][];
    for (int threads = 1; threads <= 3; threads++) {
      try (Model model = Model.open(golden.path(), new ModelOptions(threads).with(KvType.F32))) {
        logits[threads - 1] = Golden.allLogits(model, ids);
      }
    }
    assertArrayEquals(logits[0], logits[1]);
    assertArrayEquals(logits[0], logits[2]);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void aTruncatedSessionContinuesAsIfTheRestHadNotBeen(Case golden) throws IOException {
    int[] ids = Golden.ids(golden.sequence("short").get("row_ids"));
    try (Model model = Model.open(golden.path(), new ModelOptions(1).with(KvType.F32));
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

  /** Blocks are expanded exactly; what differs is the order of sums. */
  @ParameterizedTest
  @ValueSource(strings = {"llama", "mixtral"})
  void quantizedGgufGivesTheLogitsOfItsDequantizedWeights(String family) throws IOException {
    float[] expected = GoldenModel.logits(family, "short.Q4_K_M");
    Path file = GoldenModel.DIR.resolve(family).resolve("model-Q4_K_M.gguf");
    int[] ids = Golden.ids(GoldenModel.json(family).get("sequences").get("short").get("row_ids"));
    try (Model model = Model.open(file, new ModelOptions(2).with(KvType.F32))) {
      float difference = Golden.maxAbsDifference(expected, Golden.allLogits(model, ids));
      assertTrue(difference <= TOLERANCE, "largest difference " + difference);
    }
  }
}
