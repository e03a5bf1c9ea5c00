package dev.quern.experts;

/**
 * Keeps the experts of each layer that a profile counts hottest, and learns nothing while the model
 * runs: what is colder passes through. Layers share the capacity evenly.
 */
final class StaticPolicy extends RankedPolicy {
  private final ExpertProfile profile;

  StaticPolicy(CacheShape shape, ExpertProfile profile) {
    super(shape, Pool.SHARES);
    this.profile = profile;
  }

  @Override
  protected void used(int key, long time) {}

  @Override
  protected double value(int key) {
    return profile.uses(shape.layer(key), shape.expert(key));
  }
}
