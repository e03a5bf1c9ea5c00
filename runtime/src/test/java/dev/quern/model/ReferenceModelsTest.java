package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.kv.KvType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Models that only the float64 reference knows; see the README beside them. */
class ReferenceModelsTest {
  private static final float TOLERANCE = 2e-4f;
  private static final float CHUNK_TOLERANCE = 1e-4f;

  private static int[] ids(String name) throws IOException {
    return Golden.ids(GoldenModel.referenceJson(name).get("sequences").get("long").get("row_ids"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "olmoe",
        "qwen3_5",
        "kimi_k2",
        "deepseek_v2_groups",
        "glm4_moe_norms",
        "qwen2_windows",
        "qwen3_moe_stacked"
      })
  void logitsAgreeWithTheReference(String name) throws IOException {
    Path folder = GoldenModel.referenceFolder(name);
    int[] ids = ids(name);
    try (Model model = Model.open(folder, new ModelOptions(2).with(KvType.F32))) {
      float[] all = Golden.allLogits(model, ids);
      float difference = Golden.maxAbsDifference(GoldenModel.referenceLogits(name), all);
      assertTrue(difference <= TOLERANCE, "largest difference " + difference);
      for (int chunk : new int[] {1, 7}) {
        try (Session session = model.newSession(ids.length)) {
          float[] last = {};
          for (int from = 0; from < ids.length; from += chunk) {
            int end = Math.min(from + chunk, ids.length);
            last = session.append(Arrays.copyOfRange(ids, from, end));
          }
          int vocabSize = model.config().vocabSize();
          float[] expected = Arrays.copyOfRange(all, all.length - vocabSize, all.length);
          float chunked = Golden.maxAbsDifference(expected, last);
          assertTrue(chunked <= CHUNK_TOLERANCE, "chunks of " + chunk + ": " + chunked);
        }
      }
    }
  }

  @Test
  void whatTheForwardPassDoesNotUseIsLeftAside() throws IOException {
    assertEquals(List.of("vision and audio", "multi-token prediction"), leftAside("qwen3_5"));
    assertEquals(List.of("multi-token prediction"), leftAside("glm4_moe_norms"));
    assertEquals(List.of(), leftAside("olmoe"));
  }

  private static List<String> leftAside(String name) throws IOException {
    try (ModelSource source = ModelSource.open(GoldenModel.referenceFolder(name))) {
      return ((ModelSource.Unconverted) source).leftAside().stream().map(LeftAside::what).toList();
    }
  }
}
