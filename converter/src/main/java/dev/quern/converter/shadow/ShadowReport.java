package dev.quern.converter.shadow;

import java.util.List;
import java.util.Map;

/**
 * What {@code train-shadow} found.
 *
 * @param trainTokens used of the training split; as validTokens and testTokens
 * @param chosen per layer and distance which candidate is stored; empty without training
 * @param bytes of the stored predictor; 0 without training
 * @param latencies of this shape, and of others that were asked for
 * @param seconds per phase
 */
public record ShadowReport(
    TraceSource.Sizes sizes,
    ShadowOptions options,
    long trainTokens,
    long validTokens,
    long testTokens,
    List<Score> scores,
    List<Choice> chosen,
    long bytes,
    List<Latency> latencies,
    Map<String, Double> seconds) {
  public ShadowReport {
    scores = List.copyOf(scores);
    chosen = List.copyOf(chosen);
    latencies = List.copyOf(latencies);
  }

  /** What is stored of the trained predictor, by its name in tables. */
  public static final String SHADOW = "shadow";

  public static final String RIDGE = "ridge";
  public static final String REFINED = "two-layer";

  /**
   * @param ridgeRecall at topK on the validation split, as refinedRecall
   */
  public record Choice(
      int layer, int distance, boolean refined, double ridgeRecall, double refinedRecall) {}
}
