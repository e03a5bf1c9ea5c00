package dev.quern.model;

import static dev.quern.model.TensorPattern.Slice.*;
import static dev.quern.model.TensorRole.*;

import dev.quern.model.TensorPattern.Slice;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Names of tensors in GGUF files, the same for all families. Source: llama.cpp, gguf-py,
 * constants.py, {@code TENSOR_NAMES}.
 */
public final class GgufNames {
  private static final String LAYER = "blk.{layer}.";

  /** Per role, in the order to try; older files keep experts apart and latent maps together. */
  static final Map<TensorRole, List<TensorPattern>> TABLE = table();

  private GgufNames() {}

  /** The stored tensor that holds a tensor of the model in files written today. */
  public static String of(TensorKey key) {
    return TABLE.get(key.role()).getFirst().name(key);
  }

  private static Map<TensorRole, List<TensorPattern>> table() {
    Map<TensorRole, List<TensorPattern>> names = new EnumMap<>(TensorRole.class);
    put(names, EMBEDDING, WHOLE, "token_embd.weight");
    put(names, FINAL_NORM, WHOLE, "output_norm.weight");
    put(names, HEAD, WHOLE, "output.weight");
    layer(names, ATTENTION_NORM, "attn_norm.weight");
    layer(names, MLP_NORM, "ffn_norm.weight", "post_attention_norm.weight");
    attention(names);
    deltaNet(names);
    feedForward(names);
    return names;
  }

  private static void attention(Map<TensorRole, List<TensorPattern>> names) {
    layer(names, QUERY, "attn_q.weight");
    layer(names, KEY, "attn_k.weight");
    layer(names, VALUE, "attn_v.weight");
    layer(names, ATTENTION_OUTPUT, "attn_output.weight");
    layer(names, QUERY_BIAS, "attn_q.bias");
    layer(names, KEY_BIAS, "attn_k.bias");
    layer(names, VALUE_BIAS, "attn_v.bias");
    layer(names, ATTENTION_OUTPUT_BIAS, "attn_output.bias");
    layer(names, QUERY_NORM, "attn_q_norm.weight");
    layer(names, KEY_NORM, "attn_k_norm.weight");
    layer(names, SINKS, "attn_sinks.weight");
    layer(names, QUERY_DOWN, "attn_q_a.weight");
    layer(names, QUERY_DOWN_NORM, "attn_q_a_norm.weight");
    layer(names, QUERY_UP, "attn_q_b.weight");
    layer(names, LATENT, "attn_kv_a_mqa.weight");
    layer(names, LATENT_NORM, "attn_kv_a_norm.weight");
    layer(names, KEY_UP, "attn_k_b.weight");
    layer(names, VALUE_UP, "attn_v_b.weight");
    put(names, KEY_UP, KEYS_OF_LATENT, LAYER + "attn_kv_b.weight");
    put(names, VALUE_UP, VALUES_OF_LATENT, LAYER + "attn_kv_b.weight");
  }

  private static void deltaNet(Map<TensorRole, List<TensorPattern>> names) {
    put(names, DELTA_QUERY, DELTA_QUERY_ROWS, LAYER + "attn_qkv.weight");
    put(names, DELTA_KEY, DELTA_KEY_ROWS, LAYER + "attn_qkv.weight");
    put(names, DELTA_VALUE, DELTA_VALUE_ROWS, LAYER + "attn_qkv.weight");
    layer(names, DELTA_GATE, "attn_gate.weight");
    put(names, DELTA_QUERY, DELTA_FUSED_QUERY, LAYER + "ssm_in.weight");
    put(names, DELTA_KEY, DELTA_FUSED_KEY, LAYER + "ssm_in.weight");
    put(names, DELTA_VALUE, DELTA_FUSED_VALUE, LAYER + "ssm_in.weight");
    put(names, DELTA_GATE, DELTA_FUSED_GATE, LAYER + "ssm_in.weight");
    layer(names, DELTA_BETA, "ssm_beta.weight");
    layer(names, DELTA_ALPHA, "ssm_alpha.weight");
    put(names, DELTA_BETA, DELTA_FUSED_BETA, LAYER + "ssm_ba.weight");
    put(names, DELTA_ALPHA, DELTA_FUSED_ALPHA, LAYER + "ssm_ba.weight");
    layer(names, DELTA_CONVOLUTION, "ssm_conv1d.weight");
    layer(names, DELTA_DECAY, "ssm_a");
    layer(names, DELTA_TIME_BIAS, "ssm_dt.bias");
    layer(names, DELTA_NORM, "ssm_norm.weight");
    layer(names, DELTA_OUTPUT, "ssm_out.weight");
  }

  private static void feedForward(Map<TensorRole, List<TensorPattern>> names) {
    layer(names, ROUTER, "ffn_gate_inp.weight");
    layer(names, ROUTER_BIAS, "ffn_gate_inp.bias");
    layer(names, SELECTION_BIAS, "exp_probs_b.bias", "exp_probs_b");
    layer(names, MLP_GATE, "ffn_gate.weight");
    layer(names, MLP_UP, "ffn_up.weight");
    layer(names, MLP_DOWN, "ffn_down.weight");
    layer(names, SHARED_GATE, "ffn_gate_shexp.weight");
    layer(names, SHARED_UP, "ffn_up_shexp.weight");
    layer(names, SHARED_DOWN, "ffn_down_shexp.weight");
    layer(names, SHARED_ROUTER, "ffn_gate_inp_shexp.weight");
    put(names, EXPERT_GATE, EXPERT, LAYER + "ffn_gate_exps.weight");
    put(names, EXPERT_UP, EXPERT, LAYER + "ffn_up_exps.weight");
    put(names, EXPERT_DOWN, EXPERT, LAYER + "ffn_down_exps.weight");
    put(names, EXPERT_GATE, EXPERT_FIRST_HALF, LAYER + "ffn_gate_up_exps.weight");
    put(names, EXPERT_UP, EXPERT_SECOND_HALF, LAYER + "ffn_gate_up_exps.weight");
    put(names, EXPERT_GATE, WHOLE, LAYER + "ffn_gate.{expert}.weight");
    put(names, EXPERT_UP, WHOLE, LAYER + "ffn_up.{expert}.weight");
    put(names, EXPERT_DOWN, WHOLE, LAYER + "ffn_down.{expert}.weight");
    layer(names, EXPERT_GATE_BIAS, "ffn_gate_exps.bias");
    layer(names, EXPERT_UP_BIAS, "ffn_up_exps.bias");
    layer(names, EXPERT_DOWN_BIAS, "ffn_down_exps.bias");
  }

  private static void layer(
      Map<TensorRole, List<TensorPattern>> names, TensorRole role, String... suffixes) {
    for (String suffix : suffixes) {
      put(names, role, WHOLE, LAYER + suffix);
    }
  }

  private static void put(
      Map<TensorRole, List<TensorPattern>> names, TensorRole role, Slice slice, String name) {
    names.computeIfAbsent(role, r -> new ArrayList<>()).add(TensorPattern.part(name, slice));
  }
}
