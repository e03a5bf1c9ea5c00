package dev.quern.converter.shadow;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.converter.traces.Split;
import dev.quern.quant.CounterRandom;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class LayerFitTest {
  private static final TokenTable TABLE = SyntheticTrace.table();

  private static NormalSums sums(LayerRows... parts) {
    NormalSums all = new NormalSums();
    for (LayerRows part : parts) {
      NormalSums one = new NormalSums();
      one.add(part, TABLE);
      all = all.merge(one);
    }
    return all;
  }

  /** One feature that varies, one expert that answers to it: the regression line of a textbook. */
  @Test
  void ridgeOfOneFeatureIsTheRegressionLine() {
    TokenTable constant = new TokenTable(1, new short[1]); // every token's row is 0
    LayerRows rows = new LayerRows(0, 1, 1, 3, 1);
    float[] x = {1, 2, 3, 4};
    int[] expert = {0, 0, 1, 1};
    for (int i = 0; i < x.length; i++) {
      int[][] chosen = {{2}, {expert[i]}};
      rows.add(0, i > 0, new float[] {x[i]}, 0, chosen, 0);
    }
    NormalSums sums = new NormalSums();
    sums.add(rows, constant);
    assertEquals(4, sums.rows());
    Ridge ridge = Ridge.solve(sums, 1e-9);
    // Expert 1 ahead is output 3 + 1: y = 0 0 1 1 has slope 0.4 and intercept −0.5.
    assertEquals(0.4, ridge.weights()[4 * 2] * ridge.scale()[0], 1e-4);
    assertEquals(-0.5, ridge.constant()[4], 1e-4);
    assertEquals(0.5, ridge.mean()[4], 1e-6);
    assertEquals(-0.4, ridge.weights()[3 * 2] * ridge.scale()[0], 1e-4);
  }

  @Test
  void sumsDoNotDependOnTheOrderOfParts() {
    SyntheticTrace trace = new SyntheticTrace(true, 700, 3);
    LayerRows a = trace.rows(Split.TRAIN, 0, 2, 0, 1, true);
    LayerRows b = trace.rows(Split.TRAIN, 0, 2, 1, 2, true);
    LayerRows c = trace.rows(Split.TRAIN, 0, 2, 2, 3, true);
    Ridge forward = Ridge.solve(sums(a, b, c), Ridge.LAMBDA);
    Ridge backward = Ridge.solve(sums(c, a, b), Ridge.LAMBDA);
    assertArrayEquals(forward.weights(), backward.weights());
    assertArrayEquals(forward.constant(), backward.constant());
  }

  /** The slope of the loss along every hundredth parameter, against differences of the loss. */
  @Test
  void gradientIsTheSlopeOfTheLoss() {
    int features = 9;
    int outputs = 70; // more than one block of 64
    int rows = 13;
    float[] mean = new float[outputs];
    Arrays.fill(mean, 0.2f);
    TwoLayerNet net = new TwoLayerNet(features, 128, mean, rows, 5);
    float[] x = new float[rows * features];
    float[] y = new float[rows * outputs];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) CounterRandom.gaussian(1, i);
    }
    for (int i = 0; i < y.length; i++) {
      y[i] = (float) CounterRandom.uniform(2, i);
    }
    net.gradient(x, rows, y);
    List<float[]> slopes = net.gradients().stream().map(float[]::clone).toList();
    double largest = 0;
    int checked = 0;
    for (int p = 0; p < slopes.size(); p++) {
      float[] parameter = net.parameters().get(p);
      for (int i = p % 7; i < parameter.length; i += 97) {
        float before = parameter[i];
        float step = 1e-2f;
        parameter[i] = before + step;
        double above = loss(net, x, rows, y, outputs);
        parameter[i] = before - step;
        double below = loss(net, x, rows, y, outputs);
        parameter[i] = before;
        double expected = (above - below) / (2 * step);
        largest = Math.max(largest, Math.abs(expected));
        // float32 logits leave about 1e-4 of noise in a loss of 50, divided by the step of 0.02.
        assertEquals(expected, slopes.get(p)[i], 2e-3 + 0.01 * Math.abs(expected), p + ", " + i);
        checked++;
      }
    }
    assertTrue(checked > 100 && largest > 0.05, checked + " slopes up to " + largest);
  }

  private static double loss(TwoLayerNet net, float[] x, int rows, float[] y, int outputs) {
    float[] z = new float[rows * outputs];
    net.forward(x, rows, z);
    double loss = 0;
    for (int i = 0; i < z.length; i++) {
      loss += TwoLayerNet.logistic(z[i], y[i]);
    }
    return loss / rows;
  }

  private static FittedLayer fit(SyntheticTrace trace, FitOptions options) {
    LayerRows train = trace.rows(Split.TRAIN, 0, 2, 0, 4, true);
    LayerRows valid = trace.rows(Split.VALID, 0, 2, 0, 1, true);
    Ridge ridge = Ridge.solve(sums(train), Ridge.LAMBDA);
    return new LayerFit(train, valid, TABLE, ridge, options).run();
  }

  @Test
  void twoLayersLearnWhatOneCannot() {
    FitOptions options = new FitOptions(64, 30, 5e-3, 64, 1);
    FittedLayer layer = fit(new SyntheticTrace(true, 1500, 3), options);
    assertEquals(30, layer.epochs().size());
    double first = layer.epochs().getFirst().validLoss();
    double last = layer.epochs().getLast().validLoss();
    assertTrue(last < 0.7 * first, first + " → " + last);
    for (FittedLayer.Head head : layer.heads().subList(1, 3)) {
      double refined = head.refinedValid().recall();
      double linear = head.linearValid().recall();
      assertTrue(refined > 0.8, "two-layer: " + refined);
      assertTrue(linear < 0.35, "linear: " + linear); // chance is 0.125
      assertTrue(head.refinedWins());
      assertTrue(head.refinedValid().loss() < head.linearValid().loss());
    }
  }

  @Test
  void independentRoutingIsPredictedByChance() {
    FittedLayer layer = fit(new SyntheticTrace(false, 2000, 4), new FitOptions(64, 3, 2e-3, 64, 1));
    for (FittedLayer.Head head : layer.heads()) {
      // 2,000 rows of two experts: a standard deviation of 0.005 around 2 / 16
      assertEquals(0.125, head.refinedValid().recall(), 0.025);
      assertEquals(0.125, head.linearValid().recall(), 0.025);
    }
  }

  @Test
  void equalSeedsGiveEqualBits() {
    SyntheticTrace trace = new SyntheticTrace(true, 200, 5);
    FitOptions options = new FitOptions(64, 2, 2e-3, 32, 9);
    FittedLayer one = fit(trace, options);
    FittedLayer two = fit(trace, options);
    assertArrayEquals(one.hidden(), two.hidden());
    assertArrayEquals(one.heads().get(1).refined(), two.heads().get(1).refined());
  }
}
