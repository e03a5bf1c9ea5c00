package dev.quern.model;

import static dev.quern.model.ConfigLimits.MAX_EXPERTS;
import static dev.quern.model.ConfigLimits.MAX_HEAD_DIM;
import static dev.quern.model.ConfigLimits.MAX_LAYERS;
import static dev.quern.model.ConfigLimits.MAX_WIDTH;

import dev.quern.format.FormatException;
import dev.quern.format.RawTensor;
import dev.quern.format.gguf.GgufFile;
import dev.quern.format.gguf.GgufMetadata;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads the metadata of GGUF. What metadata leaves unsaid, the presence and the shapes of tensors
 * say, as in the reference runtime. Source: llama.cpp, src/llama-arch.cpp, src/llama-model.cpp.
 */
final class GgufConfig {
  // Source: gguf-py, constants.py, ExpertGatingFuncType.
  private static final int SOFTMAX_GATING = 1;
  private static final int SIGMOID_GATING = 2;
  private static final int SOFTMAX_OF_CHOSEN_GATING = 3;

  /** Of GLM-4.7-Flash, whose first files leave the gating function out. */
  private static final int GLM_VOCABULARY = 154_880;

  // Keys by which relatives of these families compute something else, with what leaves it out.
  private static final List<String> NEVER_BUT_ZERO =
      List.of(
          "attention.scale",
          "attention.clamp_kqv",
          "attention.max_alibi_bias",
          "attention.output_scale",
          "attention.temperature_scale",
          "attention.temperature_length",
          "attn_logit_softcapping",
          "router_logit_softcapping",
          "final_logit_softcapping");
  private static final List<String> NEVER_BUT_ONE =
      List.of("logit_scale", "residual_scale", "embedding_scale");

  private final GgufFile file;
  private final GgufMetadata metadata;
  private final Map<String, RawTensor> tensors;
  private final Architecture family;
  private final String prefix;
  private final int numLayers;
  private final int numHeads;
  private final int hiddenSize;
  private final GgufRope rope;

  private GgufConfig(GgufFile file, Map<String, RawTensor> tensors) throws FormatException {
    this.file = file;
    this.metadata = file.metadata();
    this.tensors = tensors;
    String name = metadata.string("general.architecture");
    prefix = name + ".";
    Architecture named = named(name);
    numLayers =
        integer("block_count", 1, MAX_LAYERS)
            - integer("nextn_predict_layers", 0, MAX_LAYERS - 1, 0);
    boolean v3 = named.equals(Architecture.DEEPSEEK_V2) && gating(named) == SIGMOID_GATING;
    family = v3 ? Architecture.DEEPSEEK_V3 : named;
    numHeads = uniform("attention.head_count", MAX_HEAD_DIM);
    hiddenSize = integer("embedding_length", 1, MAX_WIDTH);
    rope = new GgufRope(file, tensors, prefix, family.has(Trait.LATENT_ATTENTION));
  }

  /**
   * @param tensors of the file
   * @throws FormatException if a key is missing, of the wrong type or out of range, or the family
   *     is not supported
   */
  static ModelConfig read(GgufFile file, Map<String, RawTensor> tensors) throws FormatException {
    try {
      return new GgufConfig(file, tensors).config();
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new FormatException(file.path().getFileName() + ": " + e.getMessage(), e);
    }
  }

  /** The family of a name; Mixtral shares that of Llama, and DeepSeek-V3 that of V2. */
  private Architecture named(String name) throws FormatException {
    if (name.equals("llama") && integer("expert_count", 0, MAX_EXPERTS, 0) > 0) {
      return Architecture.MIXTRAL;
    }
    return Architecture.ofGgufName(
        name, file.path().getFileName() + ", key 'general.architecture'");
  }

  /** The function that turns the router's logits into scores; 0 is unsaid. */
  private int gating(Architecture found) throws FormatException {
    int gating = integer("expert_gating_func", 0, SOFTMAX_OF_CHOSEN_GATING, 0);
    if (gating != 0) {
      return gating;
    }
    boolean glm =
        found.equals(Architecture.DEEPSEEK_V2)
            && (numLayers == 47 || numLayers == 48)
            && shape("token_embd.weight").getFirst() == GLM_VOCABULARY;
    return glm || found.has(Trait.SIGMOID_ROUTER) ? SIGMOID_GATING : SOFTMAX_GATING;
  }

  private void refuseUnsupported() throws FormatException {
    for (String key : NEVER_BUT_ZERO) {
      double value = metadata.real(prefix + key, 0);
      if (value != 0) {
        throw wrong(key, "none, or 0", value);
      }
    }
    for (String key : NEVER_BUT_ONE) {
      double value = metadata.real(prefix + key, 1);
      if (value != 1 && value != 0) {
        throw wrong(key, "none, or 1", value);
      }
    }
    if (metadata.bool(prefix + "use_parallel_residual", false)) {
      throw wrong("use_parallel_residual", "false", true);
    }
    if (!metadata.bool(prefix + "attention.causal", true)) {
      throw wrong("attention.causal", "true", false);
    }
  }

  private ModelConfig config() throws FormatException {
    if (numLayers < 1) {
      throw wrong("nextn_predict_layers", "fewer layers than block_count", numLayers);
    }
    refuseUnsupported();
    Optional<FeedForward.Experts> experts = experts();
    List<ModelConfig.Layer> layers = new ArrayList<>();
    boolean[] recurrent = recurrentLayers();
    Optional<TokenMixer.Latent> latent =
        family.has(Trait.LATENT_ATTENTION) ? Optional.of(latent()) : Optional.empty();
    Optional<TokenMixer.DeltaNet> delta =
        family.has(Trait.DELTA_NET) ? Optional.of(deltaNet()) : Optional.empty();
    int window =
        family.has(Trait.SLIDING_EVEN_LAYERS)
            ? integer("attention.sliding_window", 1, Integer.MAX_VALUE)
            : 0;
    for (int layer = 0; layer < numLayers; layer++) {
      boolean slides = family.has(Trait.SLIDING_EVEN_LAYERS) && layer % 2 == 0;
      TokenMixer mixer;
      if (latent.isPresent()) {
        mixer = latent.get();
      } else if (recurrent[layer]) {
        mixer = delta.orElseThrow();
      } else {
        mixer = groupedQuery(layer, slides ? window : 0);
      }
      boolean withExperts = experts.isPresent() && has(layer, "ffn_gate_inp.weight");
      FeedForward feedForward =
          withExperts ? experts.get() : new FeedForward.Dense(rows(layer, "ffn_up.weight"));
      layers.add(new ModelConfig.Layer(mixer, feedForward));
    }
    return new ModelConfig(
        family.modelType(),
        hiddenSize,
        Math.toIntExact(shape("token_embd.weight").getFirst()),
        integer("context_length", 1, Integer.MAX_VALUE),
        (float) metadata.real(prefix + "attention.layer_norm_rms_epsilon"),
        !tensors.containsKey("output.weight"),
        family.has(Trait.CLAMPED_SWIGLU)
            ? new Activation.ClampedSwiGlu(
                Activation.ClampedSwiGlu.GPT_OSS_LIMIT, Activation.ClampedSwiGlu.GPT_OSS_ALPHA)
            : new Activation.SwiGlu(),
        layers);
  }

  private boolean[] recurrentLayers() throws FormatException {
    boolean[] recurrent = new boolean[numLayers];
    if (!family.has(Trait.DELTA_NET)) {
      return recurrent;
    }
    for (int layer = 0; layer < numLayers; layer++) {
      recurrent[layer] = has(layer, "ssm_out.weight");
    }
    return recurrent;
  }

  private TokenMixer.GroupedQuery groupedQuery(int layer, int window) throws FormatException {
    int headDim =
        integer("attention.key_length", 2, MAX_HEAD_DIM, Math.max(2, hiddenSize / numHeads));
    int valueDim = integer("attention.value_length", 2, MAX_HEAD_DIM, headDim);
    if (valueDim != headDim) {
      throw wrong("attention.value_length", "the key length, " + headDim, valueDim);
    }
    int rotaryDim = integer("rope.dimension_count", 2, MAX_HEAD_DIM, headDim);
    QkNorm norm =
        !has(layer, "attn_q_norm.weight")
            ? QkNorm.NONE
            : family.has(Trait.QK_NORM_WHOLE) ? QkNorm.WHOLE : QkNorm.PER_HEAD;
    return new TokenMixer.GroupedQuery(
        numHeads,
        metadata.has(prefix + "attention.head_count_kv")
            ? uniform("attention.head_count_kv", numHeads)
            : numHeads,
        headDim,
        norm,
        has(layer, "attn_q.bias"),
        has(layer, "attn_output.bias"),
        has(layer, "attn_sinks.weight"),
        family.has(Trait.GATED_ATTENTION),
        window,
        (float) (1 / Math.sqrt(headDim)),
        Optional.of(rope.read(rotaryDim, pairing())));
  }

  /** The converters of these families permute q and k so that neighbours are turned together. */
  private RopePairing pairing() {
    boolean permuted = prefix.equals("llama.");
    return permuted ? RopePairing.ADJACENT : RopePairing.HALVES;
  }

  private TokenMixer.Latent latent() throws FormatException {
    int valueDim =
        integer(
            "attention.value_length_mla",
            1,
            MAX_HEAD_DIM,
            integer("attention.value_length", 1, MAX_HEAD_DIM));
    int keyDim =
        integer(
            "attention.key_length_mla",
            1,
            MAX_HEAD_DIM,
            integer("attention.key_length", 1, MAX_HEAD_DIM));
    int rotary = integer("rope.dimension_count", 2, MAX_HEAD_DIM);
    return new TokenMixer.Latent(
        numHeads,
        integer("attention.q_lora_rank", 0, MAX_WIDTH, 0),
        integer("attention.kv_lora_rank", 1, MAX_WIDTH),
        keyDim - rotary,
        valueDim,
        rope.latentScale(keyDim),
        rope.read(rotary, RopePairing.ADJACENT));
  }

  private TokenMixer.DeltaNet deltaNet() throws FormatException {
    int valueHeads = integer("ssm.time_step_rank", 1, MAX_HEAD_DIM);
    int inner = integer("ssm.inner_size", 1, MAX_WIDTH);
    return new TokenMixer.DeltaNet(
        integer("ssm.group_count", 1, MAX_HEAD_DIM),
        valueHeads,
        integer("ssm.state_size", 1, MAX_HEAD_DIM),
        inner / valueHeads,
        integer("ssm.conv_kernel", 1, 1024),
        prefix.equals("qwen3next.")
            ? TokenMixer.DeltaNet.HeadOrder.GROUPED
            : TokenMixer.DeltaNet.HeadOrder.TILED);
  }

  private Optional<FeedForward.Experts> experts() throws FormatException {
    int count = integer("expert_count", 0, MAX_EXPERTS, 0);
    if (count == 0) {
      return Optional.empty();
    }
    int first = 0;
    while (first < numLayers && !has(first, "ffn_gate_inp.weight")) {
      first++;
    }
    if (first == numLayers) {
      throw wrong("expert_count", "a router in some layer", count);
    }
    boolean shared = has(first, "ffn_up_shexp.weight");
    return Optional.of(
        new FeedForward.Experts(
            count,
            integer("expert_used_count", 1, MAX_EXPERTS),
            expertSize(first),
            has(first, "ffn_up_exps.bias"),
            shared ? rows(first, "ffn_up_shexp.weight") : 0,
            has(first, "ffn_gate_inp_shexp.weight"),
            routing(first)));
  }

  /** Rows of an expert's up, however the experts are kept. */
  private int expertSize(int layer) throws FormatException {
    if (has(layer, "ffn_up_exps.weight")) {
      return rows(layer, "ffn_up_exps.weight");
    }
    if (has(layer, "ffn_gate_up_exps.weight")) {
      return rows(layer, "ffn_gate_up_exps.weight") / 2;
    }
    return has(layer, "ffn_up.0.weight")
        ? rows(layer, "ffn_up.0.weight")
        : integer("expert_feed_forward_length", 1, MAX_WIDTH);
  }

  private Routing routing(int layer) throws FormatException {
    int gating = gating(family);
    boolean selectionBias = has(layer, "exp_probs_b.bias") || has(layer, "exp_probs_b");
    double scale = metadata.real(prefix + "expert_weights_scale", 1);
    return new Routing(
        gating == SIGMOID_GATING ? Routing.Score.SIGMOID : Routing.Score.SOFTMAX,
        has(layer, "ffn_gate_inp.bias"),
        selectionBias,
        Math.max(1, integer("expert_group_count", 0, MAX_EXPERTS, 1)),
        Math.max(1, integer("expert_group_used_count", 0, MAX_EXPERTS, 1)),
        selectionBias ? Routing.GroupScore.SUM_OF_TWO_BEST : Routing.GroupScore.BEST,
        gating == SOFTMAX_OF_CHOSEN_GATING
            || metadata.bool(prefix + "expert_weights_norm", normalises()),
        scale == 0 ? 1 : (float) scale);
  }

  /** What the reference runtime does where the file does not say. */
  private boolean normalises() {
    return switch (family.modelType()) {
      case "qwen2_moe", "olmoe", "deepseek_v2", "deepseek_v3" -> false;
      default -> true;
    };
  }

  private boolean has(int layer, String suffix) {
    return tensors.containsKey("blk." + layer + "." + suffix);
  }

  private List<Long> shape(String name) throws FormatException {
    RawTensor tensor = tensors.get(name);
    if (tensor == null || tensor.shape().size() < 2) {
      throw FormatException.of(
          file.path(),
          "tensors",
          "matrix",
          name,
          tensor == null ? "none" : tensor.shape(),
          "Is the file complete?");
    }
    return tensor.shape();
  }

  private int rows(int layer, String suffix) throws FormatException {
    List<Long> shape = shape("blk." + layer + "." + suffix);
    return Math.toIntExact(shape.get(shape.size() - 2));
  }

  private int integer(String key, int min, int max) throws FormatException {
    return (int) metadata.integer(prefix + key, min, max);
  }

  private int integer(String key, int min, int max, int absent) throws FormatException {
    return (int) metadata.integer(prefix + key, min, max, absent);
  }

  /**
   * A number, or a list of the same number for every layer that has it; zeros are layers without.
   */
  private int uniform(String key, int max) throws FormatException {
    if (!metadata.isArray(prefix + key)) {
      return integer(key, 1, max);
    }
    int found = 0;
    for (int value : metadata.integers(prefix + key)) {
      if (value != 0 && found != 0 && value != found || value < 0 || value > max) {
        throw wrong(key, "the same number from 1 to " + max + " for all layers", value);
      }
      found = Math.max(found, value);
    }
    if (found == 0) {
      throw wrong(key, "a number from 1 to " + max, "none");
    }
    return found;
  }

  private FormatException wrong(String key, String expected, Object found) {
    Path path = file.path();
    return FormatException.of(path, "key '" + prefix + key + "'", "value", expected, found, "");
  }
}
