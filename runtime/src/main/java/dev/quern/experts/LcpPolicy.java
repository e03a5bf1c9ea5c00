package dev.quern.experts;

/**
 * Least cache priority: value = uses · 0.25^(age / 128), with the age in tokens since the last use.
 * Uses are counted from the start and never decay by themselves. Early layers, whose experts can be
 * prefetched least, get more room: shares are in proportion to 1 + 0.3 · (1 − l / (L − 1)), layers
 * l from 0 to L − 1.
 *
 * <p>Source: MLX-Flash (github.com/szibis/MLX-Flash), LCP cache, after FATE (arXiv 2502.12224).
 * Deviation: there the bias multiplies values of one common pool; see {@link Pool#SHARES}.
 */
final class LcpPolicy extends RankedPolicy {
  private static final double DECAY_TOKENS = 128;
  private static final double LOG_DECAY = Math.log(0.25) / DECAY_TOKENS; // per token
  private static final double LAYER_BIAS = 0.3;

  private final long[] uses; // per key
  private final long[] lastUse; // the token's number in its layer

  LcpPolicy(CacheShape shape) {
    super(shape, Pool.SHARES);
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
    double age = now(shape.layer(key)) - lastUse[key];
    return uses[key] * Math.exp(LOG_DECAY * age);
  }

  @Override
  protected double weight(int layer) {
    double depth = shape.numLayers() == 1 ? 0 : (double) layer / (shape.numLayers() - 1);
    return 1 + LAYER_BIAS * (1 - depth);
  }
}
