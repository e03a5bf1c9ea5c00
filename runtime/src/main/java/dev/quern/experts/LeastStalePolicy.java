package dev.quern.experts;

/**
 * Least stale: value = 0.4 · uses / tokens + 0.4 · e^(−age / 100), with the age in tokens since the
 * last use. Early layers get more room: shares are in proportion to 1 + 0.2 · (1 − l / L), layers l
 * from 0 to L − 1.
 *
 * <p>Source: MLX-Flash (github.com/szibis/MLX-Flash), smart eviction. Deviation: there 0.2 · (1 − l
 * / L) is added to values of one common pool; see {@link Pool#SHARES}.
 */
final class LeastStalePolicy extends RankedPolicy {
  private static final double FREQUENCY = 0.4;
  private static final double RECENCY = 0.4;
  private static final double DEPTH = 0.2;
  private static final double STALE_TOKENS = 100;

  private final long[] uses; // per key
  private final long[] lastUse; // the token's number in its layer; 0: never

  LeastStalePolicy(CacheShape shape) {
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
    int layer = shape.layer(key);
    double tokens = Math.max(1, now(layer));
    double recency = lastUse[key] == 0 ? 0 : Math.exp((lastUse[key] - tokens) / STALE_TOKENS);
    return FREQUENCY * uses[key] / tokens + RECENCY * recency;
  }

  @Override
  protected double weight(int layer) {
    return 1 + DEPTH * (1 - (double) layer / shape.numLayers());
  }
}
