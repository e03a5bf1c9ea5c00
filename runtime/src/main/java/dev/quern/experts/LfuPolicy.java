package dev.quern.experts;

/**
 * Least frequently used with dynamic aging: an expert's value is the number of its uses since it
 * came, plus the value of the last victim of its layer at its last use. So a long-idle favourite is
 * overtaken in the end.
 *
 * <p>Source: Arlitt, Cherkasova, Dilley, Friedrich, Jin, "Evaluating content management techniques
 * for web proxy caches", 1999, LFU-DA: K = C · F + L with C = 1.
 */
final class LfuPolicy extends RankedPolicy {
  private final long[] uses; // F: per key, since it came
  private final double[] value; // K
  private final double[] age; // L: per layer, value of the last victim

  LfuPolicy(CacheShape shape) {
    super(shape, Pool.SHARES);
    uses = new long[shape.keys()];
    value = new double[shape.keys()];
    age = new double[shape.numLayers()];
  }

  @Override
  protected void used(int key, long time) {
    uses[key]++;
    value[key] = uses[key] + age[shape.layer(key)];
  }

  @Override
  protected double value(int key) {
    return value[key];
  }

  @Override
  public void admitted(int key) {
    super.admitted(key);
    value[key] = uses[key] + age[shape.layer(key)]; // its victim has aged the layer
  }

  @Override
  public void removed(int key) {
    super.removed(key);
    age[shape.layer(key)] = Math.max(age[shape.layer(key)], value[key]);
    uses[key] = 0;
  }
}
