package dev.quern.bench.quality;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class QualityTest {
  /** float32 kernels: 1e-6 in a logarithm, see {@link Logits}. */
  private static final double TOLERANCE = 2e-6;

  private static final int VOCABULARY = 3;

  private static ReferenceWindow.Pass pass(float[]... rows) {
    return (ids, sink) -> {
      for (int position = 0; position < ids.length; position++) {
        sink.accept(position, rows[position], 0);
      }
    };
  }

  private static float[] logits(double... probabilities) {
    float[] x = new float[probabilities.length];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) Math.log(probabilities[i]) + 5; // logits are defined up to a constant
    }
    return x;
  }

  @Test
  void scoresOfHandComputedProbabilities() {
    int[] ids = {0, 1, 2};
    float[] unused = {0, 0, 0}; // after the last token, which predicts nothing
    ReferenceWindow window = new ReferenceWindow(VOCABULARY);
    WindowScore original =
        window.reference(ids, pass(logits(0.5, 0.25, 0.25), logits(0.2, 0.2, 0.6), unused));
    // Token 1 had probability 1/4, token 2 had 0.6.
    assertEquals(2, original.predicted());
    assertEquals(-Math.log(0.25) - Math.log(0.6), original.nll(), TOLERANCE);

    WindowScore other = window.score(pass(logits(0.25, 0.5, 0.25), logits(0.1, 0.1, 0.8), unused));
    assertEquals(-Math.log(0.5) - Math.log(0.8), other.nll(), TOLERANCE);
    // KL: 0.5 ln 2 + 0.25 ln ½ + 0 at the first, 0.2 ln 2 + 0.2 ln 2 + 0.6 ln ¾ at the second.
    double kld = 0.25 * Math.log(2) + 0.4 * Math.log(2) + 0.6 * Math.log(0.75);
    assertEquals(kld, other.kld(), TOLERANCE);
    assertEquals(1, other.agreements()); // the most probable token differs at the first only
  }

  @Test
  void aModelAgreesWithItself() {
    ReferenceWindow.Pass pass =
        pass(logits(0.7, 0.2, 0.1), logits(0.3, 0.3, 0.4), logits(0.1, 0.8, 0.1));
    ReferenceWindow window = new ReferenceWindow(VOCABULARY);
    WindowScore original = window.reference(new int[] {2, 0, 1}, pass);
    WindowScore same = window.score(pass);
    assertEquals(original.nll(), same.nll());
    assertEquals(0, same.kld());
    assertEquals(original.predicted(), same.agreements());
  }

  @Test
  void meansWeighTokensNotWindows() {
    Quality quality =
        new Quality(List.of(new WindowScore(1, 1, 0.5, 0), new WindowScore(3, 5, 0.3, 2)));
    assertEquals(6.0 / 4, quality.lnPerplexity(), 1e-15);
    assertEquals(Math.exp(1.5), quality.perplexity(), 1e-12);
    assertEquals(0.2, quality.meanKld(), 1e-15);
    assertEquals(0.5, quality.top1Agreement(), 1e-15);
  }

  @Test
  void theIntervalIsPairedSeededAndCoversTheLoss() {
    List<WindowScore> original = new ArrayList<>();
    List<WindowScore> worse = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      double nll = 300 + 40 * Math.sin(i); // windows differ far more than the models
      original.add(new WindowScore(100, nll, 0, 100));
      worse.add(new WindowScore(100, nll + 2 + Math.cos(i), 1, 90));
    }
    Quality reference = new Quality(original);
    Quality variant = new Quality(worse);
    Quality.Interval interval = variant.lossInterval(reference, 1000, 3);
    double loss = variant.lnPerplexity() - reference.lnPerplexity();
    assertTrue(interval.low() < loss && loss < interval.high(), interval.toString());
    // Deviation of the mean: 0.0071 (that of cos, over 100 tokens) / √50; 4 of them are 0.004.
    // Unpaired it would be forty times as wide.
    assertTrue(interval.high() - interval.low() < 0.006, interval.toString());
    assertTrue(interval.high() - interval.low() > 0.002, interval.toString());
    assertEquals(interval, variant.lossInterval(reference, 1000, 3));
    assertEquals(new Quality.Interval(0, 0), reference.lossInterval(reference, 1000, 3));
  }

  @Test
  void windowsFollowTheTextAndLoseOnlyWhatPredictsNothing() {
    int[] ids = IntStream.range(0, 11).toArray();
    List<int[]> windows = Windows.cut(ids, 4);
    assertEquals(3, windows.size());
    assertArrayEquals(new int[] {4, 5, 6, 7}, windows.get(1));
    assertArrayEquals(new int[] {8, 9, 10}, windows.get(2));
    assertEquals(2, Windows.cut(IntStream.range(0, 9).toArray(), 4).size());
    assertThrows(IllegalArgumentException.class, () -> Windows.cut(ids, 1));
  }

  @Test
  void chosenWindowsAreSpreadEvenly() {
    List<int[]> windows = IntStream.range(0, 10).mapToObj(i -> new int[] {i, i}).toList();
    List<Integer> chosen = Windows.choose(windows, 4).stream().map(w -> w[0]).toList();
    assertEquals(List.of(0, 2, 5, 7), chosen);
    assertEquals(windows, Windows.choose(windows, 10));
    assertEquals(windows, Windows.choose(windows, 1000));
    assertThrows(IllegalArgumentException.class, () -> Windows.choose(windows, 0));
  }
}
