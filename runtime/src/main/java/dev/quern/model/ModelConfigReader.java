package dev.quern.model;

import dev.quern.format.FormatException;
import dev.quern.format.Json;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * Reads {@code config.json} as Hugging Face writes it. Every refusal names the file and the key.
 *
 * <p>What this forward pass does not compute is refused, not ignored: RoPE scaling, sliding
 * windows, attention biases, activations other than SiLU.
 */
public final class ModelConfigReader {
  private static final int MAX_FILE_BYTES = 16 << 20;
  private static final int MAX_LAYERS = 10_000;
  private static final int MAX_EXPERTS = 100_000;
  private static final int MAX_WIDTH = 1 << 24;
  private static final int MAX_HEAD_DIM = 1 << 16;

  private final Path file;
  private final JsonNode root;

  private ModelConfigReader(Path file, JsonNode root) {
    this.file = file;
    this.root = root;
  }

  /**
   * @throws FormatException if the file is not JSON, a key is missing, of the wrong kind or out of
   *     range, or asks for what is not supported
   */
  public static ModelConfig read(Path file) throws IOException {
    return of(file, Json.read(file, MAX_FILE_BYTES));
  }

  /**
   * @param file where the object was found, for messages
   * @param root the object that config.json holds
   * @throws FormatException as {@link #read}
   */
  public static ModelConfig of(Path file, JsonNode root) throws FormatException {
    return new ModelConfigReader(file, root).config();
  }

  private ModelConfig config() throws FormatException {
    if (!root.isObject()) {
      throw FormatException.of(file, "top level", "JSON", "an object", describe(root), "");
    }
    JsonNode type = root.path("model_type");
    if (!type.isString()) {
      throw FormatException.of(
          file, "key 'model_type'", "model type", "a name", describe(type), supported());
    }
    Architecture.ofModelType(type.asString(), file.getFileName() + ", key 'model_type'");
    refuseUnsupported();
    int hiddenSize = integer("hidden_size", 1, MAX_WIDTH);
    int numLayers = integer("num_hidden_layers", 1, MAX_LAYERS);
    int numHeads = integer("num_attention_heads", 1, MAX_HEAD_DIM);
    int numExperts = integer("num_experts", 0, MAX_EXPERTS, 0);
    try {
      return new ModelConfig(
          type.asString(),
          hiddenSize,
          numLayers,
          numHeads,
          integer("num_key_value_heads", 1, numHeads, numHeads),
          integer("head_dim", 2, MAX_HEAD_DIM, Math.max(2, hiddenSize / numHeads)),
          numExperts == 0 ? 0 : integer("moe_intermediate_size", 1, MAX_WIDTH),
          integer("intermediate_size", 1, MAX_WIDTH),
          numExperts,
          numExperts == 0 ? 0 : integer("num_experts_per_tok", 1, MAX_EXPERTS),
          bool("norm_topk_prob", false),
          integer("vocab_size", 1, MAX_WIDTH),
          (float) real("rms_norm_eps", 1e-6),
          ropeTheta(),
          integer("max_position_embeddings", 1, Integer.MAX_VALUE, 32768),
          bool("tie_word_embeddings", false),
          integer("decoder_sparse_step", 1, MAX_LAYERS, 1),
          mlpOnlyLayers(numLayers));
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new FormatException(file.getFileName() + ": " + e.getMessage(), e);
    }
  }

  private static String supported() {
    return "Supported: " + String.join(", ", Architecture.supported());
  }

  private void refuseUnsupported() throws FormatException {
    for (String key : new String[] {"rope_scaling", "rope_parameters"}) {
      JsonNode scaling = root.path(key);
      if (!scaling.isMissingNode() && !scaling.isNull()) {
        JsonNode kind = scaling.has("rope_type") ? scaling.path("rope_type") : scaling.path("type");
        if (!kind.isString() || !kind.asString().equals("default")) {
          throw refusal(key, "null or type 'default'", scaling);
        }
      }
    }
    if (!isAbsent("quantization_config")) {
      throw refusal("quantization_config", "none", root.path("quantization_config"));
    }
    if (bool("use_sliding_window", false)) {
      throw refusal("use_sliding_window", "false", root.path("use_sliding_window"));
    }
    if (bool("attention_bias", false)) {
      throw refusal("attention_bias", "false", root.path("attention_bias"));
    }
    JsonNode activation = root.path("hidden_act");
    if (!activation.isMissingNode()
        && !(activation.isString() && activation.asString().equals("silu"))) {
      throw refusal("hidden_act", "'silu'", activation);
    }
  }

  private FormatException refusal(String key, String expected, JsonNode found) {
    return FormatException.of(
        file, "key '" + key + "'", "value", expected, describe(found), "Not supported yet");
  }

  private double ropeTheta() throws FormatException {
    // transformers 5 moved the key into an object.
    JsonNode nested = root.path("rope_parameters").path("rope_theta");
    return nested.isMissingNode() ? real("rope_theta", 10_000) : finite("rope_theta", nested);
  }

  private double finite(String key, JsonNode value) throws FormatException {
    // The number's text, since a value beyond double has no other form.
    double number = value.isNumber() ? Double.parseDouble(value.asString()) : Double.NaN;
    if (!Double.isFinite(number)) {
      throw wrong(key, "a finite number", value);
    }
    return number;
  }

  private Set<Integer> mlpOnlyLayers(int numLayers) throws FormatException {
    JsonNode list = root.path("mlp_only_layers");
    Set<Integer> layers = new HashSet<>();
    if (list.isMissingNode() || list.isNull()) {
      return layers;
    }
    for (JsonNode layer : list) {
      if (!layer.isInt() || layer.asInt() < 0 || layer.asInt() >= numLayers) {
        throw wrong("mlp_only_layers", "layers from 0 to " + (numLayers - 1), layer);
      }
      layers.add(layer.asInt());
    }
    return layers;
  }

  private int integer(String key, int min, int max) throws FormatException {
    JsonNode value = root.path(key);
    if (!value.isIntegralNumber()
        || !value.canConvertToInt()
        || value.asInt() < min
        || value.asInt() > max) {
      throw wrong(key, "an integer from " + min + " to " + max, value);
    }
    return value.asInt();
  }

  private int integer(String key, int min, int max, int whenAbsent) throws FormatException {
    return isAbsent(key) ? whenAbsent : integer(key, min, max);
  }

  private double real(String key, double whenAbsent) throws FormatException {
    if (isAbsent(key)) {
      return whenAbsent;
    }
    JsonNode value = root.path(key);
    return finite(key, value);
  }

  private boolean bool(String key, boolean whenAbsent) throws FormatException {
    if (isAbsent(key)) {
      return whenAbsent;
    }
    JsonNode value = root.path(key);
    if (!value.isBoolean()) {
      throw wrong(key, "true or false", value);
    }
    return value.asBoolean();
  }

  private boolean isAbsent(String key) {
    return root.path(key).isMissingNode() || root.path(key).isNull();
  }

  private FormatException wrong(String key, String expected, JsonNode found) {
    return FormatException.of(file, "key '" + key + "'", "value", expected, describe(found), "");
  }

  private static String describe(JsonNode node) {
    return node.isMissingNode() ? "nothing" : node.toString();
  }
}
