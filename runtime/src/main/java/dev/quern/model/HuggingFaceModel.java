package dev.quern.model;

import dev.quern.format.FormatException;
import dev.quern.format.Json;
import dev.quern.format.RawTensor;
import dev.quern.format.SafetensorsFolder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import tools.jackson.databind.JsonNode;

/** Opens a Hugging Face folder: {@code config.json} and safetensors. */
final class HuggingFaceModel {
  private static final String USUAL = "model.";

  /** Where the text part of a model may lie. */
  private static final List<String> PREFIXES =
      List.of(USUAL, "model.language_model.", "language_model.model.", "");

  private HuggingFaceModel() {}

  static ModelSource open(Path path) throws IOException {
    Path configFile = path.resolve(ModelSource.CONFIG_NAME);
    JsonNode root = Json.read(configFile, HuggingFaceConfig.MAX_FILE_BYTES);
    ModelConfig config = HuggingFaceConfig.of(configFile, root);
    Architecture family = Architecture.ofModelType(config.modelType(), configFile.toString());
    JsonKeys quantization = quantization(configFile, root);
    SafetensorsFolder files = SafetensorsFolder.open(path);
    try {
      Map<String, RawTensor> tensors = files.rawTensors();
      StoredEncodings encodings =
          new StoredEncodings(tensors, fileName(tensors), fp8(quantization));
      TensorResolver resolver = new TensorResolver(path, config, family::huggingFace, encodings);
      Iterator<TensorKey> keys = config.tensorKeys().iterator();
      while (keys.hasNext()) {
        resolver.resolve(keys.next());
      }
      return new ModelSource.Unconverted(
          path,
          config,
          files,
          resolver,
          LeftAside.of(resolver.unused(), config.numLayers(), config.modelType()));
    } catch (Throwable e) {
      files.close();
      throw e;
    }
  }

  /** What is said of weights in F8_E4M3; the families' own files have blocks of 128 × 128. */
  private static StoredEncodings.Fp8 fp8(JsonKeys quantization) throws FormatException {
    boolean compressed = quantization.text("format", "").equals("float-quantized");
    boolean scaled =
        compressed || List.of("fp8", "fbgemm_fp8").contains(quantization.text("quant_method", ""));
    JsonKeys keys = quantization;
    String key = "weight_block_size";
    if (compressed) {
      for (JsonNode group : quantization.get("config_groups")) {
        keys = new JsonKeys(quantization.file(), group).within("weights");
        key = "block_structure";
      }
    }
    if (keys.isAbsent(key)) {
      StoredEncodings.Fp8 usual = StoredEncodings.Fp8.UNSCALED;
      return new StoredEncodings.Fp8(usual.blockRows(), usual.blockCols(), scaled);
    }
    JsonNode block = keys.list(key, 2);
    return new StoredEncodings.Fp8(
        blockSize(keys, key, block.path(0)), blockSize(keys, key, block.path(1)), scaled);
  }

  private static int blockSize(JsonKeys keys, String key, JsonNode size) throws FormatException {
    if (!size.isInt() || size.asInt() < 1) {
      throw keys.wrong(key, "two positive integers", keys.get(key));
    }
    return size.asInt();
  }

  /** The usual names begin with {@code model.}; a multimodal model keeps them further down. */
  private static UnaryOperator<String> fileName(Map<String, RawTensor> tensors) {
    for (String prefix : PREFIXES) {
      if (tensors.containsKey(prefix + "embed_tokens.weight")) {
        String head = prefix.startsWith("language_model.") ? "language_model." : "";
        return name ->
            name.startsWith(USUAL) ? prefix + name.substring(USUAL.length()) : head + name;
      }
    }
    return UnaryOperator.identity();
  }

  /**
   * @throws FormatException if weights are quantized in a way that is not read
   */
  private static JsonKeys quantization(Path file, JsonNode root) throws FormatException {
    JsonKeys keys = new JsonKeys(file, root, root.path("text_config"));
    JsonKeys quantization = keys.within("quantization_config");
    if (keys.isAbsent("quantization_config")) {
      return quantization;
    }
    String method = quantization.text("quant_method", "");
    switch (method) {
      case "mxfp4", "fp8", "fbgemm_fp8" -> {}
      case "compressed-tensors" -> {
        String format = quantization.text("format", "");
        if (!List.of("pack-quantized", "float-quantized", "dense").contains(format)) {
          throw quantization.refusal("format", "pack-quantized or float-quantized");
        }
        checkGroups(quantization, format);
      }
      default -> throw quantization.refusal("quant_method", "mxfp4, fp8 or compressed-tensors");
    }
    return quantization;
  }

  /** Packed integers are read where they are symmetric and have four bits. */
  private static void checkGroups(JsonKeys quantization, String format) throws FormatException {
    int bits = format.equals("pack-quantized") ? 4 : 8;
    String type = format.equals("pack-quantized") ? "int" : "float";
    for (JsonNode group : quantization.get("config_groups")) {
      JsonKeys weights = new JsonKeys(quantization.file(), group).within("weights");
      if (weights.integer("num_bits", 1, 16, bits) != bits) {
        throw weights.refusal("num_bits", Integer.toString(bits));
      }
      if (!weights.text("type", type).equals(type)) {
        throw weights.refusal("type", type);
      }
      if (!weights.bool("symmetric", true)) {
        throw weights.refusal("symmetric", "true");
      }
    }
  }
}
