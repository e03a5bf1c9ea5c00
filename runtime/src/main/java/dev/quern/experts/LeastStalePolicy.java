package dev.quern.experts;

/**
 * Least stale: value = 0.4 · uses / tokens + 0.4 · e^(−age / 100) + 0.2 · (1 − l / L), with the age
 * in tokens since the last use and layers l from 0 to L − 1. One pool for all layers; the last term
 * gives early layers more than their share.
 *
 * <p>Source: MLX-Flash (github.com/szibis/MLX-Flash), smart eviction.
 */
final class LeastStalePolicy extends RankedPolicy {
  private static final double FREQUENCY = 0.4;
  private static final double RECENCY = 0.4;
  private static final double DEPTH = 0.2;
  private static final double STALE_TOKENS = 100;

  private final long[] uses; // per key
  private final long[] lastUse; // the token's number in its layer; 0: never

  LeastStalePolicy(CacheShape shape) {
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
    double tokens = Math.max(1, now(layer));
    double recency = lastUse[key] == 0 ? 0 : Math.exp((lastUse[key] - tokens) / STALE_TOKENS);
    double depth = 1 - (double) layer / shape.numLayers();
    return FREQUENCY * uses[key] / tokens + RECENCY * recency + DEPTH * depth;
  }
}
