package dev.quern.converter.shadow;

import dev.quern.experts.ExpertPredictor;

/** Predicts from the token's id alone: how often did this token use an expert of that layer. */
final class TokenIdPredictor implements ExpertPredictor {
  private final int numExperts;
  private final float[][] shares; // [layer][id · numExperts + e]; empty for unknown layers
  private final float[][] nextShares;

  /**
   * @param shares [layer][vocabSize, numExperts]
   * @param nextShares the same of the token after
   */
  TokenIdPredictor(int numExperts, float[][] shares, float[][] nextShares) {
    this.numExperts = numExperts;
    this.shares = shares;
    this.nextShares = nextShares;
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
    return read(shares, layer + distance, tokenId, probabilities);
  }

  @Override
  public boolean predictNextToken(int layer, float[] input, int tokenId, float[] probabilities) {
    return read(nextShares, layer, tokenId, probabilities);
  }

  private boolean read(float[][] tables, int layer, int tokenId, float[] probabilities) {
    if (layer >= tables.length || tables[layer].length == 0) {
      return false;
    }
    System.arraycopy(tables[layer], tokenId * numExperts, probabilities, 0, numExperts);
    return true;
  }

  @Override
  public ExpertPredictor copy() {
    return this; // keeps nothing between calls
  }
}
