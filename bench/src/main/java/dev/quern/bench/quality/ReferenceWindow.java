package dev.quern.bench.quality;

import dev.quern.kernels.Kernels;
import dev.quern.model.LogitsSink;
import java.util.Arrays;

/**
 * The original's logits for one window, and the scores of other models against them. Reused from
 * window to window; holds (window length − 1) · vocabulary floats.
 */
final class ReferenceWindow {
  private final int vocabSize;
  private final Logits math;
  private int[] ids = {};
  private float[] logits = {};
  private double[] norms = {};
  private int[] best = {};

  /**
   * @throws IllegalArgumentException if a window's logits are more than an array holds, or more
   *     than half of the heap
   */
  static void check(int windowTokens, int vocabSize) {
    long floats = Math.min(Integer.MAX_VALUE, Runtime.getRuntime().maxMemory() / 2 / Float.BYTES);
    long longest = floats / vocabSize;
    if (windowTokens - 1 > longest) {
      throw new IllegalArgumentException(
          "--seq-len: expected at most %d, as %d logits per token are kept in a heap of %,d MB, found %d"
              .formatted(
                  longest + 1,
                  vocabSize,
                  Runtime.getRuntime().maxMemory() / 1_000_000,
                  windowTokens));
    }
  }

  ReferenceWindow(int vocabSize) {
    this.vocabSize = vocabSize;
    math = new Logits(Kernels.best(), vocabSize);
  }

  /** Where scores of one pass over the window add up. */
  private static final class Sums {
    private double nll;
    private double kld;
    private int agreements;
  }

  /** A pass over the window that hands every position's logits to a sink. */
  @FunctionalInterface
  interface Pass {
    void run(int[] ids, LogitsSink sink);
  }

  /**
   * Runs the original and keeps its logits.
   *
   * @param window at least 2 tokens
   */
  WindowScore reference(int[] window, Pass pass) {
    ids = window;
    int predicted = ids.length - 1;
    int needed = Math.multiplyExact(predicted, vocabSize);
    if (logits.length < needed) {
      logits = new float[needed];
      norms = new double[predicted];
      best = new int[predicted];
    }
    Sums sums = new Sums();
    pass.run(
        ids,
        (position, x, offset) -> {
          if (position < predicted) {
            System.arraycopy(x, offset, logits, position * vocabSize, vocabSize);
            best[position] = math.argmax(x, offset);
            norms[position] = math.logSumExp(x, offset, best[position]);
            sums.nll += norms[position] - x[offset + ids[position + 1]];
          }
        });
    return new WindowScore(predicted, sums.nll, 0, predicted);
  }

  /** Runs another model over the same window. */
  WindowScore score(Pass pass) {
    int predicted = ids.length - 1;
    Sums sums = new Sums();
    pass.run(
        Arrays.copyOf(ids, ids.length),
        (position, x, offset) -> {
          if (position < predicted) {
            int argmax = math.argmax(x, offset);
            double norm = math.logSumExp(x, offset, argmax);
            sums.nll += norm - x[offset + ids[position + 1]];
            sums.kld +=
                math.divergence(logits, position * vocabSize, norms[position], x, offset, norm);
            if (argmax == best[position]) {
              sums.agreements++;
            }
          }
        });
    return new WindowScore(predicted, sums.nll, sums.kld, sums.agreements);
  }
}
