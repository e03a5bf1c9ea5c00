package dev.quern.bench.synth;

import dev.quern.format.AtomicFile;
import dev.quern.format.DType;
import dev.quern.format.FloatConversion;
import dev.quern.format.FormatException;
import dev.quern.format.Json;
import dev.quern.format.SafetensorsWriter;
import dev.quern.format.SafetensorsWriter.Declared;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import java.util.stream.Stream;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes a model folder of {@code qwen3_moe} with random BF16 weights: for measuring conversion and
 * speed on shapes whose real weights are not at hand. Memory stays at one buffer, whatever the
 * size.
 */
public final class SyntheticModel {
  private static final long MAX_SHARD_BYTES = 4L << 30;
  private static final int BUFFER_BYTES = 32 << 20;
  private static final ValueLayout.OfShort BF16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final SyntheticShape shape;
  private final RandomWeights random;
  private final List<Declared> tensors = new ArrayList<>();

  public SyntheticModel(SyntheticShape shape, long seed) {
    this.shape = shape;
    this.random = new RandomWeights(seed);
    declare();
  }

  /** Bytes of all weights. */
  public long bytes() {
    return tensors.stream().mapToLong(Declared::bytes).sum();
  }

  /**
   * Writes the folder.
   *
   * @param folder created; must be empty if it exists
   * @param progress told the bytes written so far
   * @throws FormatException if the folder holds anything, or the disk cannot take the model
   */
  public void write(Path folder, LongConsumer progress) throws IOException {
    prepare(folder);
    List<List<Declared>> shards = shards();
    ObjectNode index = Json.mapper().createObjectNode();
    index.putObject("metadata").put("total_size", bytes());
    ObjectNode map = index.putObject("weight_map");
    try (Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(BUFFER_BYTES, 64);
      long written = 0;
      for (int s = 0; s < shards.size(); s++) {
        String name = "model-%05d-of-%05d.safetensors".formatted(s + 1, shards.size());
        try (SafetensorsWriter writer =
            SafetensorsWriter.create(folder.resolve(name), shards.get(s), Map.of("format", "pt"))) {
          for (Declared tensor : shards.get(s)) {
            map.put(tensor.name(), name);
            writeTensor(writer, tensor, buffer);
            written += tensor.bytes();
            progress.accept(written);
          }
          writer.finish();
        }
      }
    }
    AtomicFile.writeText(folder.resolve("model.safetensors.index.json"), index.toString());
    AtomicFile.writeText(folder.resolve("tokenizer.json"), ByteTokenizer.json(shape.vocabSize()));
    AtomicFile.writeText(
        folder.resolve("tokenizer_config.json"),
        "{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}\n");
    AtomicFile.writeText(folder.resolve("config.json"), config());
  }

  private void prepare(Path folder) throws IOException {
    if (Files.exists(folder)) {
      try (Stream<Path> entries = Files.list(folder)) {
        if (entries.findAny().isPresent()) {
          throw new FormatException(
              folder + " is not empty. Name a new folder, or remove this one");
        }
      }
    }
    Files.createDirectories(folder);
    long usable = Files.getFileStore(folder).getUsableSpace();
    if (usable < bytes()) {
      throw new FormatException(
          "%s: the model needs %,d MB, the disk has %,d MB. Choose fewer --layers"
              .formatted(folder, bytes() >> 20, usable >> 20));
    }
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

  private List<List<Declared>> shards() {
    List<List<Declared>> shards = new ArrayList<>();
    long bytes = MAX_SHARD_BYTES;
    for (Declared tensor : tensors) {
      if (bytes + tensor.bytes() > MAX_SHARD_BYTES) {
        shards.add(new ArrayList<>());
        bytes = 0;
      }
      shards.getLast().add(tensor);
      bytes += tensor.bytes();
    }
    return shards;
  }

  private void writeTensor(SafetensorsWriter writer, Declared tensor, MemorySegment buffer)
      throws IOException {
    if (tensor.shape().size() == 1) {
      writeOnes(writer, tensor, buffer);
      return;
    }
    long rows = tensor.shape().get(0);
    int cols = Math.toIntExact(tensor.shape().get(1));
    // Outlier columns everywhere but in the router, whose choice they would make for every token
    // alike.
    boolean outliers = !tensor.name().endsWith(ROUTER);
    int atOnce = Math.toIntExact(Math.min(rows, BUFFER_BYTES / ((long) cols * Short.BYTES)));
    for (long row = 0; row < rows; row += atOnce) {
      int count = (int) Math.min(atOnce, rows - row);
      random.fill(tensor.name(), row, count, cols, 1 / Math.sqrt(cols), outliers, buffer);
      writer.write(tensor.name(), buffer.asSlice(0, (long) count * cols * Short.BYTES));
    }
  }

  /** Norms multiply by 1. */
  private static void writeOnes(SafetensorsWriter writer, Declared tensor, MemorySegment buffer)
      throws IOException {
    long size = tensor.shape().getFirst();
    for (long i = 0; i < size; i++) {
      buffer.set(BF16, i * Short.BYTES, FloatConversion.toBf16(1));
    }
    writer.write(tensor.name(), buffer.asSlice(0, size * Short.BYTES));
  }

  private String config() {
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
    return config.toPrettyString() + "\n";
  }
}
