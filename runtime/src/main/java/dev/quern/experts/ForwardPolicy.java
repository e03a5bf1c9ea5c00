package dev.quern.experts;

import java.util.Arrays;

/**
 * Looks forward: Belady's rule, give up what is used again last, with an estimate in place of the
 * future. An expert's value is the expectation of γ^(d − 1), where d is the number of tokens until
 * its layer uses it again: comparable between layers, so all share one pool. It is multiplied by γ
 * to three times the share of a token until the layer's turn, as others' turns are sooner or later.
 *
 * <p>The estimate is linear and learned while the model runs; nothing is shipped and any model will
 * do. Per layer, from the scores of all experts at the last token:
 *
 * <pre>{@code
 * v(e) = b(e) + Σ_f W(f, e) · x(f) + Σ_i w(i) · φ(e, i)
 * x(f) = max(0, ln(score(f) / mean score))
 * φ(e) = use of e averaged over about 2, 10 and 50 tokens, x(e), its score averaged over 10 tokens,
 *        and what a predictor says of the next token, if there is one
 * }</pre>
 *
 * <p>Learned by temporal differences: at each token, v of the token before moves towards 1 for the
 * experts used and γ · v for the others, by a step divided by the squared length of x (normalised
 * least mean squares). What a predictor says of the present token in a coming layer, p, makes the
 * value p + (1 − p) · γ · v until that layer is reached.
 *
 * <p>Sources: Belady, "A study of replacement algorithms for a virtual-storage computer", IBM
 * Systems Journal 1966; Sutton, "Learning to predict by the methods of temporal differences",
 * Machine Learning 1988, TD(0). That scores say more than use alone was measured on a small model;
 * see the cache simulator.
 *
 * <p>Costs numExperts² weights per layer, and per token and layer about as many multiplications as
 * experts score above the mean, times numExperts.
 */
final class ForwardPolicy extends RankedPolicy {
  /** γ; of 0.7 to 0.95 the best at 10 to 50 % capacity together. */
  static final float DISCOUNT = 0.8f;

  private static final float STEP = 0.02f; // of W and b; 0.01 to 0.05 differ little
  private static final float SHARED_STEP = 0.005f; // of w, divided by the experts; larger is noise
  private static final float[] AVERAGE = {0.5f, 0.1f, 0.02f}; // weights of the newest token
  private static final float SCORE_AVERAGE = 0.1f;

  /**
   * How much more a layer's turn counts than the tokens of d: what is kept for a late turn holds a
   * slot in which others could be used before. With 1, noise in v outweighs it, and where nothing
   * can be foreseen (independent uniform routing) layers lose experts just before their turn: 0.010
   * fewer hits than c/N at 10 % capacity, 0.004 with 3. Real routing hits as often with 1 to 4.
   */
  private static final double TURN = 3;

  private static final int MAX_LEARNED_TOKENS = 64; // of a batch, its last: a prompt may be long

  // Columns of φ.
  private static final int SCORE = AVERAGE.length;
  private static final int MEAN_SCORE = SCORE + 1;
  private static final int PREDICTED = SCORE + 2;
  private static final int COLUMNS = SCORE + 3;

  /** w at the start: recency and frequency, as least squares find them; a predictor is trusted. */
  private static final float[] PRIOR = {0.1f, 0.1f, 0.9f, 0.02f, 0.1f, 0.5f};

  /** What is known of one layer. */
  private final class Layer {
    final float[] w = PRIOR.clone();
    final float[] map = new float[shape.numExperts() * shape.numExperts()]; // W, row f
    final float[] bias = new float[shape.numExperts()];
    final float[][] use = new float[AVERAGE.length][shape.numExperts()];
    final float[] meanScore = new float[shape.numExperts()];
    final float[] error = new float[shape.numExperts()];
    final float[] soon = new float[shape.numExperts()]; // p of the present token
    boolean soonKnown;
    Moment last = new Moment();
    Moment before = new Moment();
    int moments;

    Layer() {
      float mean = (float) shape.topK() / shape.numExperts();
      for (float[] average : use) {
        Arrays.fill(average, mean);
      }
      Arrays.fill(meanScore, mean);
    }
  }

  /** Features and values at one token. */
  private final class Moment {
    final float[] x = new float[shape.numExperts()];
    final float[] features = new float[shape.numExperts() * COLUMNS]; // φ, a row per expert
    final float[] value = new float[shape.numExperts()];
    final boolean[] used = new boolean[shape.numExperts()];
    boolean predicted;
  }

  private final Layer[] layers; // null where nothing was routed yet
  private final double[]
      wait; // γ^(TURN · share of a token until a layer's turn), by layers before it

  ForwardPolicy(CacheShape shape) {
    super(shape, Pool.ONE);
    layers = new Layer[shape.numLayers()];
    wait = new double[shape.numLayers()];
    Arrays.setAll(wait, i -> Math.pow(DISCOUNT, TURN * (i + 1.0) / wait.length));
  }

  /** Bytes of all that it knows of so many layers. */
  static long stateBytes(int layers, int numExperts) {
    long ofExpert = AVERAGE.length + 4L + 2L * (COLUMNS + 2); // of a layer and its two moments
    long floats = (long) numExperts * numExperts + ofExpert * numExperts;
    return layers * floats * Float.BYTES;
  }

  @Override
  protected void used(int key, long time) {}

  @Override
  public void routed(RoutedTokens routed) {
    super.routed(routed);
    int index = routed.layer();
    if (layers[index] == null) {
      layers[index] = new Layer(); // once: layers without experts cost nothing
    }
    Layer layer = layers[index];
    layer.soonKnown = false;
    for (int t = Math.max(0, routed.tokens() - MAX_LEARNED_TOKENS); t < routed.tokens(); t++) {
      if (layer.moments >= 2) {
        learn(layer);
      }
      Moment oldest = layer.before;
      layer.before = layer.last;
      layer.last = oldest;
      layer.moments++;
      observe(layer, routed, t);
      evaluate(layer, layer.last);
    }
  }

  /** Features of a token. */
  private void observe(Layer layer, RoutedTokens routed, int token) {
    Moment moment = layer.last;
    int n = shape.numExperts();
    int topK = routed.topK();
    Arrays.fill(moment.used, false);
    for (int k = token * topK; k < (token + 1) * topK; k++) {
      if (routed.experts()[k] >= 0) { // −1: dropped
        moment.used[routed.experts()[k]] = true;
      }
    }
    float[] scores = routed.scores();
    float sum = 0;
    for (int e = 0; e < n; e++) {
      sum += scores[token * n + e];
    }
    boolean usable = sum > 0 && sum < Float.POSITIVE_INFINITY; // a broken model must not poison v
    float toUses = usable ? topK / sum : 0; // scaled so that they add up to topK
    float[] features = moment.features;
    for (int e = 0; e < n; e++) {
      float share = usable ? scores[token * n + e] * toUses : 0;
      float relative = share * n / topK; // to the mean
      moment.x[e] = relative > 1 ? (float) Math.log(relative) : 0;
      for (int i = 0; i < AVERAGE.length; i++) {
        layer.use[i][e] += AVERAGE[i] * ((moment.used[e] ? 1 : 0) - layer.use[i][e]);
        features[e * COLUMNS + i] = layer.use[i][e];
      }
      layer.meanScore[e] += SCORE_AVERAGE * (share - layer.meanScore[e]);
      features[e * COLUMNS + SCORE] = moment.x[e];
      features[e * COLUMNS + MEAN_SCORE] = layer.meanScore[e];
      features[e * COLUMNS + PREDICTED] = 0;
    }
    moment.predicted = false;
  }

  /** v of every expert. */
  private void evaluate(Layer layer, Moment moment) {
    int n = shape.numExperts();
    float[] value = moment.value;
    for (int e = 0; e < n; e++) {
      float sum = layer.bias[e];
      for (int i = 0; i < COLUMNS; i++) {
        sum += layer.w[i] * moment.features[e * COLUMNS + i];
      }
      value[e] = sum;
    }
    for (int f = 0; f < n; f++) {
      float x = moment.x[f];
      if (x > 0) {
        for (int e = 0; e < n; e++) {
          value[e] += x * layer.map[f * n + e];
        }
      }
    }
  }

  /** Corrects v of the moment before by what the last one showed. */
  private void learn(Layer layer) {
    int n = shape.numExperts();
    Moment before = layer.before;
    Moment last = layer.last;
    float[] error = layer.error;
    float length = 1; // the bias
    for (int e = 0; e < n; e++) {
      length += before.x[e] * before.x[e];
      float target = last.used[e] ? 1 : DISCOUNT * Math.clamp(last.value[e], 0f, 1f);
      error[e] = target - before.value[e];
    }
    float step = STEP / length;
    for (int e = 0; e < n; e++) {
      layer.bias[e] += step * error[e];
    }
    for (int f = 0; f < n; f++) {
      float x = step * before.x[f];
      if (x > 0) {
        for (int e = 0; e < n; e++) {
          layer.map[f * n + e] += x * error[e];
        }
      }
    }
    int columns = before.predicted ? COLUMNS : PREDICTED;
    for (int i = 0; i < columns; i++) {
      float gradient = 0;
      for (int e = 0; e < n; e++) {
        gradient += error[e] * before.features[e * COLUMNS + i];
      }
      layer.w[i] += SHARED_STEP / n * gradient;
    }
  }

  @Override
  public void expect(int layer, int tokensAhead, float[] probabilities) {
    Layer known = layers[layer];
    if (known == null) {
      return; // nothing to combine it with
    }
    changed(layer);
    if (tokensAhead == 0) {
      for (int e = 0; e < shape.numExperts(); e++) {
        known.soon[e] = Math.clamp(probabilities[e], 0f, 1f);
      }
      known.soonKnown = true;
    } else if (tokensAhead == 1) {
      Moment moment = known.last;
      for (int e = 0; e < shape.numExperts(); e++) {
        float now = Math.clamp(probabilities[e], 0f, 1f);
        int at = e * COLUMNS + PREDICTED;
        moment.value[e] += known.w[PREDICTED] * (now - moment.features[at]);
        moment.features[at] = now;
      }
      moment.predicted = true;
    }
  }

  @Override
  protected double value(int key) {
    Layer layer = layers[shape.layer(key)];
    if (layer == null) {
      return 0; // prefetched before its layer was ever routed
    }
    int expert = shape.expert(key);
    double later = layer.last.value[expert];
    if (layer.soonKnown) {
      double soon = layer.soon[expert];
      later = soon + (1 - soon) * DISCOUNT * later;
    }
    return later * wait[Math.floorMod(shape.layer(key) - current() - 1, wait.length)];
  }
}
