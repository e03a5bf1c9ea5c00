package dev.quern.experts;

/**
 * Predicts which experts coming layers will use. Not for several threads: whoever runs on another
 * thread makes its own with {@link #copy}.
 */
public interface ExpertPredictor {

  /** Layers that it looks ahead, at least 1. */
  int maxDistance();

  /** Whether it predicts the experts of the next token in the same layer, too. */
  boolean predictsNextToken();

  /**
   * Probabilities that the present token uses each expert of layer + distance.
   *
   * @param layer whose router has just read its input
   * @param distance 1 to {@link #maxDistance}
   * @param input [hiddenSize], what that router read
   * @param tokenId vocabulary id of the present token
   * @param probabilities [numExperts], written
   * @return false if it knows nothing of that layer, and probabilities are not written
   */
  boolean predict(int layer, int distance, float[] input, int tokenId, float[] probabilities);

  /**
   * The same for the next token, whose id is not known yet, in the layer itself. A predictor may
   * look beyond it and give how soon an expert is used again: 1 for the next token, 0.8 for the one
   * after, 0.64 …
   */
  boolean predictNextToken(int layer, float[] input, int tokenId, float[] probabilities);

  /** Another view of the same weights with scratch space of its own. */
  ExpertPredictor copy();
}
