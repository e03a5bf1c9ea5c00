package dev.quern.bench.quality;

import dev.quern.quant.CounterRandom;
import java.util.ArrayList;
import java.util.List;

/**
 * Scores of one model over all windows.
 *
 * @param windows in the order of the text, at least one
 */
public record Quality(List<WindowScore> windows) {
  public Quality {
    windows = List.copyOf(windows);
    if (windows.isEmpty()) {
      throw new IllegalArgumentException("no windows: the text has fewer than 2 tokens");
    }
  }

  public long predicted() {
    return windows.stream().mapToLong(WindowScore::predicted).sum();
  }

  /** Mean negative log-likelihood of a predicted token, nats: ln perplexity. */
  public double lnPerplexity() {
    return windows.stream().mapToDouble(WindowScore::nll).sum() / predicted();
  }

  public double perplexity() {
    return Math.exp(lnPerplexity());
  }

  public double meanKld() {
    return windows.stream().mapToDouble(WindowScore::kld).sum() / predicted();
  }

  public double top1Agreement() {
    return windows.stream().mapToLong(WindowScore::agreements).sum() / (double) predicted();
  }

  /**
   * @param low 2.5 % quantile
   * @param high 97.5 % quantile
   */
  public record Interval(double low, double high) {}

  /**
   * 95 % interval of ln perplexity of this − ln perplexity of the original, by a paired percentile
   * bootstrap: windows are drawn with replacement, the same for both models.
   *
   * @param draws at least 40, so that the quantiles are not the extremes
   */
  public Interval lossInterval(Quality original, int draws, long seed) {
    int n = windows.size();
    if (original.windows.size() != n || draws < 40) {
      throw new IllegalArgumentException(
          "bootstrap of %d windows against %d with %d draws"
              .formatted(n, original.windows.size(), draws));
    }
    List<Double> losses = new ArrayList<>(draws);
    long word = 0;
    for (int draw = 0; draw < draws; draw++) {
      double difference = 0;
      long predicted = 0;
      for (int i = 0; i < n; i++) {
        double uniform = 1 - CounterRandom.uniform(seed, word++); // in [0, 1)
        int chosen = (int) (uniform * n);
        WindowScore mine = windows.get(chosen);
        difference += mine.nll() - original.windows.get(chosen).nll();
        predicted += mine.predicted();
      }
      losses.add(difference / predicted);
    }
    losses.sort(null);
    return new Interval(
        losses.get((int) (0.025 * draws)), losses.get((int) Math.ceil(0.975 * draws) - 1));
  }
}
