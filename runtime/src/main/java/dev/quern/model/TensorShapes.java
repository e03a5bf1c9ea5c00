package dev.quern.model;

import java.util.ArrayList;
import java.util.List;

/** Which tensors a layer has, and their shapes. */
final class TensorShapes {
  private TensorShapes() {}

  /** The roles that occur in a layer, in the order of {@link TensorRole}. */
  static List<TensorRole> rolesOf(ModelConfig.Layer layer) {
    List<TensorRole> roles = new ArrayList<>();
    for (TensorRole role : TensorRole.values()) {
      if (role.scope() != TensorRole.Scope.GLOBAL && occurs(role, layer)) {
        roles.add(role);
      }
    }
    return roles;
  }

  private static boolean occurs(TensorRole role, ModelConfig.Layer layer) {
    return switch (role) {
      case EMBEDDING, FINAL_NORM, HEAD -> false;
      case ATTENTION_NORM, MLP_NORM -> true;
      default -> occursInMixer(role, layer.mixer()) || occursInMlp(role, layer.feedForward());
    };
  }

  static boolean occursInMixer(TensorRole role, TokenMixer mixer) {
    return switch (mixer) {
      case TokenMixer.GroupedQuery m ->
          switch (role) {
            case QUERY, KEY, VALUE, ATTENTION_OUTPUT -> true;
            case QUERY_BIAS, KEY_BIAS, VALUE_BIAS -> m.inputBias();
            case ATTENTION_OUTPUT_BIAS -> m.outputBias();
            case QUERY_NORM, KEY_NORM -> m.qkNorm() != QkNorm.NONE;
            case SINKS -> m.sinks();
            default -> false;
          };
      case TokenMixer.Latent m ->
          switch (role) {
            case QUERY -> m.queryRank() == 0;
            case QUERY_DOWN, QUERY_DOWN_NORM, QUERY_UP -> m.queryRank() > 0;
            case LATENT, LATENT_NORM, KEY_UP, VALUE_UP, ATTENTION_OUTPUT -> true;
            default -> false;
          };
      case TokenMixer.DeltaNet m ->
          switch (role) {
            case DELTA_QUERY, DELTA_KEY, DELTA_VALUE, DELTA_GATE, DELTA_BETA, DELTA_ALPHA -> true;
            case DELTA_CONVOLUTION, DELTA_DECAY, DELTA_TIME_BIAS, DELTA_NORM, DELTA_OUTPUT -> true;
            default -> false;
          };
    };
  }

  private static boolean occursInMlp(TensorRole role, FeedForward feedForward) {
    return switch (feedForward) {
      case FeedForward.Dense dense ->
          switch (role) {
            case MLP_GATE, MLP_UP, MLP_DOWN -> true;
            default -> false;
          };
      case FeedForward.Experts e ->
          switch (role) {
            case ROUTER, EXPERT_GATE, EXPERT_UP, EXPERT_DOWN -> true;
            case ROUTER_BIAS -> e.routing().bias();
            case SELECTION_BIAS -> e.routing().selectionBias();
            case SHARED_GATE, SHARED_UP, SHARED_DOWN -> e.sharedSize() > 0;
            case SHARED_ROUTER -> e.sharedGate();
            case EXPERT_GATE_BIAS, EXPERT_UP_BIAS, EXPERT_DOWN_BIAS -> e.biases();
            default -> false;
          };
    };
  }

  /**
   * @throws IllegalArgumentException if the model has no such tensor
   */
  static List<Long> of(ModelConfig config, TensorKey key) {
    TensorRole role = key.role();
    int hidden = config.hiddenSize();
    return switch (role) {
      case EMBEDDING, HEAD -> shape(config.vocabSize(), hidden);
      case FINAL_NORM, ATTENTION_NORM, MLP_NORM -> shape(hidden);
      default -> {
        ModelConfig.Layer layer = config.layers().get(key.layer());
        if (occursInMixer(role, layer.mixer())) {
          yield ofMixer(role, layer.mixer(), hidden);
        }
        if (occursInMlp(role, layer.feedForward())) {
          yield ofMlp(role, layer.feedForward(), hidden);
        }
        throw absent(role, key);
      }
    };
  }

  private static List<Long> ofMixer(TensorRole role, TokenMixer mixer, int hidden) {
    return switch (mixer) {
      case TokenMixer.GroupedQuery m -> ofGroupedQuery(role, m, hidden);
      case TokenMixer.Latent m -> ofLatent(role, m, hidden);
      case TokenMixer.DeltaNet m -> ofDeltaNet(role, m, hidden);
    };
  }

  private static List<Long> ofGroupedQuery(TensorRole role, TokenMixer.GroupedQuery m, int hidden) {
    int queryRows = m.gated() ? 2 * m.querySize() : m.querySize();
    boolean whole = m.qkNorm() == QkNorm.WHOLE;
    return switch (role) {
      case QUERY -> shape(queryRows, hidden);
      case QUERY_BIAS -> shape(queryRows);
      case KEY, VALUE -> shape(m.keyValueSize(), hidden);
      case KEY_BIAS, VALUE_BIAS -> shape(m.keyValueSize());
      case ATTENTION_OUTPUT -> shape(hidden, m.querySize());
      case ATTENTION_OUTPUT_BIAS -> shape(hidden);
      case QUERY_NORM -> shape(whole ? m.querySize() : m.headDim());
      case KEY_NORM -> shape(whole ? m.keyValueSize() : m.headDim());
      case SINKS -> shape(m.numHeads());
      default -> throw new AssertionError(role);
    };
  }

  private static List<Long> ofLatent(TensorRole role, TokenMixer.Latent m, int hidden) {
    return switch (role) {
      case QUERY -> shape(m.querySize(), hidden);
      case QUERY_DOWN -> shape(m.queryRank(), hidden);
      case QUERY_DOWN_NORM -> shape(m.queryRank());
      case QUERY_UP -> shape(m.querySize(), m.queryRank());
      case LATENT -> shape(m.cachedSize(), hidden);
      case LATENT_NORM -> shape(m.latentSize());
      case KEY_UP -> shape(m.numHeads() * m.latentSize(), m.headDim());
      case VALUE_UP -> shape(m.numHeads() * m.valueDim(), m.latentSize());
      case ATTENTION_OUTPUT -> shape(hidden, m.numHeads() * m.valueDim());
      default -> throw new AssertionError(role);
    };
  }

  private static List<Long> ofDeltaNet(TensorRole role, TokenMixer.DeltaNet m, int hidden) {
    return switch (role) {
      case DELTA_QUERY, DELTA_KEY -> shape(m.keySize(), hidden);
      case DELTA_VALUE, DELTA_GATE -> shape(m.valueSize(), hidden);
      case DELTA_BETA, DELTA_ALPHA -> shape(m.numValueHeads(), hidden);
      case DELTA_CONVOLUTION -> shape(m.channels(), m.kernelSize());
      case DELTA_DECAY, DELTA_TIME_BIAS -> shape(m.numValueHeads());
      case DELTA_NORM -> shape(m.valueDim());
      case DELTA_OUTPUT -> shape(hidden, m.valueSize());
      default -> throw new AssertionError(role);
    };
  }

  private static List<Long> ofMlp(TensorRole role, FeedForward feedForward, int hidden) {
    return switch (feedForward) {
      case FeedForward.Dense dense ->
          switch (role) {
            case MLP_GATE, MLP_UP -> shape(dense.size(), hidden);
            case MLP_DOWN -> shape(hidden, dense.size());
            default -> throw new AssertionError(role);
          };
      case FeedForward.Experts e ->
          switch (role) {
            case ROUTER -> shape(e.numExperts(), hidden);
            case ROUTER_BIAS, SELECTION_BIAS -> shape(e.numExperts());
            case EXPERT_GATE, EXPERT_UP -> shape(e.expertSize(), hidden);
            case EXPERT_DOWN -> shape(hidden, e.expertSize());
            case EXPERT_GATE_BIAS, EXPERT_UP_BIAS -> shape(e.numExperts(), e.expertSize());
            case EXPERT_DOWN_BIAS -> shape(e.numExperts(), hidden);
            case SHARED_GATE, SHARED_UP -> shape(e.sharedSize(), hidden);
            case SHARED_DOWN -> shape(hidden, e.sharedSize());
            case SHARED_ROUTER -> shape(1, hidden);
            default -> throw new AssertionError(role);
          };
    };
  }

  private static IllegalArgumentException absent(TensorRole role, TensorKey key) {
    return new IllegalArgumentException("layer %d has no %s".formatted(key.layer(), role.label()));
  }

  private static List<Long> shape(int... sizes) {
    List<Long> shape = new ArrayList<>();
    for (int size : sizes) {
      shape.add((long) size);
    }
    return List.copyOf(shape);
  }
}
