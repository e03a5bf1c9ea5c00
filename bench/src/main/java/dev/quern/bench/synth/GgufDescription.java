package dev.quern.bench.synth;

import dev.quern.format.FormatException;
import dev.quern.format.gguf.GgufPairs;
import dev.quern.format.gguf.GgufType;
import dev.quern.model.FeedForward;
import dev.quern.model.GgufNames;
import dev.quern.model.ModelConfig;
import dev.quern.model.RopeConfig;
import dev.quern.model.RopeScaling;
import dev.quern.model.Routing;
import dev.quern.model.TensorKey;
import dev.quern.model.TensorRole;
import dev.quern.model.TokenMixer;
import java.util.Collections;
import java.util.List;
import java.util.Set;

/**
 * What GGUF says of a model beside its weights. Source: llama.cpp, gguf-py, constants.py, and
 * convert_hf_to_gguf.py for what each family's converter writes.
 */
final class GgufDescription {
  private static final int QUANTIZATION_VERSION = 2;
  // Source: gguf-py, constants.py, ExpertGatingFuncType.
  private static final int SOFTMAX = 1;
  private static final int SIGMOID = 2;
  private static final int SOFTMAX_OF_CHOSEN = 3;
  private static final int NORMAL_TOKEN = 1;

  /** Families that call the norm before the MLP by its place after attention. */
  private static final Set<String> POST_ATTENTION_NORM =
      Set.of("gpt-oss", "glm4moe", "qwen3next", "qwen35", "qwen35moe");

  private final ModelConfig config;
  private final GgufPairs pairs = new GgufPairs();
  private final String prefix;

  private GgufDescription(ModelConfig config) throws FormatException {
    this.config = config;
    String architecture = architecture(config.modelType());
    prefix = architecture + ".";
    pairs.text("general.architecture", architecture);
  }

  static GgufPairs of(ModelConfig config, String name, GgufType type, List<String> tokens)
      throws FormatException {
    GgufDescription description = new GgufDescription(config);
    description.general(name, type);
    description.sizes();
    description.mixers();
    description.experts();
    description.tokenizer(tokens);
    return description.pairs;
  }

  /** {@code general.architecture} of a family. */
  static String architecture(String modelType) throws FormatException {
    return switch (modelType) {
      case "llama", "mistral", "mixtral" -> "llama";
      case "qwen2", "qwen3", "olmoe" -> modelType;
      case "qwen2_moe" -> "qwen2moe";
      case "qwen3_moe" -> "qwen3moe";
      case "gpt_oss" -> "gpt-oss";
      case "deepseek_v2", "deepseek_v3" -> "deepseek2";
      case "glm4_moe" -> "glm4moe";
      case "qwen3_next" -> "qwen3next";
      case "qwen3_5" -> "qwen35";
      case "qwen3_5_moe" -> "qwen35moe";
      default -> throw new FormatException("model type " + modelType + ": GGUF has no name for it");
    };
  }

  static String tensorName(ModelConfig config, TensorKey key) throws FormatException {
    String architecture = architecture(config.modelType());
    String layer = "blk." + key.layer() + ".";
    return switch (key.role()) {
      case MLP_NORM ->
          POST_ATTENTION_NORM.contains(architecture)
              ? layer + "post_attention_norm.weight"
              : GgufNames.of(key);
      case DELTA_BETA, DELTA_ALPHA ->
          architecture.equals("qwen3next") ? layer + "ssm_ba.weight" : GgufNames.of(key);
      default -> GgufNames.of(key);
    };
  }

  /** Whether the tensors that are one in GGUF take turns in it, by key head: beta, alpha. */
  static boolean rowsTakeTurns(List<TensorKey> keys) {
    return keys.size() > 1 && keys.getFirst().role() == TensorRole.DELTA_BETA;
  }

  private void general(String name, GgufType type) {
    pairs.text("general.name", name).text("general.type", "model");
    pairs.whole("general.quantization_version", QUANTIZATION_VERSION);
    int fileType =
        switch (type) {
          case F32 -> 0;
          case F16 -> 1;
          case Q4_0 -> 2;
          case Q8_0 -> 7;
          case BF16 -> 32;
          default -> throw new IllegalArgumentException("no file type of " + type);
        };
    pairs.whole("general.file_type", fileType);
  }

  private void sizes() {
    pairs.whole(prefix + "block_count", config.numLayers());
    pairs.whole(prefix + "context_length", config.maxPositions());
    pairs.whole(prefix + "embedding_length", config.hiddenSize());
    pairs.whole(prefix + "vocab_size", config.vocabSize());
    pairs.real(prefix + "attention.layer_norm_rms_epsilon", config.rmsNormEpsilon());
    pairs.whole(prefix + "feed_forward_length", feedForwardLength());
  }

  /** Of a dense layer; where there is none, what a token passes of a layer with experts. */
  private int feedForwardLength() {
    for (ModelConfig.Layer layer : config.layers()) {
      if (layer.feedForward() instanceof FeedForward.Dense(int size)) {
        return size;
      }
    }
    FeedForward.Experts experts = config.experts().orElseThrow();
    boolean expertsAreAll = prefix.equals("llama.") || prefix.equals("gpt-oss.");
    return experts.expertSize() * (expertsAreAll ? 1 : experts.topK());
  }

  private void mixers() {
    int recurrent = 0;
    boolean described = false;
    for (ModelConfig.Layer layer : config.layers()) {
      switch (layer.mixer()) {
        case TokenMixer.GroupedQuery m -> {
          if (!described) {
            groupedQuery(m);
            described = true;
          }
        }
        case TokenMixer.Latent m -> {
          if (!described) {
            latent(m);
            described = true;
          }
        }
        case TokenMixer.DeltaNet m -> {
          if (recurrent++ == 0) {
            deltaNet(m);
          }
        }
      }
    }
    if (recurrent > 0) {
      pairs.whole(prefix + "full_attention_interval", fullAttentionInterval());
    }
  }

  private int fullAttentionInterval() {
    int first = 0;
    while (first < config.numLayers()
        && config.layers().get(first).mixer() instanceof TokenMixer.DeltaNet) {
      first++;
    }
    return first + 1;
  }

  private void groupedQuery(TokenMixer.GroupedQuery m) {
    pairs.whole(prefix + "attention.head_count", m.numHeads());
    pairs.whole(prefix + "attention.head_count_kv", m.numKvHeads());
    pairs.whole(prefix + "attention.key_length", m.headDim());
    pairs.whole(prefix + "attention.value_length", m.headDim());
    config.layers().stream()
        .map(ModelConfig.Layer::mixer)
        .filter(TokenMixer.GroupedQuery.class::isInstance)
        .mapToInt(mixer -> ((TokenMixer.GroupedQuery) mixer).window())
        .max()
        .stream()
        .filter(window -> window > 0)
        .forEach(window -> pairs.whole(prefix + "attention.sliding_window", window));
    m.rope().ifPresent(this::rope);
  }

  /** Keys and values as llama.cpp keeps them: one latent for all heads. */
  private void latent(TokenMixer.Latent m) {
    int rotary = m.rope().rotaryDim();
    pairs.whole(prefix + "attention.head_count", m.numHeads());
    pairs.whole(prefix + "attention.head_count_kv", 1);
    pairs.whole(prefix + "attention.kv_lora_rank", m.latentSize());
    if (m.queryRank() > 0) {
      pairs.whole(prefix + "attention.q_lora_rank", m.queryRank());
    }
    pairs.whole(prefix + "attention.key_length", m.latentSize() + rotary);
    pairs.whole(prefix + "attention.value_length", m.latentSize());
    pairs.whole(prefix + "attention.key_length_mla", m.headDim() + rotary);
    pairs.whole(prefix + "attention.value_length_mla", m.valueDim());
    rope(m.rope());
    if (m.rope().scaling() instanceof RopeScaling.Yarn yarn) {
      // The scale is 1/√size times the square of 1 + multiplier · ln(factor).
      double plain = m.scale() * Math.sqrt(m.headDim() + rotary);
      double multiplier = (Math.sqrt(plain) - 1) / Math.log(yarn.factor());
      pairs.real(prefix + "rope.scaling.yarn_log_multiplier", (float) multiplier);
    }
  }

  private void deltaNet(TokenMixer.DeltaNet m) {
    pairs.whole(prefix + "ssm.conv_kernel", m.kernelSize());
    pairs.whole(prefix + "ssm.state_size", m.keyDim());
    pairs.whole(prefix + "ssm.group_count", m.numKeyHeads());
    pairs.whole(prefix + "ssm.time_step_rank", m.numValueHeads());
    pairs.whole(prefix + "ssm.inner_size", m.valueSize());
  }

  private void rope(RopeConfig rope) {
    pairs.whole(prefix + "rope.dimension_count", rope.rotaryDim());
    pairs.real(prefix + "rope.freq_base", (float) rope.theta());
    switch (rope.scaling()) {
      case RopeScaling.None none -> {}
      case RopeScaling.Linear(double factor) -> {
        pairs.text(prefix + "rope.scaling.type", "linear");
        pairs.real(prefix + "rope.scaling.factor", (float) factor);
      }
      case RopeScaling.Yarn yarn -> {
        pairs.text(prefix + "rope.scaling.type", "yarn");
        pairs.real(prefix + "rope.scaling.factor", (float) yarn.factor());
        pairs.whole(prefix + "rope.scaling.original_context_length", yarn.original());
        pairs.real(prefix + "rope.scaling.yarn_beta_fast", (float) yarn.betaFast());
        pairs.real(prefix + "rope.scaling.yarn_beta_slow", (float) yarn.betaSlow());
      }
      case RopeScaling.Llama3 scaling -> throw unwritten(scaling);
      case RopeScaling.Divisors scaling -> throw unwritten(scaling);
    }
  }

  private static IllegalArgumentException unwritten(RopeScaling scaling) {
    return new IllegalArgumentException("GGUF is not written with RoPE of " + scaling);
  }

  private void experts() {
    if (config.experts().isEmpty()) {
      return;
    }
    FeedForward.Experts experts = config.experts().get();
    Routing routing = experts.routing();
    pairs.whole(prefix + "expert_count", experts.numExperts());
    pairs.whole(prefix + "expert_used_count", experts.topK());
    pairs.whole(prefix + "expert_feed_forward_length", experts.expertSize());
    if (experts.sharedSize() > 0) {
      if (experts.sharedGate()) {
        pairs.whole(prefix + "expert_shared_feed_forward_length", experts.sharedSize());
      } else {
        pairs.whole(prefix + "expert_shared_count", experts.sharedSize() / experts.expertSize());
      }
    }
    int dense = 0;
    while (!config.hasExperts(dense)) {
      dense++;
    }
    if (dense > 0) {
      pairs.whole(prefix + "leading_dense_block_count", dense);
    }
    if (routing.groups() > 1) {
      pairs.whole(prefix + "expert_group_count", routing.groups());
      pairs.whole(prefix + "expert_group_used_count", routing.groupsUsed());
    }
    pairs.flag(prefix + "expert_weights_norm", routing.normalise());
    pairs.real(prefix + "expert_weights_scale", routing.scale());
    pairs.whole(prefix + "expert_gating_func", gating(routing));
  }

  private int gating(Routing routing) {
    if (prefix.equals("gpt-oss.")) {
      return SOFTMAX_OF_CHOSEN;
    }
    return switch (routing.score()) {
      case SOFTMAX -> SOFTMAX;
      case SIGMOID -> SIGMOID;
    };
  }

  /** Byte-level, without merges: every token is a byte or stands for itself. */
  private void tokenizer(List<String> tokens) {
    if (tokens.size() != config.vocabSize()) {
      throw new IllegalArgumentException(
          "vocabulary: expected %d tokens, one per embedding, found %d"
              .formatted(config.vocabSize(), tokens.size()));
    }
    pairs.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "gpt-2");
    pairs.texts("tokenizer.ggml.tokens", tokens);
    pairs.wholes("tokenizer.ggml.token_type", Collections.nCopies(tokens.size(), NORMAL_TOKEN));
    pairs.texts("tokenizer.ggml.merges", List.of());
    pairs.flag("tokenizer.ggml.add_bos_token", false);
  }
}
