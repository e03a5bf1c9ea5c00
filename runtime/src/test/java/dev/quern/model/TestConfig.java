package dev.quern.model;

import dev.quern.format.Json;
import tools.jackson.databind.node.ObjectNode;

/** A tiny configuration with a dense layer, widths that are no powers of two, and few experts. */
final class TestConfig {
  private TestConfig() {}

  static ObjectNode json() {
    ObjectNode root = Json.mapper().createObjectNode();
    root.put("model_type", "qwen3_moe");
    root.put("hidden_size", 96);
    root.put("num_hidden_layers", 3);
    root.put("num_attention_heads", 4);
    root.put("num_key_value_heads", 2);
    root.put("head_dim", 16);
    root.put("moe_intermediate_size", 48);
    root.put("intermediate_size", 80);
    root.put("num_experts", 5);
    root.put("num_experts_per_tok", 2);
    root.put("norm_topk_prob", true);
    root.put("vocab_size", 70);
    root.put("max_position_embeddings", 600);
    root.put("hidden_act", "silu");
    root.putArray("mlp_only_layers").add(1);
    return root;
  }
}
