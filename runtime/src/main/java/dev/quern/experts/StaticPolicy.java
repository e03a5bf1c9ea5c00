package dev.quern.experts;

/**
 * Keeps the experts that a profile counts hottest, of all layers together, and changes nothing
 * while the model runs: what is colder passes through.
 */
final class StaticPolicy extends RankedPolicy {
  private final ExpertProfile profile;

  StaticPolicy(CacheShape shape, ExpertProfile profile) {
    super(shape, Pool.ONE);
    this.profile = profile;
  }

  @Override
  protected void used(int key, long time) {}

  @Override
  protected double value(int key) {
    return profile.uses(shape.layer(key), shape.expert(key));
  }
}
