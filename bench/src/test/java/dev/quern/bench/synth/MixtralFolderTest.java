package dev.quern.bench.synth;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.quern.format.Json;
import dev.quern.model.ModelSource;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

class MixtralFolderTest {
  private static final String CONFIG =
      """
      {"model_type": "mixtral", "hidden_size": 128, "num_hidden_layers": 4, "vocab_size": 300,
       "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64,
       "num_local_experts": 4, "num_experts_per_tok": 2, "rms_norm_eps": 1e-5,
       "rope_theta": 1000000.0, "max_position_embeddings": 512, "tie_word_embeddings": false}
      """;

  @TempDir Path folder;

  /** Opening checks names and shapes of all tensors. */
  @Test
  void isAFolderOfTheFamilyWithTheBytesAnnounced() throws IOException {
    byte[] bytes = CONFIG.getBytes(StandardCharsets.UTF_8);
    ObjectNode json = (ObjectNode) Json.parse(Path.of("config.json"), bytes);
    MixtralFolder mixtral = new MixtralFolder(json, OptionalInt.of(2), OptionalInt.of(320), 7);
    Path out = folder.resolve("mixtral");
    mixtral.write(out, written -> {});
    try (ModelSource source = ModelSource.open(out)) {
      assertEquals("mixtral", source.config().modelType());
      assertEquals(2, source.config().numLayers());
      assertEquals(List.of(4, 2, 320), sizes(source));
      assertEquals(2 * source.config().totalParameters(), mixtral.bytes());
    }
  }

  private static List<Integer> sizes(ModelSource source) {
    return List.of(
        source.config().numExperts(), source.config().topK(), source.config().vocabSize());
  }
}
