package dev.quern.model;

/**
 * What the last layer computes of a batch: the tokens whose logits may be asked for, the last ones,
 * pass it whole; of the others it computes only what later tokens read of them, such as keys and
 * values.
 */
public final class LastLayer {
  /** A row alone is computed as in decoding: beside guesses, and CHUNKED reads few experts. */
  private static final int MIN_ROWS = 2;

  private LastLayer() {}

  /**
   * How many tokens of a batch pass the layer whole.
   *
   * @param outputs of how many tokens, the last ones, logits may be asked for
   */
  static int wholeTokens(int tokens, int outputs) {
    int asked = outputs == 0 ? 0 : Math.max(outputs, MIN_ROWS);
    return tokens - asked < MIN_ROWS ? tokens : asked;
  }

  /**
   * How many tokens of a prompt pass the layer whole when {@link Session#append} reads it.
   *
   * @param tokens of the prompt, at least 1
   */
  public static int wholeTokens(ModelConfig config, int tokens) {
    int lastBatch = (tokens - 1) % Session.batchTokens(config) + 1;
    return wholeTokens(lastBatch, 1);
  }

  /** Weights of the layer that the other tokens do not pass; of the experts topK. */
  public static long wholeWeights(ModelConfig config) {
    int last = config.numLayers() - 1;
    TokenMixer mixer = config.layers().get(last).mixer();
    return config.activeParameters(
        key -> key.layer() == last && !isForAllTokens(key.role(), mixer));
  }

  private static boolean isForAllTokens(TensorRole role, TokenMixer mixer) {
    if (role == TensorRole.ATTENTION_NORM) {
      return true;
    }
    return switch (mixer) {
      case TokenMixer.GroupedQuery m ->
          switch (role) {
            case KEY, VALUE, KEY_BIAS, VALUE_BIAS, KEY_NORM -> true;
            default -> false;
          };
      case TokenMixer.Latent m ->
          switch (role) {
            case LATENT, LATENT_NORM -> true;
            default -> false;
          };
      case TokenMixer.DeltaNet m -> TensorShapes.occursInMixer(role, m);
    };
  }
}
