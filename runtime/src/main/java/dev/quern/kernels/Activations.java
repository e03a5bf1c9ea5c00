package dev.quern.kernels;

/** What packed matrices are multiplied with where a batch is small: the inputs of decoding. */
public enum Activations {
  /** The float32 values as they are. */
  F32,

  /**
   * Products of levels and activations, rounded to integers of at most ±127 with a scale per 16
   * columns, and looked up: {@link ProductTable}. Two to three times as fast; the rounding adds
   * 0.05, 0.5 and 3 % to the error that quantizing to 2, 3 and 4 bits makes.
   */
  INT
}
