package dev.quern.bench.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.bench.synth.MixtralFolder;
import dev.quern.bench.synth.PublishedModel;
import dev.quern.bench.synth.SyntheticModel;
import dev.quern.bench.synth.SyntheticShape;
import dev.quern.format.FormatException;
import dev.quern.format.Json;
import dev.quern.format.TensorInfo;
import dev.quern.format.gguf.GgufType;
import dev.quern.model.HuggingFaceConfig;
import dev.quern.model.ModelConfig;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

/** Without the runtimes themselves. */
class JavaPeerTest {
  private static final String CONFIG =
      """
      {"model_type": "mixtral", "hidden_size": 128, "num_hidden_layers": 2, "vocab_size": 320,
       "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64,
       "num_local_experts": 4, "num_experts_per_tok": 2, "rms_norm_eps": 1e-5,
       "rope_theta": 1000000.0, "max_position_embeddings": 512, "tie_word_embeddings": false}
      """;

  @TempDir Path folder;

  private ModelConfig config() throws IOException {
    byte[] json = CONFIG.getBytes(StandardCharsets.UTF_8);
    return HuggingFaceConfig.of(
        Path.of("config.json"), (ObjectNode) Json.parse(Path.of("config.json"), json));
  }

  @Test
  void aCommandHasTheModulesClassPathOnly() throws IOException {
    Files.createDirectory(folder.resolve("lib"));
    List<String> command = JavaPeer.JAVA_LLAMA_CPP.command(folder);
    assertEquals("dev.quern.peers.JavaLlamaCpp", command.getLast());
    String classPath = command.get(command.indexOf("-cp") + 1);
    assertTrue(classPath.startsWith(folder.resolve("classes").toString()), classPath);
    assertTrue(classPath.endsWith(folder.resolve("lib").resolve("*").toString()), classPath);
  }

  @Test
  void jarsThatAreNotThereAreOneLineWithTheCommandThatFetchesThem() {
    FormatException e =
        assertThrows(FormatException.class, () -> JavaPeer.JLAMA.command(folder.resolve("none")));
    assertTrue(e.getMessage().startsWith("jlama: expected its jars in "), e.getMessage());
    assertTrue(e.getMessage().endsWith("Run ./quern build peers"), e.getMessage());
  }

  @Test
  void aShapeThatItDoesNotRunNamesTheOneThatItRuns() {
    JavaPeer.JLAMA.check(PublishedModel.MIXTRAL_8X7B);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> JavaPeer.JAVA_LLAMA_CPP.check(PublishedModel.GLM_4_5_AIR));
    assertEquals(
        "--peer java-llama.cpp: expected --like mixtral-8x7b, the one shape that it runs,"
            + " found glm-4.5-air",
        e.getMessage());
  }

  @Test
  void aFileOfAFamilyThatCameLaterNamesThoseItKnows() throws IOException {
    Path file = folder.resolve("later.gguf");
    SyntheticShape shape = new SyntheticShape("later", 256, 1, 4, 2, 64, 8, 2, 96, 300);
    new SyntheticModel(shape, 5).gguf(GgufType.Q4_0).write(file, written -> {});
    PeerModel model = PeerModel.read(file, "later", true);
    assertEquals("Q4_0", model.quantization());
    FormatException e =
        assertThrows(FormatException.class, () -> JavaPeer.JAVA_LLAMA_CPP.check(model));
    assertTrue(e.getMessage().startsWith("later.gguf, java-llama.cpp: family: "), e.getMessage());
    assertTrue(e.getMessage().contains("mixtral") && e.getMessage().contains("found qwen3_moe"));
  }

  /** A folder as Jlama quantizes it: Q4 with a float32 scale per 32 weights; norms BF16. */
  private void write(ModelConfig config, String without) throws IOException {
    ObjectNode header = Json.mapper().createObjectNode();
    long[] end = {0};
    config
        .tensorKeys()
        .forEach(key -> {
          long elements = TensorInfo.elements(config.shape(key));
          String name = MixtralFolder.name(key);
          if (key.role().isMap()) {
            put(header, name, "Q4", end, elements / 2);
            put(header, name + ".qb", "F32", end, elements / 32 * 4);
          } else {
            put(header, name, "BF16", end, elements * 2);
          }
        });
    header.remove(without);
    byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
    ByteBuffer file = ByteBuffer.allocate(Long.BYTES + json.length).order(ByteOrder.LITTLE_ENDIAN);
    Files.write(folder.resolve("model.safetensors"), file.putLong(json.length).put(json).array());
    Files.writeString(folder.resolve("config.json"), CONFIG);
  }

  private static void put(ObjectNode header, String name, String dtype, long[] end, long bytes) {
    ObjectNode tensor = header.putObject(name).put("dtype", dtype);
    tensor.putArray("data_offsets").add(end[0]).add(end[0] + bytes);
    end[0] += bytes;
  }

  @Test
  void weightsOfJlamaAreCountedWithTheirScales() throws IOException {
    ModelConfig config = config();
    write(config, "");
    PeerModel model = JlamaModel.read(folder, "small");
    assertEquals("Q4", model.quantization());
    long norms = 5 * 128; // two per layer, one at the end
    long bits = 5 * (config.totalParameters() - norms) + 16 * norms;
    assertEquals(bits / (double) config.totalParameters(), model.bitsPerWeight(), 1e-9);
    assertTrue(model.touchedBytes() < model.bytes() - 320 * 128 / 2, "of the embedding one row");
  }

  @Test
  void aTensorThatJlamaDidNotWriteIsNamed() throws IOException {
    String name =
        config()
            .tensorKeys()
            .filter(key -> key.expert() == 3)
            .map(MixtralFolder::name)
            .findFirst()
            .orElseThrow();
    write(config(), name);
    FormatException e = assertThrows(FormatException.class, () -> JlamaModel.read(folder, "small"));
    assertTrue(e.getMessage().contains("tensor " + name), e.getMessage());
  }

  /** What the module's programs print. */
  @Test
  void itsJsonIsThatOfLlamaBench() throws IOException {
    String output =
        """
        Extracted 'libjllama.so' to '/tmp/x/libjllama.so'
        [
          {
            "build_commit": "0.8.4, Native SIMD Operations",
            "n_prompt": 128,
            "n_gen": 0,
            "n_depth": 64,
            "n_threads": 2,
            "samples_ts": [ 18.587, 18.391 ]
          }
        ]
        """;
    assertEquals(
        List.of(
            new LlamaBenchResult(
                "0.8.4, Native SIMD Operations", 128, 0, 64, 2, List.of(18.587, 18.391))),
        LlamaBenchResult.parse("jlama", output));
  }
}
