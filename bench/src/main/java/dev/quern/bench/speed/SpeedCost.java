package dev.quern.bench.speed;

import dev.quern.model.LastLayer;
import dev.quern.model.ModelConfig;
import dev.quern.model.TensorRole.Component;
import dev.quern.model.TokenMixer;
import java.util.Map;

/**
 * What one token of a test costs on average, counted, not measured: where it lies under a machine's
 * roofline. Counted alike for all engines, as what the answer takes: of a prompt the logits of the
 * last token are wanted, so its others pass only {@link LastLayer their part} of the last layer.
 *
 * @param operations multiplications and additions, each counted
 * @param bytes of weights and of the KV cache that must be read at least once, by the tokens that
 *     are read together
 */
public record SpeedCost(double operations, double bytes) {
  /** A multiplication and an addition. */
  private static final int MULTIPLY_ADD = 2;

  /** Of a DeltaNet state's element: decay; read by the key; update; read by the query. */
  private static final int DELTA_OPERATIONS = 1 + 3 * MULTIPLY_ADD;

  /**
   * @param weightBytes that decoding one token reads, see {@code Model.bytesTouchedPerToken}
   * @param cacheBytes of one position in all layers
   */
  public static SpeedCost of(
      ModelConfig config, Map<Component, Long> weightBytes, long cacheBytes, SpeedTest test) {
    int together =
        switch (test.kind()) {
          case PREFILL -> test.tokens();
          case DECODE -> 1;
        };
    int whole = LastLayer.wholeTokens(config, together);
    double context = context(test, test.tokens());
    return new SpeedCost(
        operations(config, test, together, whole),
        weightBytes(config, weightBytes, together, whole)
            + cacheBytes * share(config, context) * context / together);
  }

  /** Positions that one of the last so many tokens of a test sees on average. */
  private static double context(SpeedTest test, double last) {
    return test.positions() - (last - 1) / 2;
  }

  /**
   * Weights that decoding one token multiplies or copies: of an embedding that is no head a row.
   */
  public static long touchedWeights(ModelConfig config) {
    long embedding = (long) config.vocabSize() * config.hiddenSize();
    long unread = config.tieWordEmbeddings() ? 0 : embedding - config.hiddenSize();
    return config.activeParameters() - unread;
  }

  private static double operations(ModelConfig config, SpeedTest test, int together, int whole) {
    long head = (long) config.vocabSize() * config.hiddenSize();
    double wholeShare = (double) whole / together;
    double weights =
        touchedWeights(config)
            - head * (1 - 1.0 / together) // logits are wanted of the last token only
            - LastLayer.wholeWeights(config) * (1 - wholeShare);
    double mixing = 0;
    for (ModelConfig.Layer layer : config.layers().subList(0, config.numLayers() - 1)) {
      mixing += mixing(layer.mixer(), 1, context(test, test.tokens()));
    }
    TokenMixer last = config.layers().getLast().mixer();
    mixing += mixing(last, wholeShare, context(test, wholeShare * test.tokens()));
    return MULTIPLY_ADD * weights + mixing;
  }

  /**
   * Operations per token with what a layer keeps of the tokens before.
   *
   * @param share of the tokens that look at others
   */
  private static double mixing(TokenMixer mixer, double share, double context) {
    return switch (mixer) {
      case TokenMixer.GroupedQuery m ->
          share * 2 * MULTIPLY_ADD * m.querySize() * seen(m.window(), context);
      case TokenMixer.Latent m ->
          share * MULTIPLY_ADD * m.numHeads() * (m.cachedSize() + m.latentSize()) * context;
      case TokenMixer.DeltaNet m -> // every token changes the state
          (double) DELTA_OPERATIONS * m.numValueHeads() * m.keyDim() * m.valueDim();
    };
  }

  private static double seen(int window, double context) {
    return window == 0 ? context : Math.min(window, context);
  }

  /** Of the cached positions those that are read, averaged over layers by their widths. */
  private static double share(ModelConfig config, double context) {
    double all = 0;
    double read = 0;
    for (ModelConfig.Layer layer : config.layers()) {
      switch (layer.mixer()) {
        case TokenMixer.GroupedQuery m -> {
          all += 2.0 * m.keyValueSize();
          read += 2.0 * m.keyValueSize() * seen(m.window(), context) / context;
        }
        case TokenMixer.Latent m -> {
          all += m.cachedSize();
          read += m.cachedSize();
        }
        case TokenMixer.DeltaNet m -> {
          // nothing is cached per position
        }
      }
    }
    return all == 0 ? 0 : read / all;
  }

  /**
   * Bytes per token; those of experts are spread evenly over the layers that have any.
   *
   * @param whole tokens that pass the last layer whole
   */
  private static double weightBytes(
      ModelConfig config, Map<Component, Long> bytes, int together, int whole) {
    double experts = bytes.getOrDefault(Component.EXPERTS, 0L);
    double rest = bytes.values().stream().mapToLong(Long::longValue).sum() - experts;
    if (experts == 0) {
      return rest / together;
    }
    int layers = 0;
    double used = 0;
    for (int layer = 0; layer < config.numLayers(); layer++) {
      if (config.hasExperts(layer)) {
        boolean last = layer == config.numLayers() - 1;
        used += used(config, last ? whole : together);
        layers++;
      }
    }
    return (rest + experts / config.topK() * used / layers) / together;
  }

  /** Experts of a layer that so many tokens use, k of E each, drawn evenly: E (1 − (1 − k/E)^T). */
  private static double used(ModelConfig config, int tokens) {
    double chosen = (double) config.topK() / config.numExperts();
    return config.numExperts() * (1 - Math.pow(1 - chosen, tokens));
  }
}
