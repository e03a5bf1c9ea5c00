package dev.quern.bench.speed;

import dev.quern.model.ModelConfig;
import dev.quern.model.TensorRole.Component;
import dev.quern.model.TokenMixer;
import java.util.Map;

/**
 * What one token of a test costs on average, counted, not measured: where it lies under a machine's
 * roofline.
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
    double context = test.depth() + (test.tokens() + 1) / 2.0;
    return new SpeedCost(
        operations(config, together, context),
        weightBytes(config, weightBytes, together)
            + cacheBytes * share(config, context) * context / together);
  }

  /**
   * Weights that decoding one token multiplies or copies: of an embedding that is no head a row.
   */
  public static long touchedWeights(ModelConfig config) {
    long embedding = (long) config.vocabSize() * config.hiddenSize();
    long unread = config.tieWordEmbeddings() ? 0 : embedding - config.hiddenSize();
    return config.activeParameters() - unread;
  }

  private static double operations(ModelConfig config, int together, double context) {
    long head = (long) config.vocabSize() * config.hiddenSize();
    // Logits are wanted of the last token only.
    double weights = touchedWeights(config) - head + (double) head / together;
    double mixing = 0;
    for (ModelConfig.Layer layer : config.layers()) {
      mixing +=
          switch (layer.mixer()) {
            case TokenMixer.GroupedQuery m ->
                2.0 * MULTIPLY_ADD * m.querySize() * seen(m.window(), context);
            case TokenMixer.Latent m ->
                (double) MULTIPLY_ADD * m.numHeads() * (m.cachedSize() + m.latentSize()) * context;
            case TokenMixer.DeltaNet m ->
                (double) DELTA_OPERATIONS * m.numValueHeads() * m.keyDim() * m.valueDim();
          };
    }
    return MULTIPLY_ADD * weights + mixing;
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

  /** Experts are drawn evenly: T tokens use 1 − (1 − k/E)^T of them. */
  private static double weightBytes(ModelConfig config, Map<Component, Long> bytes, int together) {
    double experts = bytes.getOrDefault(Component.EXPERTS, 0L);
    double rest = bytes.values().stream().mapToLong(Long::longValue).sum() - experts;
    if (experts == 0) {
      return rest / together;
    }
    double chosen = (double) config.topK() / config.numExperts();
    double used = 1 - Math.pow(1 - chosen, together);
    return (rest + experts / chosen * used) / together;
  }
}
