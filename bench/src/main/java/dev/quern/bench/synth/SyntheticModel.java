package dev.quern.bench.synth;

import dev.quern.format.AtomicFile;
import dev.quern.format.DType;
import dev.quern.format.FloatConversion;
import dev.quern.format.FormatException;
import dev.quern.format.Json;
import dev.quern.format.SafetensorsWriter.Declared;
import dev.quern.format.gguf.GgufType;
import dev.quern.model.HuggingFaceConfig;
import dev.quern.model.ModelConfig;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes a model folder of {@code qwen3_moe} with random BF16 weights: for measuring conversion and
 * speed on shapes whose real weights are not at hand. Memory stays at one buffer, whatever the
 * size.
 */
public final class SyntheticModel {
  private static final ValueLayout.OfShort BF16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final SyntheticShape shape;
  private final long seed;
  private final RandomWeights random;
  private final List<Declared> tensors = new ArrayList<>();

  public SyntheticModel(SyntheticShape shape, long seed) {
    this.shape = shape;
    this.seed = seed;
    this.random = new RandomWeights(seed);
    declare();
  }

  /** Bytes of all weights. */
  public long bytes() {
    return ModelFolder.bytes(tensors);
  }

  /**
   * Writes the folder.
   *
   * @param folder created; must be empty if it exists
   * @param progress told the bytes written so far
   * @throws FormatException if the folder holds anything, or the disk cannot take the model
   */
  public void write(Path folder, LongConsumer progress) throws IOException {
    new ModelFolder(folder, tensors).write(this::fill, "Choose fewer --layers", progress);
    AtomicFile.writeText(folder.resolve("tokenizer.json"), ByteTokenizer.json(shape.vocabSize()));
    AtomicFile.writeText(
        folder.resolve("tokenizer_config.json"),
        "{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}\n");
    AtomicFile.writeText(folder.resolve("config.json"), config().toPrettyString() + "\n");
  }

  /**
   * The same model as one file of GGUF.
   *
   * @param type of matrices, as {@link GgufExport} takes it
   */
  public GgufExport gguf(GgufType type) throws FormatException {
    ModelConfig config = HuggingFaceConfig.of(Path.of(shape.name()), config());
    return new RandomModel(config, seed).gguf(shape.name(), type);
  }

  private void declare() {
    long hidden = shape.hiddenSize();
    long queries = (long) shape.heads() * shape.headDim();
    long keys = (long) shape.kvHeads() * shape.headDim();
    matrix("model.embed_tokens.weight", shape.vocabSize(), hidden);
    for (int layer = 0; layer < shape.layers(); layer++) {
      String prefix = "model.layers." + layer + ".";
      vector(prefix + "input_layernorm.weight", hidden);
      matrix(prefix + "self_attn.q_proj.weight", queries, hidden);
      matrix(prefix + "self_attn.k_proj.weight", keys, hidden);
      matrix(prefix + "self_attn.v_proj.weight", keys, hidden);
      matrix(prefix + "self_attn.o_proj.weight", hidden, queries);
      vector(prefix + "self_attn.q_norm.weight", shape.headDim());
      vector(prefix + "self_attn.k_norm.weight", shape.headDim());
      vector(prefix + "post_attention_layernorm.weight", hidden);
      matrix(prefix + ROUTER, shape.experts(), hidden);
      for (int expert = 0; expert < shape.experts(); expert++) {
        String expertPrefix = prefix + "mlp.experts." + expert + ".";
        matrix(expertPrefix + "gate_proj.weight", shape.expertSize(), hidden);
        matrix(expertPrefix + "up_proj.weight", shape.expertSize(), hidden);
        matrix(expertPrefix + "down_proj.weight", hidden, shape.expertSize());
      }
    }
    vector("model.norm.weight", hidden);
    matrix("lm_head.weight", shape.vocabSize(), hidden);
  }

  private static final String ROUTER = "mlp.gate.weight";

  private void matrix(String name, long rows, long cols) {
    tensors.add(new Declared(name, DType.BF16, List.of(rows, cols)));
  }

  private void vector(String name, long size) {
    tensors.add(new Declared(name, DType.BF16, List.of(size)));
  }

  private void fill(Declared tensor, long firstRow, int count, MemorySegment out) {
    if (tensor.shape().size() == 1) {
      fillOnes(tensor, out);
      return;
    }
    int cols = Math.toIntExact(tensor.shape().get(1));
    // Outlier columns everywhere but in the router, whose choice they would make for every token
    // alike.
    boolean outliers = !tensor.name().endsWith(ROUTER);
    random.fill(tensor.name(), firstRow, count, cols, 1 / Math.sqrt(cols), outliers, out);
  }

  /** Norms multiply by 1. */
  private static void fillOnes(Declared tensor, MemorySegment out) {
    for (long i = 0; i < tensor.shape().getFirst(); i++) {
      out.set(BF16, i * Short.BYTES, FloatConversion.toBf16(1));
    }
  }

  private ObjectNode config() {
    ObjectNode config = Json.mapper().createObjectNode();
    config.putArray("architectures").add("Qwen3MoeForCausalLM");
    config.put("model_type", "qwen3_moe").put("hidden_act", "silu").put("torch_dtype", "bfloat16");
    config.put("vocab_size", shape.vocabSize()).put("hidden_size", shape.hiddenSize());
    config.put("intermediate_size", shape.expertSize() * shape.topK());
    config.put("moe_intermediate_size", shape.expertSize());
    config.put("num_hidden_layers", shape.layers());
    config.put("num_attention_heads", shape.heads()).put("num_key_value_heads", shape.kvHeads());
    config.put("head_dim", shape.headDim());
    config.put("num_experts", shape.experts()).put("num_experts_per_tok", shape.topK());
    config.put("norm_topk_prob", true).put("decoder_sparse_step", 1).putArray("mlp_only_layers");
    config.put("rms_norm_eps", 1e-6).put("rope_theta", 1e6).putNull("rope_scaling");
    config.put("max_position_embeddings", 40_960).put("tie_word_embeddings", false);
    config.put("attention_bias", false).put("use_sliding_window", false);
    return config;
  }
}
