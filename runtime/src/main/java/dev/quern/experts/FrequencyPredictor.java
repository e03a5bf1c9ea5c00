package dev.quern.experts;

/** Predicts that an expert is used as often as it was, whatever the token. */
public final class FrequencyPredictor implements ExpertPredictor {
  private final float[][] shares;

  /**
   * @param shares [layer][numExperts], by how many of the tokens an expert was used; empty for
   *     layers without experts
   */
  public FrequencyPredictor(float[][] shares) {
    this.shares = shares.clone();
  }

  @Override
  public int maxDistance() {
    return Math.max(1, shares.length - 1);
  }

  @Override
  public boolean predictsNextToken() {
    return true;
  }

  @Override
  public boolean predict(
      int layer, int distance, float[] input, int tokenId, float[] probabilities) {
    return distance >= 1 && copy(layer + distance, probabilities);
  }

  @Override
  public boolean predictNextToken(int layer, float[] input, int tokenId, float[] probabilities) {
    return copy(layer, probabilities);
  }

  private boolean copy(int layer, float[] probabilities) {
    if (layer >= shares.length || shares[layer].length == 0) {
      return false;
    }
    System.arraycopy(shares[layer], 0, probabilities, 0, probabilities.length);
    return true;
  }

  @Override
  public ExpertPredictor copy() {
    return this; // keeps nothing between calls
  }
}
