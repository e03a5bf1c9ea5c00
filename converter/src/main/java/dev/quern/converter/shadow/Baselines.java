package dev.quern.converter.shadow;

import dev.quern.experts.CooccurrencePredictor;
import dev.quern.experts.ExpertPredictor;
import dev.quern.experts.FrequencyPredictor;
import dev.quern.experts.LayerRouter;
import dev.quern.experts.NextRouterPredictor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Predictors that are counted or read off the model, not trained. */
final class Baselines {
  /** Elements of a table by token; above it, the table is left out. */
  private static final int MAX_TABLE = 1 << 25;

  /** Tokens seen so seldom lean on the frequencies as if seen once more. */
  private static final float PRIOR = 1;

  private final TraceSource.Sizes sizes;
  private final int maxDistance;
  private final CooccurrencePredictor.Counts counts;
  private final float[][] shares;
  private final float[][] byToken;
  private final float[][] nextByToken;

  Baselines(TraceSource.Sizes sizes, int maxDistance) {
    this.sizes = sizes;
    this.maxDistance = maxDistance;
    int layers = sizes.numLayers();
    counts = new CooccurrencePredictor.Counts(layers, sizes.numExperts(), maxDistance);
    shares = new float[layers][0];
    byToken = new float[layers][0];
    nextByToken = new float[layers][0];
  }

  /** Counts the training rows of a layer; their inputs are not needed. */
  void count(LayerRows rows) {
    int layer = rows.layer();
    int topK = rows.topK();
    for (int d = 1; d <= rows.distances(); d++) {
      for (int row = 0; row < rows.rows(); row++) {
        counts.add(layer, d, rows.experts(0), rows.experts(d), row * topK, topK);
      }
    }
    float[] share = new float[rows.numExperts()];
    for (int i = 0; i < rows.rows() * topK; i++) {
      share[rows.experts(0)[i]]++;
    }
    for (int e = 0; e < share.length; e++) {
      share[e] /= Math.max(1, rows.rows());
    }
    shares[layer] = share;
    if ((long) sizes.vocabSize() * rows.numExperts() <= MAX_TABLE) {
      byToken[layer] = table(rows, 0, share);
      nextByToken[layer] = table(rows, 1, share);
    }
  }

  /** Per token, the share of its rows in which an expert was used so many rows later. */
  private float[] table(LayerRows rows, int later, float[] prior) {
    int experts = rows.numExperts();
    float[] table = new float[sizes.vocabSize() * experts];
    float[] seen = new float[sizes.vocabSize()];
    for (int row = 0; row < rows.rows() - later; row++) {
      if (later == 1 && !rows.continues(row)) {
        continue;
      }
      int id = rows.token(row);
      seen[id]++;
      for (int k = (row + later) * rows.topK(); k < (row + later + 1) * rows.topK(); k++) {
        table[id * experts + rows.experts(0)[k]]++;
      }
    }
    for (int id = 0; id < seen.length; id++) {
      for (int e = 0; e < experts; e++) {
        int at = id * experts + e;
        table[at] = (table[at] + PRIOR * prior[e]) / (seen[id] + PRIOR);
      }
    }
    return table;
  }

  /** By the names that tables show. */
  Map<String, ExpertPredictor> predictors(List<Optional<LayerRouter>> routers) {
    int topK = sizes.topK();
    Map<String, ExpertPredictor> all = new LinkedHashMap<>();
    all.put(
        "next router",
        new NextRouterPredictor(routers, topK, maxDistance, NextRouterPredictor.Norm.KEPT));
    all.put(
        "next router, norms exchanged",
        new NextRouterPredictor(routers, topK, maxDistance, NextRouterPredictor.Norm.EXCHANGED));
    all.put(
        "co-occurrence, one hop",
        new CooccurrencePredictor(routers, counts, topK, CooccurrencePredictor.Hops.ONE));
    all.put(
        "co-occurrence, up to three hops",
        new CooccurrencePredictor(routers, counts, topK, CooccurrencePredictor.Hops.CHAINED));
    all.put("token id", new TokenIdPredictor(sizes.numExperts(), byToken, nextByToken));
    all.put("frequency", new FrequencyPredictor(shares));
    return all;
  }
}
