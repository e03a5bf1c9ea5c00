package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.format.FormatException;
import dev.quern.format.PackManifest;
import dev.quern.quant.QuantScheme;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

class ModelSourceTest {
  @TempDir private Path temp;
  private Path pack;
  private Path folder;

  @BeforeEach
  void writeModels() throws IOException {
    pack = Files.createDirectory(temp.resolve("pack"));
    folder = Files.createDirectory(temp.resolve("folder"));
    RandomPack.write(pack, folder, TestConfig.json().toString(), QuantScheme.turbo(2));
  }

  private static void refuses(Path path, String... fragments) {
    FormatException e = assertThrows(FormatException.class, () -> ModelSource.open(path).close());
    for (String fragment : fragments) {
      assertTrue(e.getMessage().contains(fragment), e.getMessage());
    }
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
  }

  private static void reconfigure(Path path, String key, int value) throws IOException {
    Files.writeString(path.resolve("config.json"), TestConfig.json().put(key, value).toString());
  }

  private static void restate(Path pack, Consumer<ObjectNode> change) throws IOException {
    PackManifest old = PackManifest.read(pack);
    ObjectNode model = old.model();
    change.accept(model);
    new PackManifest(
            old.formatVersion(),
            old.creator(),
            old.source(),
            model,
            old.seed(),
            old.bits(),
            old.tensors(),
            old.files())
        .write(pack);
  }

  @Test
  void foldersAndPacksAreRecognised() throws IOException {
    try (ModelSource a = ModelSource.open(pack);
        ModelSource b = ModelSource.open(folder)) {
      assertTrue(a instanceof ModelSource.Packed);
      assertTrue(b instanceof ModelSource.Unconverted);
      assertEquals(a.config(), b.config());
    }
  }

  @Test
  void aMissingTensorIsNamedWithTheNearest() throws IOException {
    reconfigure(folder, "num_experts", 6);
    // The router's rows are checked first in its layer.
    refuses(folder, "model.layers.0.mlp.gate.weight", "[6, 96]", "[5, 96]");
    reconfigure(folder, "num_hidden_layers", 4);
    refuses(
        folder,
        "qwen3_moe has no tensor for norm.attention, layer 3",
        "expected model.layers.3.input_layernorm.weight",
        "nearest is model.layers.0.input_layernorm.weight");
  }

  @Test
  void shapesThatContradictTheConfigurationAreRefused() throws IOException {
    reconfigure(folder, "vocab_size", 71);
    refuses(folder, "model.embed_tokens.weight", "[71, 96]", "[70, 96]");
    restate(pack, model -> model.put("vocabSize", 71));
    refuses(pack, "tensor 'embedding'", "[71, 96]", "[70, 96]");
    restate(
        pack,
        model -> {
          model.put("vocabSize", 70);
          ObjectNode experts = (ObjectNode) model.path("layers").path(0).path("feedForward");
          ((ObjectNode) model.path("layers").path(2)).set("feedForward", experts);
          experts.put("expertSize", 64);
        });
    refuses(pack, "layer-00000.qexp", "experts.gate", "[64, 96]", "[48, 96]");
    restate(pack, model -> model.put("hiddenSize", -1));
    refuses(pack, "quern.json, key 'model'", "hidden_size is -1");
    restate(pack, model -> model.put("hiddenSize", 96).put("surprise", 1));
    refuses(pack, "quern.json, key 'model'", "surprise");
  }

  @Test
  void anEnormousClaimFailsAtTheFirstMissingTensor() throws IOException {
    Files.writeString(
        folder.resolve("config.json"),
        TestConfig.json().put("num_hidden_layers", 10_000).toString());
    refuses(folder, "layer 3");
  }

  @Test
  void sizesBeyondAnIntAreRefused() throws IOException {
    String header =
        """
        {"model.embed_tokens.weight":
            {"dtype": "F8_E4M3", "shape": [1099511627776, 0], "data_offsets": [0, 0]},
         "model.embed_tokens.weight_scale_inv":
            {"dtype": "F32", "shape": [0, 0], "data_offsets": [0, 0]}}\
        """;
    ByteBuffer file = ByteBuffer.allocate(Long.BYTES + header.length());
    file.order(ByteOrder.LITTLE_ENDIAN).putLong(header.length());
    file.put(header.getBytes(StandardCharsets.US_ASCII));
    Files.write(folder.resolve("model.safetensors"), file.array());
    refuses(folder, folder + ": sizes of tensors");
  }

  @Test
  void aPackWithoutManifestIsUnfinished() throws IOException {
    Files.delete(pack.resolve(PackManifest.NAME));
    refuses(pack, "conversion not finished");
  }

  @Test
  void aFolderOfSomethingElseIsRefused() throws IOException {
    refuses(Files.createDirectory(temp.resolve("empty")), "neither config.json nor quern.json");
  }
}
