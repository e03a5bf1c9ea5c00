package dev.quern.converter.shadow;

import java.io.Serializable;

/**
 * How heads are refined.
 *
 * @param width hidden units, a multiple of 64; 0 chooses by {@link #width(int, int)}
 * @param epochs passes over the rows, may be broken
 * @param learningRate at its peak, after the warm-up; it falls along half a cosine
 * @param batchRows rows of a step
 * @param seed of the weights' start and the order of rows
 */
public record FitOptions(int width, double epochs, double learningRate, int batchRows, long seed)
    implements Serializable {
  /**
   * Weights of the hidden layer, at most about: what one core reads in a tenth of a millisecond.
   */
  private static final int MAX_HIDDEN_WEIGHTS = 1_200_000;

  private static final int MAX_WIDTH = 512;

  public FitOptions {
    if (width < 0 || width % Panels.ROWS != 0) {
      throw new IllegalArgumentException(
          "hidden units: expected a multiple of 64, or 0 to choose, found " + width);
    }
    if (!(epochs > 0) || !(learningRate > 0) || batchRows < 1) {
      throw new IllegalArgumentException(
          "fit: %s epochs, learning rate %s, %d rows".formatted(epochs, learningRate, batchRows));
    }
  }

  public static FitOptions of(int width, double epochs, long seed) {
    return new FitOptions(width, epochs, 2e-3, 512, seed);
  }

  /** Hidden units for so many features: as many as keep a prediction fast, at most 512. */
  int width(int hiddenSize, int tokenWidth) {
    if (width > 0) {
      return width;
    }
    int fitting = MAX_HIDDEN_WEIGHTS / (hiddenSize + tokenWidth);
    return Math.clamp(fitting - fitting % Panels.ROWS, Panels.ROWS, MAX_WIDTH);
  }
}
