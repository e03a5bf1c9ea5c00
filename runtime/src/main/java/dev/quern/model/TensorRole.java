package dev.quern.model;

import dev.quern.quant.Rotation;
import java.util.List;
import java.util.Optional;

/**
 * What a tensor is for. The names a family gives to roles are {@link Architecture#names}; their
 * shapes follow from the configuration, {@link ModelConfig#shape}.
 */
public enum TensorRole {
  EMBEDDING("embedding", Scope.GLOBAL, Component.EMBEDDING, Rotation.Input.EMBEDDING),
  FINAL_NORM("norm.final", Scope.GLOBAL, Component.FULL_PRECISION, null),
  /** Absent where the embedding is also the head. */
  HEAD("head", Scope.GLOBAL, Component.HEAD, Rotation.Input.HEAD),
  ATTENTION_NORM("norm.attention", Scope.LAYER, Component.FULL_PRECISION, null),
  QUERY("attention.query", Scope.LAYER, Component.ATTENTION, Rotation.Input.ATTENTION),
  KEY("attention.key", Scope.LAYER, Component.ATTENTION, Rotation.Input.ATTENTION),
  VALUE("attention.value", Scope.LAYER, Component.ATTENTION, Rotation.Input.ATTENTION),
  ATTENTION_OUTPUT(
      "attention.output", Scope.LAYER, Component.ATTENTION, Rotation.Input.ATTENTION_OUTPUT),
  QUERY_NORM("norm.query", Scope.LAYER, Component.FULL_PRECISION, null),
  KEY_NORM("norm.key", Scope.LAYER, Component.FULL_PRECISION, null),
  MLP_NORM("norm.mlp", Scope.LAYER, Component.FULL_PRECISION, null),
  ROUTER("router", Scope.LAYER, Component.FULL_PRECISION, null),
  /** Of a layer without experts; so are the next two. */
  MLP_GATE("mlp.gate", Scope.LAYER, Component.SHARED_EXPERT, Rotation.Input.MLP),
  MLP_UP("mlp.up", Scope.LAYER, Component.SHARED_EXPERT, Rotation.Input.MLP),
  MLP_DOWN("mlp.down", Scope.LAYER, Component.SHARED_EXPERT, Rotation.Input.MLP_DOWN),
  EXPERT_GATE("experts.gate", Scope.EXPERT, Component.EXPERTS, Rotation.Input.MLP),
  EXPERT_UP("experts.up", Scope.EXPERT, Component.EXPERTS, Rotation.Input.MLP),
  EXPERT_DOWN("experts.down", Scope.EXPERT, Component.EXPERTS, Rotation.Input.EXPERT_DOWN);

  /** How often a role occurs: once, once per layer, or once per expert of a layer. */
  public enum Scope {
    GLOBAL,
    LAYER,
    EXPERT
  }

  /** The parts of a model that are quantized by separate choices. */
  public enum Component {
    EXPERTS,
    ATTENTION,
    /** What every token passes: shared experts and dense MLP layers. */
    SHARED_EXPERT,
    EMBEDDING,
    HEAD,
    /** Norms and router: few bytes, much harm. */
    FULL_PRECISION
  }

  private final String label;
  private final Scope scope;
  private final Component component;
  private final Optional<Rotation.Input> input;

  TensorRole(String label, Scope scope, Component component, Rotation.Input inputOrNull) {
    this.label = label;
    this.scope = scope;
    this.component = component;
    this.input = Optional.ofNullable(inputOrNull);
  }

  /** The name users write, such as {@code experts.down}. */
  public String label() {
    return label;
  }

  public Scope scope() {
    return scope;
  }

  public Component component() {
    return component;
  }

  /** Which input a quantized matrix of this role reads; empty where the role is never quantized. */
  public Optional<Rotation.Input> input() {
    return input;
  }

  /** The role with this label, if there is one. */
  public static Optional<TensorRole> ofLabel(String label) {
    return List.of(values()).stream().filter(role -> role.label.equals(label)).findFirst();
  }
}
