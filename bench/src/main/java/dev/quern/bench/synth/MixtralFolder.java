package dev.quern.bench.synth;

import dev.quern.format.AtomicFile;
import dev.quern.format.DType;
import dev.quern.format.FloatConversion;
import dev.quern.format.FormatException;
import dev.quern.format.SafetensorsWriter.Declared;
import dev.quern.kernels.RowSource;
import dev.quern.model.HuggingFaceConfig;
import dev.quern.model.HuggingFaceNames;
import dev.quern.model.ModelConfig;
import dev.quern.model.TensorKey;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;
import tools.jackson.databind.node.ObjectNode;

/**
 * A folder of {@code mixtral} with random BF16 weights, for runtimes that read safetensors and know
 * this family. Memory stays at some buffers, whatever the size.
 */
public final class MixtralFolder {
  private static final int BOS = 1;
  private static final int EOS = 2;

  private final ModelConfig config;
  private final ObjectNode json;
  private final RandomModel weights;
  private final Map<String, TensorKey> keys = new LinkedHashMap<>();
  private final List<Declared> tensors = new ArrayList<>();

  /**
   * @param layers the first ones; empty for all of Mixtral 8x7B
   * @param vocabSize empty for the model's
   */
  public MixtralFolder(OptionalInt layers, OptionalInt vocabSize, long seed)
      throws FormatException {
    this(PublishedModel.MIXTRAL_8X7B.json(), layers, vocabSize, seed);
  }

  /**
   * @param json {@code config.json} of the family; changed
   */
  MixtralFolder(ObjectNode json, OptionalInt layers, OptionalInt vocabSize, long seed)
      throws FormatException {
    layers.ifPresent(count -> json.put("num_hidden_layers", count));
    vocabSize.ifPresent(size -> json.put("vocab_size", size));
    json.put("bos_token_id", BOS).put("eos_token_id", EOS).put("torch_dtype", "bfloat16");
    this.json = json;
    config = HuggingFaceConfig.of(Path.of("config.json"), json);
    weights = new RandomModel(config, seed);
    config
        .tensorKeys()
        .forEach(key -> {
          keys.put(name(key), key);
          tensors.add(new Declared(name(key), DType.BF16, config.shape(key)));
        });
  }

  /** As Hugging Face's transformers name it, models/mixtral. */
  public static String name(TensorKey key) {
    String moe = "model.layers." + key.layer() + ".block_sparse_moe.";
    String expert = moe + "experts." + key.expert() + ".";
    return switch (key.role()) {
      case ROUTER -> moe + "gate.weight";
      case EXPERT_GATE -> expert + "w1.weight";
      case EXPERT_DOWN -> expert + "w2.weight";
      case EXPERT_UP -> expert + "w3.weight";
      default -> HuggingFaceNames.of(key).orElseThrow();
    };
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
    AtomicFile.writeText(folder.resolve("tokenizer.json"), ByteTokenizer.json(config.vocabSize()));
    AtomicFile.writeText(folder.resolve("README.md"), "Random weights of Mixtral's shapes.\n");
    AtomicFile.writeText(folder.resolve("config.json"), json.toPrettyString() + "\n");
  }

  private void fill(Declared tensor, long firstRow, int count, MemorySegment out) {
    int from = Math.toIntExact(firstRow);
    int cols = Math.toIntExact(tensor.shape().getLast());
    RowSource rows = weights.rows(keys.get(tensor.name()), from, count);
    IntStream.range(0, count)
        .parallel()
        .forEach(i -> {
          float[] row = new float[cols];
          rows.row(from + i, row, 0);
          FloatConversion.fromFloat(DType.BF16, row, 0, out, i * DType.BF16.bytes(cols), cols);
        });
  }
}
