package dev.quern.experts;

import java.util.Objects;

/**
 * What the router of one layer saw and chose for a batch of consecutive tokens: a view of the
 * forward pass's buffers, valid during the call it is handed to, filled again for the next layer.
 */
public final class RoutedTokens {
  private int layer;
  private int start;
  private int tokens;
  private int[] ids = {};
  private int firstId;
  private float[] input = {};
  private int hiddenSize;
  private float[] scores = {};
  private int numExperts;
  private int[] experts = {};
  private float[] weights = {};
  private int topK;

  /**
   * Fills the view; see the accessors for the shapes.
   *
   * @param ids the batch's tokens are ids[firstId] to ids[firstId + tokens − 1]
   */
  public void set(
      int newLayer,
      int newStart,
      int newTokens,
      int[] newIds,
      int newFirstId,
      float[] newInput,
      int newHiddenSize,
      float[] newScores,
      int newNumExperts,
      int[] newExperts,
      float[] newWeights,
      int newTopK) {
    layer = newLayer;
    start = newStart;
    tokens = newTokens;
    ids = newIds;
    firstId = newFirstId;
    input = newInput;
    hiddenSize = newHiddenSize;
    scores = newScores;
    numExperts = newNumExperts;
    experts = newExperts;
    weights = newWeights;
    topK = newTopK;
  }

  public int layer() {
    return layer;
  }

  /** Position of the first token in its session. */
  public int start() {
    return start;
  }

  public int tokens() {
    return tokens;
  }

  public int hiddenSize() {
    return hiddenSize;
  }

  public int numExperts() {
    return numExperts;
  }

  public int topK() {
    return topK;
  }

  /** Vocabulary id of a token of the batch. */
  public int id(int token) {
    return ids[firstId + Objects.checkIndex(token, tokens)];
  }

  /** What the router read, [tokens, hiddenSize]: the normed hidden state, not rotated. */
  public float[] input() {
    return input;
  }

  /** [tokens, numExperts], the score of every expert: softmax or sigmoid of its logit. */
  public float[] scores() {
    return scores;
  }

  /** [tokens, topK] expert ids, in the order of their scores, highest first. */
  public int[] experts() {
    return experts;
  }

  /** [tokens, topK], by which the experts' outputs are multiplied. */
  public float[] weights() {
    return weights;
  }
}
