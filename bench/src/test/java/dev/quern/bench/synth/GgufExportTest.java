package dev.quern.bench.synth;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.cli.ModelText;
import dev.quern.format.RowDecoder;
import dev.quern.format.StoredMatrix;
import dev.quern.format.gguf.GgufFile;
import dev.quern.format.gguf.GgufMetadata;
import dev.quern.format.gguf.GgufType;
import dev.quern.kernels.RowSource;
import dev.quern.model.GoldenModel;
import dev.quern.model.Model;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelOptions;
import dev.quern.model.ModelSource;
import dev.quern.model.RandomFolder;
import dev.quern.model.Session;
import dev.quern.model.TensorKey;
import dev.quern.text.Tokenizer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class GgufExportTest {
  private static final SyntheticShape SMALL =
      new SyntheticShape("small", 256, 2, 4, 2, 64, 8, 2, 96, 300);
  private static final int[] IDS = {72, 299, 105, 33, 7, 256, 64, 1};
  private static final int VOCABULARY = 300;

  @TempDir Path folder;

  /** F16 loses digits of weights below 2^−14, Q8_0 those beyond 1/254 of a block's largest. */
  @ParameterizedTest
  @CsvSource({"F32, 1e-5", "BF16, 1e-5", "F16, 1e-3", "Q8_0, 0.05"})
  void givesTheLogitsOfTheFolderOfTheSameSeed(GgufType type, double tolerance) throws IOException {
    SyntheticModel model = new SyntheticModel(SMALL, 5);
    Path file = folder.resolve("model.gguf");
    model.gguf(type).write(file, written -> {});
    Path plain = folder.resolve("plain");
    model.write(plain, written -> {});
    assertClose(logits(plain), logits(file), tolerance);
  }

  /** A block spans -8 to 7 steps from its weight farthest from 0; the others are rounded. */
  @Test
  void q4KeepsWeightsToHalfAStep() {
    float[] row = new float[32];
    for (int i = 0; i < row.length; i++) {
      row[i] = (i * 7 % 32 - 20) / 10f; // -2 to 1.1: the farthest from 0 is below it
    }
    MemorySegment block = MemorySegment.ofArray(new byte[18]);
    GgufEncoder.encode(GgufType.Q4_0, row, row.length, block, 0);
    float step = Float.float16ToFloat(block.get(ValueLayout.JAVA_SHORT_UNALIGNED, 0));
    assertEquals(2 / 8f, step, 1e-3);
    for (int i = 0; i < row.length; i++) {
      int codes = block.get(ValueLayout.JAVA_BYTE, 2 + i % 16);
      int code = i < 16 ? codes & 15 : codes >> 4 & 15;
      assertEquals(row[i], (code - 8) * step, step / 2 + 1e-3, "weight " + i);
    }
  }

  @Test
  void hasTheAnnouncedLengthAndTypes() throws IOException {
    Path file = folder.resolve("model.gguf");
    GgufExport export = new SyntheticModel(SMALL, 5).gguf(GgufType.Q8_0);
    export.write(file, written -> {});
    assertEquals(export.bytes(), Files.size(file));
    try (GgufFile gguf = GgufFile.open(file)) {
      assertEquals(
          List.of(8L, 96L, 256L), gguf.tensors().get("blk.1.ffn_gate_exps.weight").shape());
      assertEquals(GgufType.Q8_0, gguf.tensors().get("blk.1.ffn_gate_exps.weight").type());
      assertEquals(GgufType.F32, gguf.tensors().get("blk.1.ffn_gate_inp.weight").type());
      assertEquals(GgufType.F32, gguf.tensors().get("output_norm.weight").type());
      GgufMetadata metadata = gguf.metadata();
      assertEquals("qwen3moe", metadata.string("general.architecture"));
      assertEquals(8, metadata.integer("qwen3moe.expert_count", 0, 1000));
    }
  }

  @Test
  void readsItsOwnText() throws IOException {
    Path file = folder.resolve("model.gguf");
    new SyntheticModel(SMALL, 5).gguf(GgufType.F16).write(file, written -> {});
    String text = "Grüße, 世界!\n";
    try (ModelText opened = ModelText.open(file)) {
      Tokenizer tokenizer = opened.tokenizer();
      assertEquals(text, tokenizer.decode(tokenizer.encode(text, false), false));
    }
  }

  /** Each with what its converter changes: row order, fused maps, latent keys, norms plus one. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        """
        {"model_type": "mixtral", "hidden_size": 128, "num_hidden_layers": 2, "vocab_size": 300,
         "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64,
         "num_local_experts": 4, "num_experts_per_tok": 2, "rms_norm_eps": 1e-5,
         "rope_theta": 1000000.0, "max_position_embeddings": 512, "tie_word_embeddings": false}
        """,
        """
        {"model_type": "deepseek_v2", "hidden_size": 128, "num_hidden_layers": 3, "vocab_size": 300,
         "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 192,
         "moe_intermediate_size": 64, "n_routed_experts": 8, "num_experts_per_tok": 3,
         "n_shared_experts": 2, "first_k_dense_replace": 1, "moe_layer_freq": 1,
         "kv_lora_rank": 32, "q_lora_rank": null, "qk_nope_head_dim": 32, "qk_rope_head_dim": 16,
         "v_head_dim": 24, "scoring_func": "softmax", "topk_method": "greedy",
         "norm_topk_prob": false, "routed_scaling_factor": 1.5, "n_group": 1, "topk_group": 1,
         "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 256,
          "beta_fast": 32, "beta_slow": 1, "mscale": 0.707, "mscale_all_dim": 0.707},
         "rms_norm_eps": 1e-6, "rope_theta": 10000, "max_position_embeddings": 512,
         "tie_word_embeddings": false, "attention_bias": false}
        """,
        """
        {"model_type": "deepseek_v3", "hidden_size": 128, "num_hidden_layers": 2, "vocab_size": 300,
         "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 192,
         "moe_intermediate_size": 64, "n_routed_experts": 8, "num_experts_per_tok": 2,
         "n_shared_experts": 1, "first_k_dense_replace": 1, "moe_layer_freq": 1,
         "kv_lora_rank": 32, "q_lora_rank": 48, "qk_nope_head_dim": 32, "qk_rope_head_dim": 16,
         "v_head_dim": 24, "scoring_func": "sigmoid", "topk_method": "noaux_tc",
         "norm_topk_prob": true, "routed_scaling_factor": 2.5, "n_group": 4, "topk_group": 2,
         "rms_norm_eps": 1e-6, "rope_theta": 10000, "max_position_embeddings": 512,
         "tie_word_embeddings": false, "attention_bias": false}
        """,
        """
        {"model_type": "glm4_moe", "hidden_size": 128, "num_hidden_layers": 2, "vocab_size": 300,
         "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
         "intermediate_size": 192, "moe_intermediate_size": 64, "n_routed_experts": 8,
         "num_experts_per_tok": 2, "n_shared_experts": 1, "first_k_dense_replace": 1,
         "norm_topk_prob": true, "routed_scaling_factor": 1.0, "n_group": 1, "topk_group": 1,
         "attention_bias": true, "use_qk_norm": true, "partial_rotary_factor": 0.5,
         "rms_norm_eps": 1e-5, "rope_theta": 1000000, "max_position_embeddings": 512,
         "tie_word_embeddings": false}
        """,
        """
        {"model_type": "qwen3_next", "hidden_size": 128, "num_hidden_layers": 4, "vocab_size": 300,
         "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64,
         "intermediate_size": 192, "moe_intermediate_size": 64, "num_experts": 8,
         "num_experts_per_tok": 2, "shared_expert_intermediate_size": 96,
         "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 32,
         "linear_value_head_dim": 32, "linear_conv_kernel_dim": 4, "full_attention_interval": 4,
         "norm_topk_prob": true, "decoder_sparse_step": 1, "partial_rotary_factor": 0.25,
         "rms_norm_eps": 1e-6, "rope_theta": 10000000, "max_position_embeddings": 512,
         "tie_word_embeddings": false}
        """,
      })
  void familiesGiveTheLogitsOfTheirFolder(String config) throws IOException {
    Path plain = RandomFolder.write(folder.resolve("plain"), config);
    assertClose(logits(plain), logits(exported(plain)), 1e-4);
  }

  /**
   * Sinks, windows, biases of router and experts, MXFP4. GGUF does not say whether YaRN rounds; its
   * readers do, while the published configuration says otherwise.
   */
  @Test
  void gptOssGivesTheLogitsOfAFolderThatRounds() throws IOException {
    Path golden = GoldenModel.folder("gpt_oss");
    Path plain = Files.createDirectory(folder.resolve("plain"));
    Files.copy(golden.resolve("model.safetensors"), plain.resolve("model.safetensors"));
    String config = Files.readString(golden.resolve("config.json"));
    String rounding = config.replace("\"truncate\": false", "\"truncate\": true");
    assertNotEquals(config, rounding);
    Files.writeString(plain.resolve("config.json"), rounding);
    assertClose(logits(plain), logits(exported(plain)), 1e-4);
  }

  /** The weights of a folder as GGUF in F32. */
  private Path exported(Path plain) throws IOException {
    Path file = folder.resolve("model.gguf");
    try (ModelSource source = ModelSource.open(plain)) {
      new GgufExport(
              source.config(),
              (key, first, count) -> rows(source, key),
              "test",
              GgufType.F32,
              ByteTokenizer.tokens(source.config().vocabSize()))
          .write(file, written -> {});
    }
    return file;
  }

  /** Whole rows, also of biases that a folder interleaves and {@code source} has one by one. */
  private static RowSource rows(ModelSource source, TensorKey key) throws IOException {
    StoredMatrix matrix = source.stored(key);
    RowSource stored = RowDecoder.of(matrix, source::map);
    int perRow = Math.toIntExact(source.config().shape(key).getLast() / matrix.cols());
    return (row, dst, at) -> {
      for (int i = 0; i < perRow; i++) {
        stored.row(row * perRow + i, dst, at + i * matrix.cols());
      }
    };
  }

  @Test
  void otherTypesAndVocabulariesAreRefused() throws IOException {
    SyntheticModel model = new SyntheticModel(SMALL, 5);
    IllegalArgumentException type =
        assertThrows(IllegalArgumentException.class, () -> model.gguf(GgufType.Q4_K));
    assertTrue(type.getMessage().contains("not Q4_K"), type.getMessage());
    ModelConfig config = PublishedModel.MIXTRAL_8X7B.config();
    RandomModel random = new RandomModel(config, 1);
    IllegalArgumentException tokens =
        assertThrows(
            IllegalArgumentException.class,
            () -> new GgufExport(config, random, "x", GgufType.F16, List.of("a")));
    assertTrue(tokens.getMessage().contains("expected 32000 tokens"), tokens.getMessage());
  }

  /** All names and shapes are those that the reader looks for; small only in layers. */
  @ParameterizedTest
  @EnumSource(PublishedModel.class)
  void everyPublishedShapeCanBeDescribed(PublishedModel model) throws IOException {
    ModelConfig config = model.config(OptionalInt.of(4), OptionalInt.of(VOCABULARY));
    GgufExport export = new RandomModel(config, 1).gguf(model.label(), GgufType.Q8_0);
    double bits = 8.0 * export.bytes() / config.totalParameters();
    assertTrue(bits > 8.5 && bits < 9, bits + " bits per weight");
  }

  @Test
  void sameSeedSameBytes() throws IOException {
    Path first = folder.resolve("first.gguf");
    Path second = folder.resolve("second.gguf");
    for (Path file : List.of(first, second)) {
      new SyntheticModel(SMALL, 3).gguf(GgufType.F16).write(file, written -> {});
    }
    assertArrayEquals(Files.readAllBytes(first), Files.readAllBytes(second));
  }

  private static float[] logits(Path model) throws IOException {
    try (Model opened = Model.open(model, new ModelOptions(1));
        Session session = opened.newSession(64)) {
      return session.append(IDS);
    }
  }

  /** Relative to the largest logit. */
  private static void assertClose(float[] expected, float[] actual, double tolerance) {
    double largest = 0;
    double worst = 0;
    for (int i = 0; i < expected.length; i++) {
      largest = Math.max(largest, Math.abs(expected[i]));
      worst = Math.max(worst, Math.abs(expected[i] - actual[i]));
    }
    assertTrue(worst <= tolerance * largest, worst + " of " + largest);
  }
}
