package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.format.FormatException;
import dev.quern.format.gguf.GgufFile;
import dev.quern.format.gguf.GgufTestWriter;
import dev.quern.format.gguf.GgufType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What metadata of GGUF means where it is old, sparse, or of a relative. */
class GgufConfigTest {
  private static final int HIDDEN = 16;
  private static final int HEADS = 2;

  @TempDir private Path temp;
  private GgufTestWriter llama;

  @BeforeEach
  void oneLayer() {
    llama = dense("llama");
  }

  private static GgufTestWriter tensor(GgufTestWriter file, String name, long... shape) {
    List<Long> sizes = Arrays.stream(shape).boxed().toList();
    int elements = Math.toIntExact(sizes.stream().reduce(1L, Math::multiplyExact));
    return file.tensor(name, GgufType.F32, sizes, new byte[elements * Float.BYTES]);
  }

  private static GgufTestWriter head(String family) {
    return head(family, 1);
  }

  private static GgufTestWriter head(String family, int layers) {
    return new GgufTestWriter()
        .text("general.architecture", family)
        .u32(family + ".block_count", layers)
        .u32(family + ".context_length", 4096)
        .u32(family + ".embedding_length", HIDDEN)
        .u32(family + ".attention.head_count", HEADS)
        .with(family + ".attention.layer_norm_rms_epsilon", GgufTestWriter.F32, 1e-5f);
  }

  private static GgufTestWriter dense(String family) {
    GgufTestWriter file = head(family);
    tensor(file, "token_embd.weight", 8, HIDDEN);
    tensor(file, "output_norm.weight", HIDDEN);
    tensor(file, "blk.0.attn_norm.weight", HIDDEN);
    for (String name : List.of("attn_q", "attn_k", "attn_v", "attn_output")) {
      tensor(file, "blk.0." + name + ".weight", HIDDEN, HIDDEN);
    }
    tensor(file, "blk.0.ffn_norm.weight", HIDDEN);
    tensor(file, "blk.0.ffn_gate.weight", 24, HIDDEN);
    tensor(file, "blk.0.ffn_up.weight", 24, HIDDEN);
    return tensor(file, "blk.0.ffn_down.weight", HIDDEN, 24);
  }

  /** Latent attention and 4 experts. */
  private static GgufTestWriter deepseek() {
    GgufTestWriter file = latentWithExperts(head("deepseek2"));
    return tensor(file, "token_embd.weight", 8, HIDDEN);
  }

  private static GgufTestWriter latentWithExperts(GgufTestWriter file) {
    file.u32("deepseek2.expert_count", 4)
        .u32("deepseek2.expert_used_count", 2)
        .u32("deepseek2.attention.kv_lora_rank", 8)
        .u32("deepseek2.attention.key_length", 12)
        .u32("deepseek2.attention.value_length", 8)
        .u32("deepseek2.rope.dimension_count", 4);
    tensor(file, "blk.0.ffn_gate_inp.weight", 4, HIDDEN);
    return tensor(file, "blk.0.ffn_up_exps.weight", 4, 24, HIDDEN);
  }

  private static float f32(double value) {
    return (float) value;
  }

  private ModelConfig read(GgufTestWriter file) throws IOException {
    Path path = Files.write(temp.resolve("model.gguf"), file.toBytes());
    try (GgufFile gguf = GgufFile.open(path)) {
      return GgufConfig.read(gguf, gguf.rawTensors());
    }
  }

  private ModelSource open(GgufTestWriter file) throws IOException {
    return ModelSource.open(Files.write(temp.resolve("model.gguf"), file.toBytes()));
  }

  private static TokenMixer.GroupedQuery attention(ModelConfig config) {
    return (TokenMixer.GroupedQuery) config.layers().getFirst().mixer();
  }

  private RopeScaling scaling(GgufTestWriter file) throws IOException {
    return attention(read(file)).rope().orElseThrow().scaling();
  }

  @Test
  void whatIsUnsaidIsAsInTheReference() throws IOException {
    ModelConfig config = read(llama);
    TokenMixer.GroupedQuery mixer = attention(config);
    assertTrue(config.tieWordEmbeddings());
    assertEquals(HEADS, mixer.numKvHeads());
    assertEquals(HIDDEN / HEADS, mixer.headDim());
    RopeConfig rope = mixer.rope().orElseThrow();
    assertEquals(new RopeConfig(10_000, 8, RopePairing.ADJACENT, new RopeScaling.None()), rope);
    try (ModelSource source = open(llama)) {
      assertEquals(config, source.config());
    }
  }

  /** Files before October 2023 have another key and no type, and the type unsaid is linear. */
  @ParameterizedTest
  @CsvSource({"llama.rope.scale_linear", "llama.rope.scaling.factor"})
  void aFactorAloneIsLinear(String key) throws IOException {
    llama.with(key, GgufTestWriter.F32, 4f);
    assertEquals(new RopeScaling.Linear(4), scaling(llama));
  }

  @ParameterizedTest
  @CsvSource({"none, 4", "linear, 1", "linear, 0"})
  void noScalingIsSaidInSeveralWays(String type, float factor) throws IOException {
    llama.text("llama.rope.scaling.type", type);
    llama.with("llama.rope.scaling.factor", GgufTestWriter.F32, factor);
    assertEquals(new RopeScaling.None(), scaling(llama));
  }

  @Test
  void theFileMultipliesTheFactorOfYarn() throws IOException {
    llama.text("llama.rope.scaling.type", "yarn");
    llama.with("llama.rope.scaling.factor", GgufTestWriter.F32, 8f);
    RopeScaling.Yarn usual = (RopeScaling.Yarn) scaling(llama);
    assertEquals(4096, usual.original());
    assertEquals(f32(1 + 0.1 * Math.log(8)), usual.attentionFactor());
    llama.with("llama.rope.scaling.attn_factor", GgufTestWriter.F32, 0.5f);
    llama.with("llama.rope.scaling.yarn_beta_fast", GgufTestWriter.F32, 1f);
    RopeScaling.Yarn stated = (RopeScaling.Yarn) scaling(llama);
    assertEquals(f32(0.5 * (1 + 0.1 * Math.log(8))), stated.attentionFactor());
    assertEquals(1, stated.betaFast());
  }

  @Test
  void divisorsAndAnotherScalingAreTooMuch() throws IOException {
    tensor(llama, "rope_freqs.weight", 4);
    llama.with("llama.rope.scaling.factor", GgufTestWriter.F32, 8f);
    FormatException e = assertThrows(FormatException.class, () -> read(llama));
    assertTrue(e.getMessage().contains("none beside rope_freqs.weight"), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource({
    "attention.scale, 0.01",
    "attention.clamp_kqv, 8",
    "attention.temperature_scale, 0.1",
    "attn_logit_softcapping, 50",
    "final_logit_softcapping, 30",
    "logit_scale, 8",
    "residual_scale, 0.22",
    "embedding_scale, 12"
  })
  void keysOfRelativesAreRefused(String key, float value) throws IOException {
    llama.with("llama." + key, GgufTestWriter.F32, value);
    FormatException e = assertThrows(FormatException.class, () -> read(llama));
    assertTrue(e.getMessage().contains("key 'llama." + key + "'"), e.getMessage());
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource({"mistral3", "llama4", "glm-dsa", "deepseek32", "deepseek", "qwen3vlmoe", "granite"})
  void relativesAreNamedAndRefused(String family) {
    FormatException e = assertThrows(FormatException.class, () -> read(dense(family)));
    assertTrue(e.getMessage().contains("'" + family + "' is not supported"), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource({
    "blk.0.ffn_up.bias, 24",
    "blk.0.post_ffw_norm.weight, 16",
    "token_embd_norm.weight, 16",
    "output.bias, 8"
  })
  void tensorsThatTellOfAnotherComputationAreRefused(String name, long size) throws IOException {
    tensor(llama, name, size);
    FormatException e = assertThrows(FormatException.class, () -> open(llama).close());
    assertTrue(e.getMessage().contains("tensor '" + name + "'"), e.getMessage());
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
  }

  /** 0 and nothing: DeepSeek-V2's files do not say. 3 is of the chosen alone: the same, divided. */
  @ParameterizedTest
  @CsvSource({
    "-1, SOFTMAX, false",
    "0, SOFTMAX, false",
    "1, SOFTMAX, false",
    "2, SIGMOID, false",
    "3, SOFTMAX, true"
  })
  void theGatingFunctionIsTheFiles(int gating, Routing.Score score, boolean normalise)
      throws IOException {
    GgufTestWriter file = deepseek();
    if (gating >= 0) {
      file.u32("deepseek2.expert_gating_func", gating);
    }
    Routing routing = read(file).experts().orElseThrow().routing();
    assertEquals(score, routing.score());
    assertEquals(normalise, routing.normalise());
    assertEquals(1, routing.scale());
  }

  /** Its first files leave the function out: it is told by its layers, 47 and one to predict. */
  @ParameterizedTest
  @CsvSource({"46, deepseek_v2", "47, deepseek_v3", "48, deepseek_v3"})
  void glm47FlashIsToldByItsShape(int layers, String modelType) throws IOException {
    GgufTestWriter file = head("deepseek2", layers);
    latentWithExperts(file);
    tensor(file, "token_embd.weight", 154_880, 1);
    for (int layer = 1; layer < layers; layer++) {
      tensor(file, "blk." + layer + ".ffn_gate_inp.weight", 4, HIDDEN);
    }
    ModelConfig config = read(file);
    assertEquals(modelType, config.modelType());
    boolean sigmoid = modelType.equals("deepseek_v3");
    assertEquals(
        sigmoid ? Routing.Score.SIGMOID : Routing.Score.SOFTMAX,
        config.experts().orElseThrow().routing().score());
  }

  @Test
  void anotherGatingFunctionIsRefused() {
    GgufTestWriter file = deepseek().u32("deepseek2.expert_gating_func", 4);
    FormatException e = assertThrows(FormatException.class, () -> read(file));
    assertTrue(e.getMessage().contains("expert_gating_func"), e.getMessage());
  }

  /** Without its windows gpt-oss would run, and answer otherwise. */
  @Test
  void gptOssStatesItsWindow() {
    FormatException e = assertThrows(FormatException.class, () -> read(dense("gpt-oss")));
    assertTrue(e.getMessage().contains("gpt-oss.attention.sliding_window"), e.getMessage());
  }
}
