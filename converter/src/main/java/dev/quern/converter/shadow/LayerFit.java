package dev.quern.converter.shadow;

import dev.quern.converter.shadow.FittedLayer.Epoch;
import dev.quern.converter.shadow.FittedLayer.Validation;
import dev.quern.quant.CounterRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Learns all heads of one layer: they share the hidden units. On one thread; a function of rows,
 * ridge and options alone.
 */
final class LayerFit {
  private static final int WARM_UP_STEPS = 200;
  private static final int MAX_VALID_ROWS = 1 << 15;
  private static final int LOSS_STEPS = 16;
  private static final int CALIBRATION_ROWS = 1 << 14;

  private final LayerRows train;
  private final LayerRows valid;
  private final Features features;
  private final Ridge ridge;
  private final FitOptions options;
  private final int numExperts;
  private final int outputs;
  private final int width;
  private final TwoLayerNet net;

  LayerFit(LayerRows train, LayerRows valid, TokenTable table, Ridge ridge, FitOptions options) {
    this.train = train;
    this.valid = valid;
    this.features = new Features(table, ridge.scale());
    this.ridge = ridge;
    this.options = options;
    numExperts = train.numExperts();
    outputs = ridge.outputs();
    width = options.width(train.hiddenSize(), table.width());
    long key = CounterRandom.key(options.seed(), train.layer());
    net = new TwoLayerNet(features.count(), width, ridge.mean(), options.batchRows(), key);
  }

  FittedLayer run() {
    float[] linear = ridge.weights().clone();
    float[] linearBias = ridge.constant().clone();
    calibrate(linear, linearBias);
    List<Epoch> epochs = refine();
    int[] validRows = spread(valid.rows(), MAX_VALID_ROWS);
    List<Validation> ofLinear =
        validate(valid, validRows, (x, n, z) -> linear(linear, linearBias, x, n, z));
    List<Validation> ofNet = validate(valid, validRows, net::forward);
    fold(linear, outputs);
    float[] hidden = net.hiddenRows();
    fold(hidden, width);
    List<FittedLayer.Head> heads = new ArrayList<>();
    for (int d = 0; d <= train.distances(); d++) {
      int first = d * numExperts;
      heads.add(
          new FittedLayer.Head(
              d,
              slice(linear, first * features.count(), numExperts * features.count()),
              slice(linearBias, first, numExperts),
              net.outputRows(first, numExperts),
              slice(net.b2, first, numExperts),
              ofLinear.get(d),
              ofNet.get(d)));
    }
    return new FittedLayer(train.layer(), hidden, net.b1.clone(), heads, epochs);
  }

  private static float[] slice(float[] values, int from, int length) {
    return Arrays.copyOfRange(values, from, from + length);
  }

  /** Weights of scaled features become weights of the features themselves. */
  private void fold(float[] weights, int rows) {
    for (int r = 0; r < rows; r++) {
      for (int f = 0; f < features.count(); f++) {
        weights[r * features.count() + f] *= features.scale()[f];
      }
    }
  }

  private List<Epoch> refine() {
    int rows = train.rows();
    int batch = options.batchRows();
    int stepsPerEpoch = Math.max(1, rows / batch);
    int steps = Math.max(1, (int) Math.round(options.epochs() * stepsPerEpoch));
    int[] order = new int[rows];
    for (int i = 0; i < rows; i++) {
      order[i] = i;
    }
    float[] x = new float[batch * features.count()];
    float[] y = new float[batch * outputs];
    Adam adam = new Adam(net.parameters(), net.gradients());
    List<Epoch> epochs = new ArrayList<>();
    int[] validRows = spread(valid.rows(), MAX_VALID_ROWS / 4);
    double loss = 0;
    int counted = 0;
    for (int step = 0; step < steps; step++) {
      int inEpoch = step % stepsPerEpoch;
      if (inEpoch == 0) {
        shuffle(order, step / stepsPerEpoch);
      }
      int n = Math.min(batch, rows);
      gather(train, order, inEpoch * batch, n, x, y);
      net.gradient(x, n, y);
      if (step % LOSS_STEPS == 0) { // logarithms would take as long as the products
        loss += net.loss(n, y);
        counted++;
      }
      double warmUp = Math.min(1, (step + 1.0) / Math.min(WARM_UP_STEPS, 1 + steps / 10));
      double decay = 0.5 * (1 + StrictMath.cos(StrictMath.PI * step / steps));
      adam.step(options.learningRate() * warmUp * decay);
      if (inEpoch == stepsPerEpoch - 1 || step == steps - 1) {
        double validLoss =
            validate(valid, validRows, net::forward).stream().mapToDouble(Validation::loss).sum();
        epochs.add(new Epoch(loss / Math.max(1, counted), validLoss));
        loss = 0;
        counted = 0;
      }
    }
    return epochs;
  }

  /** Fisher and Yates, from the seed's stream of this layer and epoch. */
  private void shuffle(int[] order, int epoch) {
    long key = CounterRandom.key(options.seed(), train.layer(), 3, epoch);
    for (int i = order.length - 1; i > 0; i--) {
      int j = (int) Long.remainderUnsigned(CounterRandom.word(key, i), i + 1L);
      int swapped = order[i];
      order[i] = order[j];
      order[j] = swapped;
    }
  }

  private void gather(LayerRows rows, int[] order, int from, int n, float[] x, float[] y) {
    for (int t = 0; t < n; t++) {
      int row = order[from + t];
      features.read(rows, row, x, t * features.count());
      for (int d = 0; d <= rows.distances(); d++) {
        rows.target(row, d, y, t * outputs + d * numExperts);
      }
    }
  }

  /** Something that turns [n, features] into logits [n, outputs]. */
  @FunctionalInterface
  private interface Forward {
    void apply(float[] x, int n, float[] logits);
  }

  /** Per head: recall of the experts used and the mean loss. */
  private List<Validation> validate(LayerRows rows, int[] chosen, Forward forward) {
    int batch = options.batchRows();
    float[] x = new float[batch * features.count()];
    float[] y = new float[batch * outputs];
    float[] z = new float[batch * outputs];
    int heads = rows.distances() + 1;
    double[] loss = new double[heads];
    Recall[] recall = new Recall[heads];
    for (int d = 0; d < heads; d++) {
      recall[d] = new Recall(rows.topK());
    }
    for (int from = 0; from < chosen.length; from += batch) {
      int n = Math.min(batch, chosen.length - from);
      gather(rows, chosen, from, n, x, y);
      forward.apply(x, n, z);
      for (int t = 0; t < n; t++) {
        int row = chosen[from + t];
        for (int d = 0; d < heads; d++) {
          int at = t * outputs + d * numExperts;
          for (int e = at; e < at + numExperts; e++) {
            loss[d] += TwoLayerNet.logistic(z[e], y[e]);
          }
          if (rows.scored(row, d)) {
            int used = rows.scoredRow(row, d) * rows.topK();
            recall[d].add(z, at, numExperts, rows.experts(d), used);
          }
        }
      }
    }
    List<Validation> all = new ArrayList<>();
    for (int d = 0; d < heads; d++) {
      all.add(new Validation(recall[d].atTopK(), loss[d] / Math.max(1, chosen.length)));
    }
    return all;
  }

  /** At most so many rows, spread evenly. */
  private static int[] spread(int rows, int most) {
    int count = Math.min(rows, most);
    int[] chosen = new int[count];
    for (int i = 0; i < count; i++) {
      chosen[i] = (int) ((long) i * rows / count);
    }
    return chosen;
  }

  private void linear(float[] weights, float[] bias, float[] x, int n, float[] z) {
    int count = features.count();
    for (int t = 0; t < n; t++) {
      for (int o = 0; o < outputs; o++) {
        z[t * outputs + o] = bias[o] + net.dot(weights, o * count, x, t * count, count);
      }
    }
  }

  /**
   * Ridge regression predicts 0 or 1, not a logit: per head, logit = a · prediction + b with the a
   * and b of least logistic loss, by Newton's method.
   */
  private void calibrate(float[] weights, float[] bias) {
    int[] chosen = spread(train.rows(), CALIBRATION_ROWS);
    int batch = options.batchRows();
    float[] x = new float[batch * features.count()];
    float[] y = new float[chosen.length * outputs];
    float[] z = new float[chosen.length * outputs];
    float[] part = new float[batch * outputs];
    float[] targets = new float[batch * outputs];
    for (int from = 0; from < chosen.length; from += batch) {
      int n = Math.min(batch, chosen.length - from);
      gather(train, chosen, from, n, x, targets);
      linear(weights, bias, x, n, part);
      System.arraycopy(part, 0, z, from * outputs, n * outputs);
      System.arraycopy(targets, 0, y, from * outputs, n * outputs);
    }
    for (int d = 0; d <= train.distances(); d++) {
      double[] line = Platt.fit(z, y, chosen.length, outputs, d * numExperts, numExperts);
      for (int o = d * numExperts; o < (d + 1) * numExperts; o++) {
        for (int f = 0; f < features.count(); f++) {
          weights[o * features.count() + f] *= (float) line[0];
        }
        bias[o] = (float) (line[0] * bias[o] + line[1]);
      }
    }
  }
}
