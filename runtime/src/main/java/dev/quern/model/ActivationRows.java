package dev.quern.model;

import dev.quern.kernels.Kernels;
import dev.quern.kernels.Workers;

/** Joins gate and up, row by row, after the biases of the experts have been added. */
final class ActivationRows {
  /** Multiplications that take as long as an element's exponential and what is done with it. */
  private static final long WORK_PER_ELEMENT = 4;

  private final Activation activation;
  private final Kernels kernels;
  private final Workers workers;
  private final Workers.Task activateRow = this::activateRow;

  // What the task works on: the rows of first, then those of second.
  private Inner first;
  private Inner second;
  private Weights.MoeMlp moe;
  private int[] expertOf;

  ActivationRows(Activation activation, Kernels kernels, Workers workers) {
    this.activation = activation;
    this.kernels = kernels;
    this.workers = workers;
  }

  /**
   * @param newMoe gives the biases of newFirst's rows; null if there are none
   * @param newExpertOf row of newFirst → expert; not read without biases
   */
  void run(Inner newFirst, Inner newSecond, Weights.MoeMlp newMoe, int[] newExpertOf) {
    first = newFirst;
    second = newSecond;
    moe = newMoe;
    expertOf = newExpertOf;
    int rows = first.rows() + second.rows();
    long elements = (long) first.rows() * first.size() + (long) second.rows() * second.size();
    workers.run(rows, WORK_PER_ELEMENT * elements, activateRow);
  }

  private void activateRow(int piece, int thread) {
    boolean inFirst = piece < first.rows();
    Inner inner = inFirst ? first : second;
    int row = inFirst ? piece : piece - first.rows();
    int n = inner.size();
    int at = row * n;
    if (inFirst && expertOf != null && moe.config().biases()) {
      kernels.axpy(1, moe.gateBias(), expertOf[row] * n, inner.gate(), at, n);
      kernels.axpy(1, moe.upBias(), expertOf[row] * n, inner.up(), at, n);
    }
    switch (activation) {
      case Activation.SwiGlu() -> kernels.swiGlu(inner.gate(), at, inner.up(), at, n);
      case Activation.ClampedSwiGlu(float limit, float alpha) ->
          kernels.clampedSwiGlu(inner.gate(), at, inner.up(), at, n, limit, alpha);
    }
  }
}
