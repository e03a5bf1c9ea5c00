package dev.quern.converter.shadow;

import dev.quern.kernels.Kernels;
import dev.quern.kernels.VectorGroups;
import dev.quern.quant.CounterRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * logits = W₂ silu(W₁ x + b₁) + b₂, trained on the logistic loss Σ log(1 + e^z) − y z with targets
 * y in [0, 1]. One thread; the same numbers on every machine.
 *
 * <p>F features, U units, O outputs, T rows of a batch. Matrices lie as {@link Panels} says.
 */
final class TwoLayerNet {
  private final Kernels kernels = Kernels.best();
  private final VectorGroups groups = new VectorGroups(kernels);
  private final int features;
  private final int units;
  private final int outputs;
  private final int maxRows;

  final float[][] w1; // [F, U]
  final float[] b1;
  final float[][] w2; // [U, O]
  final float[] b2;
  private final float[][] g1;
  private final float[] gb1;
  private final float[][] g2;
  private final float[] gb2;

  private final float[][] preactivation; // [T, U], then the gradient with respect to it
  private final float[][] sigmoid; // [T, U]
  private final float[][] activation; // [T, U]
  private final float[] rowsOfActivation; // [T, U]
  private final float[][] logits; // [T, O], then the gradient
  private final float[] rowsOfLogits; // [T, O]
  private final float[] probabilities; // [T, O]
  private final float[] transposed; // the larger of [F, T] and [U, T]
  private final float[][] w2Transposed; // [O, U]

  /**
   * @param units a multiple of 64
   * @param mean [outputs], how often each output is 1: where the biases start
   * @param maxRows rows of the largest batch
   */
  TwoLayerNet(int features, int units, float[] mean, int maxRows, long key) {
    if (units < 1 || units % Panels.ROWS != 0) {
      throw new IllegalArgumentException("hidden units: expected a multiple of 64, found " + units);
    }
    this.features = features;
    this.units = units;
    this.outputs = mean.length;
    this.maxRows = maxRows;
    w1 = Panels.create(features, units);
    b1 = new float[units];
    w2 = Panels.create(units, outputs);
    b2 = new float[outputs];
    g1 = Panels.create(features, units);
    gb1 = new float[units];
    g2 = Panels.create(units, outputs);
    gb2 = new float[outputs];
    preactivation = Panels.create(maxRows, units);
    sigmoid = Panels.create(maxRows, units);
    activation = Panels.create(maxRows, units);
    rowsOfActivation = new float[maxRows * units];
    logits = Panels.create(maxRows, outputs);
    rowsOfLogits = new float[maxRows * outputs];
    probabilities = new float[maxRows * outputs];
    transposed = new float[Math.multiplyExact(maxRows, Math.max(features, units))];
    w2Transposed = Panels.create(outputs, units);
    initialise(mean, key);
  }

  private void initialise(float[] mean, long key) {
    fill(w1, features * Panels.ROWS, Math.sqrt(1.0 / features), CounterRandom.key(key, 1));
    double scale2 = 0.5 * Math.sqrt(1.0 / units);
    long key2 = CounterRandom.key(key, 2);
    for (int o = 0; o < outputs; o++) {
      for (int u = 0; u < units; u++) {
        double value = scale2 * CounterRandom.gaussian(key2, (long) o * units + u);
        w2[o / Panels.ROWS][u * Panels.ROWS + o % Panels.ROWS] = (float) value;
      }
      double p = Math.clamp(mean[o], 1e-4, 1 - 1e-4);
      b2[o] = (float) StrictMath.log(p / (1 - p));
    }
  }

  private static void fill(float[][] blocks, int length, double scale, long key) {
    for (int b = 0; b < blocks.length; b++) {
      for (int i = 0; i < length; i++) {
        blocks[b][i] = (float) (scale * CounterRandom.gaussian(key, (long) b * length + i));
      }
    }
  }

  List<float[]> parameters() {
    return list(w1, b1, w2, b2);
  }

  List<float[]> gradients() {
    return list(g1, gb1, g2, gb2);
  }

  private static List<float[]> list(float[][] a, float[] b, float[][] c, float[] d) {
    List<float[]> all = new ArrayList<>(Arrays.asList(a));
    all.add(b);
    all.addAll(Arrays.asList(c));
    all.add(d);
    return all;
  }

  /**
   * @param x [rows, features]
   * @param out [rows, outputs], the logits
   */
  void forward(float[] x, int rows, float[] out) {
    if (rows > maxRows) {
      throw new IllegalArgumentException(rows + " rows, at most " + maxRows);
    }
    Panels.clear(preactivation, rows);
    Panels.addProduct(groups, w1, features, x, rows, preactivation);
    for (int b = 0; b < preactivation.length; b++) {
      float[] pre = preactivation[b];
      int n = rows * Panels.ROWS;
      for (int t = 0; t < rows; t++) {
        kernels.axpy(1, b1, b * Panels.ROWS, pre, t * Panels.ROWS, Panels.ROWS);
      }
      float[] s = sigmoid[b];
      Arrays.fill(s, 0, n, 1);
      kernels.sigmoidGate(pre, 0, s, 0, n);
      float[] a = activation[b];
      for (int i = 0; i < n; i++) {
        a[i] = pre[i] * s[i];
      }
    }
    Panels.toRows(activation, rows, rowsOfActivation, units);
    Panels.clear(logits, rows);
    Panels.addProduct(groups, w2, units, rowsOfActivation, rows, logits);
    Panels.toRows(logits, rows, out, outputs);
    for (int t = 0; t < rows; t++) {
      kernels.axpy(1, b2, 0, out, t * outputs, outputs);
    }
  }

  /**
   * Computes {@link #gradients} of the mean loss over the rows.
   *
   * @param x [rows, features]
   * @param targets [rows, outputs]
   */
  void gradient(float[] x, int rows, float[] targets) {
    forward(x, rows, rowsOfLogits);
    slopes(rows, targets);
    // W₂: Σ_t activation[t, ·] slope[t, ·]
    toBlocks(rowsOfLogits, rows);
    Panels.clear(g2, units);
    Panels.transpose(rowsOfActivation, rows, units, transposed);
    Panels.addProduct(groups, logits, rows, transposed, units, g2);
    Arrays.fill(gb2, 0);
    for (int t = 0; t < rows; t++) {
      kernels.axpy(1, rowsOfLogits, t * outputs, gb2, 0, outputs);
    }
    // Back through W₂ and SiLU, whose slope is s (1 + a₀ (1 − s)).
    transposeW2();
    Panels.clear(activation, rows);
    Panels.addProduct(groups, w2Transposed, outputs, rowsOfLogits, rows, activation);
    Arrays.fill(gb1, 0);
    for (int b = 0; b < activation.length; b++) {
      float[] pre = preactivation[b];
      float[] s = sigmoid[b];
      float[] back = activation[b];
      for (int i = 0; i < rows * Panels.ROWS; i++) {
        pre[i] = back[i] * s[i] * (1 + pre[i] * (1 - s[i]));
      }
      for (int t = 0; t < rows; t++) {
        kernels.axpy(1, pre, t * Panels.ROWS, gb1, b * Panels.ROWS, Panels.ROWS);
      }
    }
    Panels.clear(g1, features);
    Panels.transpose(x, rows, features, transposed);
    Panels.addProduct(groups, preactivation, rows, transposed, features, g1);
  }

  /** rowsOfLogits becomes the slope of the mean loss, (σ(z) − y) / rows. */
  private void slopes(int rows, float[] targets) {
    int n = rows * outputs;
    float[] z = rowsOfLogits;
    float[] p = probabilities;
    Arrays.fill(p, 0, n, 1);
    kernels.sigmoidGate(z, 0, p, 0, n);
    float share = 1f / rows;
    for (int i = 0; i < n; i++) {
      z[i] = share * (p[i] - targets[i]);
    }
  }

  /** The mean loss of the rows that {@link #gradient} was last called with. */
  double loss(int rows, float[] targets) {
    double loss = 0;
    for (int i = 0; i < rows * outputs; i++) {
      double p = Math.clamp((double) probabilities[i], 1e-12, 1 - 1e-7);
      loss -= targets[i] * Math.log(p) + (1 - targets[i]) * Math.log1p(-p);
    }
    return loss / rows;
  }

  float dot(float[] a, int aAt, float[] b, int bAt, int n) {
    return kernels.dot(a, aAt, b, bAt, n);
  }

  /** log(1 + e^z) − y z. */
  static double logistic(double z, double y) {
    return Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - y * z;
  }

  private void toBlocks(float[] rowsOf, int rows) {
    for (int b = 0; b < logits.length; b++) {
      int width = Math.min(Panels.ROWS, outputs - b * Panels.ROWS);
      for (int t = 0; t < rows; t++) {
        System.arraycopy(rowsOf, t * outputs + b * Panels.ROWS, logits[b], t * Panels.ROWS, width);
      }
    }
  }

  /** W₁ as rows of units, [U, F]. */
  float[] hiddenRows() {
    float[] rows = new float[units * features];
    for (int u = 0; u < units; u++) {
      for (int f = 0; f < features; f++) {
        rows[u * features + f] = w1[u / Panels.ROWS][f * Panels.ROWS + u % Panels.ROWS];
      }
    }
    return rows;
  }

  /** Rows of W₂, [count, U], of the outputs from first on. */
  float[] outputRows(int first, int count) {
    float[] rows = new float[count * units];
    for (int o = 0; o < count; o++) {
      int output = first + o;
      for (int u = 0; u < units; u++) {
        rows[o * units + u] = w2[output / Panels.ROWS][u * Panels.ROWS + output % Panels.ROWS];
      }
    }
    return rows;
  }

  private void transposeW2() {
    for (int o = 0; o < outputs; o++) {
      float[] from = w2[o / Panels.ROWS];
      int column = o % Panels.ROWS;
      for (int u = 0; u < units; u++) {
        w2Transposed[u / Panels.ROWS][o * Panels.ROWS + u % Panels.ROWS] =
            from[u * Panels.ROWS + column];
      }
    }
  }
}
