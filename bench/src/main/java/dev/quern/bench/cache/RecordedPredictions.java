package dev.quern.bench.cache;

import dev.quern.experts.ExpertPredictor;
import dev.quern.format.FormatException;
import java.util.List;

/** What a predictor says along a trace, as 16-bit floats. */
public final class RecordedPredictions implements Replay.Predictions {
  private static final long MAX_BYTES = 2L << 30;

  private final ExpertPredictor predictor;
  private final List<Integer> modelLayers;
  private final int numExperts;
  private final int maxDistance;
  private final boolean[] known; // of each layer and distance
  private final short[][] said; // [tokens, numExperts] of each layer and distance
  private final float[] probabilities;

  /**
   * Says nothing before {@link #record}.
   *
   * @param modelLayers those with experts: the trace's layers as the model numbers them
   * @throws FormatException if so many predictions would take more than 2 GiB
   */
  public RecordedPredictions(
      ExpertPredictor predictor, List<Integer> modelLayers, int numExperts, int tokens)
      throws FormatException {
    this.predictor = predictor.copy();
    this.modelLayers = List.copyOf(modelLayers);
    this.numExperts = numExperts;
    int layers = modelLayers.size();
    maxDistance = Math.min(predictor.maxDistance(), layers - 1);
    long each = (long) tokens * numExperts;
    long bytes = Short.BYTES * each * layers * (maxDistance + 1);
    if (bytes > MAX_BYTES || each > Integer.MAX_VALUE - 8) {
      throw new FormatException(
          "predictions for %,d tokens take %,d MB, expected at most %,d. Take fewer with --max-tokens"
              .formatted(tokens, bytes >> 20, MAX_BYTES >> 20));
    }
    known = new boolean[layers * (maxDistance + 1)];
    said = new short[known.length][];
    probabilities = new float[numExperts];
    for (int i = 0; i < said.length; i++) {
      said[i] = new short[(int) each];
    }
  }

  private int at(int layer, int distance) {
    return layer * (maxDistance + 1) + distance;
  }

  /**
   * Asks the predictor.
   *
   * @param token its number in the trace
   * @param layer among those with experts
   * @param input what the layer's router read, [hiddenSize]
   */
  public void record(int token, int layer, float[] input, int tokenId) {
    int model = modelLayers.get(layer);
    if (predictor.predictNextToken(model, input, tokenId, probabilities)) {
      keep(token, at(layer, 0));
    }
    for (int d = 1; d <= maxDistance && layer + d < modelLayers.size(); d++) {
      int distance = modelLayers.get(layer + d) - model;
      if (predictor.predict(model, distance, input, tokenId, probabilities)) {
        keep(token, at(layer, d));
      }
    }
  }

  private void keep(int token, int place) {
    known[place] = true;
    for (int e = 0; e < numExperts; e++) {
      said[place][token * numExperts + e] = Float.floatToFloat16(probabilities[e]);
    }
  }

  @Override
  public int maxDistance() {
    return maxDistance;
  }

  @Override
  public float[] ahead(int token, int layer, int distance) {
    return recorded(token, at(layer, distance));
  }

  @Override
  public float[] nextUse(int token, int layer) {
    return recorded(token, at(layer, 0));
  }

  private float[] recorded(int token, int place) {
    if (!known[place]) {
      return new float[0];
    }
    for (int e = 0; e < numExperts; e++) {
      probabilities[e] = Float.float16ToFloat(said[place][token * numExperts + e]);
    }
    return probabilities;
  }
}
