package dev.quern.experts;

/**
 * Least cache priority: value = uses · 0.25^(age / 128) · (1 + 0.3 · (1 − l / (L − 1))), with the
 * age in tokens since the last use and layers l from 0 to L − 1, so that early layers, whose
 * experts can be prefetched least, weigh more. Uses are counted from the start and never decay by
 * themselves. One pool for all layers.
 *
 * <p>Source: MLX-Flash (github.com/szibis/MLX-Flash), LCP cache, after FATE (arXiv 2502.12224).
 */
final class LcpPolicy extends RankedPolicy {
  private static final double DECAY_TOKENS = 128;
  private static final double LOG_DECAY = Math.log(0.25) / DECAY_TOKENS; // per token
  private static final double LAYER_BIAS = 0.3;

  private final long[] uses; // per key
  private final long[] lastUse; // the token's number in its layer

  LcpPolicy(CacheShape shape) {
    super(shape, Pool.ONE);
    uses = new long[shape.keys()];
    lastUse = new long[shape.keys()];
  }

  @Override
  protected void used(int key, long time) {
    uses[key]++;
    lastUse[key] = time;
  }

  @Override
  protected double value(int key) {
    int layer = shape.layer(key);
    double depth = shape.numLayers() == 1 ? 0 : (double) layer / (shape.numLayers() - 1);
    double age = now(layer) - lastUse[key];
    return uses[key] * Math.exp(LOG_DECAY * age) * (1 + LAYER_BIAS * (1 - depth));
  }
}
