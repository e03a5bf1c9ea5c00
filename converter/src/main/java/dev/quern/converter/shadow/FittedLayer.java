package dev.quern.converter.shadow;

import java.io.Serializable;
import java.util.List;

/**
 * What was learned for one layer, for features as they are: scales are folded in.
 *
 * @param hidden [width, features], the first matrix of the two-layer heads
 * @param hiddenBias [width]
 * @param heads by distance, 0 the next token's
 * @param epochs how the loss went
 */
record FittedLayer(
    int layer, float[] hidden, float[] hiddenBias, List<Head> heads, List<Epoch> epochs)
    implements Serializable {

  /**
   * Both candidates of one head.
   *
   * @param linear [numExperts, features], of the ridge regression
   * @param refined [numExperts, width]
   */
  record Head(
      int distance,
      float[] linear,
      float[] linearBias,
      float[] refined,
      float[] refinedBias,
      Validation linearValid,
      Validation refinedValid)
      implements Serializable {
    /** Whether the two-layer head finds more of the experts of the validation split. */
    boolean refinedWins() {
      return refinedValid.recall() > linearValid.recall();
    }
  }

  /**
   * On the validation split.
   *
   * @param recall at topK
   * @param loss mean logistic loss of a row
   */
  record Validation(double recall, double loss) implements Serializable {}

  /**
   * @param trainLoss mean over the epoch's batches
   * @param validLoss after the epoch; both of all heads together, per row
   */
  record Epoch(double trainLoss, double validLoss) implements Serializable {}
}
