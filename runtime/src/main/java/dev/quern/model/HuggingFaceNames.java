package dev.quern.model;

import static dev.quern.model.TensorPattern.Slice.*;
import static dev.quern.model.TensorRole.*;

import dev.quern.format.ElementChange;
import dev.quern.model.TensorPattern.Slice;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Names that most families of Hugging Face's transformers share. */
public final class HuggingFaceNames {
  private static final String LAYER = "model.layers.{layer}.";

  /** Per role, in the order to try: newer versions stack and fuse the experts of a layer. */
  static final Map<TensorRole, List<TensorPattern>> COMMON = common();

  private HuggingFaceNames() {}

  /** The tensor's usual name, if most families have it as a tensor of its own. */
  public static Optional<String> of(TensorKey key) {
    return COMMON.getOrDefault(key.role(), List.of()).stream()
        .limit(1)
        .filter(pattern -> pattern.slice() == WHOLE)
        .map(pattern -> pattern.name(key))
        .findFirst();
  }

  private static Map<TensorRole, List<TensorPattern>> common() {
    Map<TensorRole, List<TensorPattern>> names = new EnumMap<>(TensorRole.class);
    put(names, EMBEDDING, WHOLE, "model.embed_tokens.weight");
    put(names, FINAL_NORM, WHOLE, "model.norm.weight");
    put(names, HEAD, WHOLE, "lm_head.weight");
    layer(names, ATTENTION_NORM, "input_layernorm.weight");
    layer(names, MLP_NORM, "post_attention_layernorm.weight");
    attention(names);
    latentAttention(names);
    deltaNet(names);
    feedForward(names);
    return names;
  }

  private static void attention(Map<TensorRole, List<TensorPattern>> names) {
    layer(names, QUERY, "self_attn.q_proj.weight");
    layer(names, KEY, "self_attn.k_proj.weight");
    layer(names, VALUE, "self_attn.v_proj.weight");
    layer(names, ATTENTION_OUTPUT, "self_attn.o_proj.weight");
    layer(names, QUERY_BIAS, "self_attn.q_proj.bias");
    layer(names, KEY_BIAS, "self_attn.k_proj.bias");
    layer(names, VALUE_BIAS, "self_attn.v_proj.bias");
    layer(names, ATTENTION_OUTPUT_BIAS, "self_attn.o_proj.bias");
    layer(names, QUERY_NORM, "self_attn.q_norm.weight");
    layer(names, KEY_NORM, "self_attn.k_norm.weight");
    layer(names, SINKS, "self_attn.sinks");
  }

  private static void latentAttention(Map<TensorRole, List<TensorPattern>> names) {
    layer(names, QUERY_DOWN, "self_attn.q_a_proj.weight");
    layer(names, QUERY_DOWN_NORM, "self_attn.q_a_layernorm.weight");
    layer(names, QUERY_UP, "self_attn.q_b_proj.weight");
    layer(names, LATENT, "self_attn.kv_a_proj_with_mqa.weight");
    layer(names, LATENT_NORM, "self_attn.kv_a_layernorm.weight");
    put(names, KEY_UP, KEYS_OF_LATENT, LAYER + "self_attn.kv_b_proj.weight");
    put(names, VALUE_UP, VALUES_OF_LATENT, LAYER + "self_attn.kv_b_proj.weight");
  }

  private static void deltaNet(Map<TensorRole, List<TensorPattern>> names) {
    String delta = LAYER + "linear_attn.";
    put(names, DELTA_QUERY, DELTA_QUERY_ROWS, delta + "in_proj_qkv.weight");
    put(names, DELTA_KEY, DELTA_KEY_ROWS, delta + "in_proj_qkv.weight");
    put(names, DELTA_VALUE, DELTA_VALUE_ROWS, delta + "in_proj_qkv.weight");
    put(names, DELTA_GATE, WHOLE, delta + "in_proj_z.weight");
    put(names, DELTA_BETA, WHOLE, delta + "in_proj_b.weight");
    put(names, DELTA_ALPHA, WHOLE, delta + "in_proj_a.weight");
    put(names, DELTA_QUERY, DELTA_FUSED_QUERY, delta + "in_proj_qkvz.weight");
    put(names, DELTA_KEY, DELTA_FUSED_KEY, delta + "in_proj_qkvz.weight");
    put(names, DELTA_VALUE, DELTA_FUSED_VALUE, delta + "in_proj_qkvz.weight");
    put(names, DELTA_GATE, DELTA_FUSED_GATE, delta + "in_proj_qkvz.weight");
    put(names, DELTA_BETA, DELTA_FUSED_BETA, delta + "in_proj_ba.weight");
    put(names, DELTA_ALPHA, DELTA_FUSED_ALPHA, delta + "in_proj_ba.weight");
    put(names, DELTA_CONVOLUTION, WHOLE, delta + "conv1d.weight");
    add(names, DELTA_DECAY, new TensorPattern(delta + "A_log", WHOLE, ElementChange.NEGATIVE_EXP));
    put(names, DELTA_TIME_BIAS, WHOLE, delta + "dt_bias");
    put(names, DELTA_NORM, WHOLE, delta + "norm.weight");
    put(names, DELTA_OUTPUT, WHOLE, delta + "out_proj.weight");
  }

  private static void feedForward(Map<TensorRole, List<TensorPattern>> names) {
    layer(names, ROUTER, "mlp.gate.weight");
    layer(names, SELECTION_BIAS, "mlp.gate.e_score_correction_bias");
    layer(names, MLP_GATE, "mlp.gate_proj.weight");
    layer(names, MLP_UP, "mlp.up_proj.weight");
    layer(names, MLP_DOWN, "mlp.down_proj.weight");
    for (String shared : List.of("mlp.shared_expert.", "mlp.shared_experts.")) {
      layer(names, SHARED_GATE, shared + "gate_proj.weight");
      layer(names, SHARED_UP, shared + "up_proj.weight");
      layer(names, SHARED_DOWN, shared + "down_proj.weight");
    }
    layer(names, SHARED_ROUTER, "mlp.shared_expert_gate.weight");
    String experts = LAYER + "mlp.experts.";
    put(names, EXPERT_GATE, WHOLE, experts + "{expert}.gate_proj.weight");
    put(names, EXPERT_UP, WHOLE, experts + "{expert}.up_proj.weight");
    put(names, EXPERT_DOWN, WHOLE, experts + "{expert}.down_proj.weight");
    put(names, EXPERT_GATE, EXPERT_FIRST_HALF, experts + "gate_up_proj");
    put(names, EXPERT_UP, EXPERT_SECOND_HALF, experts + "gate_up_proj");
    put(names, EXPERT_DOWN, EXPERT, experts + "down_proj");
    put(names, EXPERT_GATE, EXPERT, experts + "gate_proj");
    put(names, EXPERT_UP, EXPERT, experts + "up_proj");
  }

  private static void layer(
      Map<TensorRole, List<TensorPattern>> names, TensorRole role, String suffix) {
    put(names, role, WHOLE, LAYER + suffix);
  }

  private static void put(
      Map<TensorRole, List<TensorPattern>> names, TensorRole role, Slice slice, String name) {
    add(names, role, TensorPattern.part(name, slice));
  }

  private static void add(
      Map<TensorRole, List<TensorPattern>> names, TensorRole role, TensorPattern pattern) {
    names.computeIfAbsent(role, r -> new ArrayList<>()).add(pattern);
  }
}
