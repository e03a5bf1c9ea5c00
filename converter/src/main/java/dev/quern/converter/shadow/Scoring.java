package dev.quern.converter.shadow;

import dev.quern.experts.ExpertPredictor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Asks predictors about held-out rows, one by one as the runtime would. */
final class Scoring {
  private static final int BINS = 20;
  private static final int MAX_ROWS = 1 << 17;

  private Scoring() {}

  /** Scores of all predictors at all distances that they and the rows know. */
  static List<Score> score(LayerRows rows, Map<String, ExpertPredictor> predictors) {
    List<Score> scores = new ArrayList<>();
    predictors.forEach((name, predictor) -> {
      ExpertPredictor own = predictor.copy();
      for (int distance = 0; distance <= rows.distances(); distance++) {
        Score score = score(rows, name, own, distance);
        if (score.rows() > 0) {
          scores.add(score);
        }
      }
    });
    return scores;
  }

  private static Score score(LayerRows rows, String name, ExpertPredictor predictor, int distance) {
    int experts = rows.numExperts();
    float[] input = new float[rows.hiddenSize()];
    float[] p = new float[experts];
    Recall recall = new Recall(rows.topK());
    long[] counts = new long[BINS];
    double[] predicted = new double[BINS];
    double[] observed = new double[BINS];
    float[] target = new float[experts];
    int count = Math.min(rows.rows(), MAX_ROWS);
    for (int i = 0; i < count; i++) {
      int row = (int) ((long) i * rows.rows() / count);
      if (!rows.scored(row, distance)) {
        continue;
      }
      rows.input(row, input, 0);
      boolean known =
          distance == 0
              ? predictor.predictNextToken(rows.layer(), input, rows.token(row), p)
              : distance <= predictor.maxDistance()
                  && predictor.predict(rows.layer(), distance, input, rows.token(row), p);
      if (!known) {
        break;
      }
      int used = rows.scoredRow(row, distance) * rows.topK();
      short[] truth = rows.experts(distance);
      recall.add(p, 0, experts, truth, used);
      rows.target(row, distance, target, 0);
      for (int e = 0; e < experts; e++) {
        int bin = bin(p[e]);
        counts[bin]++;
        predicted[bin] += p[e];
        observed[bin] += target[e];
      }
    }
    List<Score.Bin> bins = new ArrayList<>();
    for (int b = 0; b < BINS; b++) {
      if (counts[b] > 0) {
        bins.add(new Score.Bin(counts[b], predicted[b] / counts[b], observed[b] / counts[b]));
      }
    }
    return new Score(
        name, rows.layer(), distance, recall.rows(), recall.atTopK(), recall.atTwiceTopK(), bins);
  }

  private static int bin(float value) {
    return Math.clamp((int) (value * BINS), 0, BINS - 1);
  }
}
