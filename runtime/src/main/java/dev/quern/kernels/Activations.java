package dev.quern.kernels;

/** What packed matrices are multiplied with. */
public enum Activations {
  /** The float32 values as they are. */
  F32,

  /**
   * Products of levels and activations, rounded to integers of at most ±127 with a scale per 16
   * columns, and looked up: {@link ProductTable}. Two to three times as fast while decoding. Larger
   * batches are multiplied as {@link #F32} where {@link Kernels#maxTableVectors} says so.
   */
  INT
}
