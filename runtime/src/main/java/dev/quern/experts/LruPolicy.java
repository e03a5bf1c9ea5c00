package dev.quern.experts;

/** Least recently used: gives up the expert whose last use is longest ago. */
final class LruPolicy extends RankedPolicy {
  private final long[] lastUse; // per key, the token's number in its layer

  LruPolicy(CacheShape shape) {
    super(shape, Pool.SHARES);
    lastUse = new long[shape.keys()];
  }

  @Override
  protected void used(int key, long time) {
    lastUse[key] = time;
  }

  @Override
  protected double value(int key) {
    return lastUse[key];
  }
}
