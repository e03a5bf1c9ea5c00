package dev.quern.converter.shadow;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.converter.SharedSpark;
import dev.quern.converter.traces.Split;
import dev.quern.experts.ExpertPredictor;
import dev.quern.experts.LayerRouter;
import dev.quern.experts.ShadowPredictor;
import dev.quern.quant.CounterRandom;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class ShadowTrainerTest {
  private static final Path NONE = Path.of("none");

  @BeforeAll
  static void startSpark() {
    SharedSpark.start();
  }

  @AfterAll
  static void restoreSharedSession() {
    SharedSpark.start(); // a test changed the master
  }

  private static List<FittedLayer> fit(TraceSource source, String master, double epochs)
      throws IOException {
    FitOptions fit = new FitOptions(64, epochs, 5e-3, 64, 1);
    ShadowOptions options =
        new ShadowOptions(NONE, Optional.empty(), NONE, NONE, Long.MAX_VALUE / 64, 2, fit, master);
    return new ShadowTrainer(options, source, source, line -> {}).fit(SyntheticTrace.table());
  }

  private static List<Optional<LayerRouter>> routers() {
    List<Optional<LayerRouter>> routers = new ArrayList<>();
    for (int layer = 0; layer < SyntheticTrace.LAYERS; layer++) {
      float[] norm = new float[SyntheticTrace.HIDDEN];
      float[] weights = new float[SyntheticTrace.HIDDEN * SyntheticTrace.EXPERTS];
      Arrays.fill(norm, 1);
      for (int i = 0; i < weights.length; i++) {
        weights[i] = (float) CounterRandom.gaussian(50 + layer, i);
      }
      routers.add(Optional.of(new LayerRouter(norm, weights, new float[0])));
    }
    return routers;
  }

  private static Map<String, ExpertPredictor> predictors(
      SyntheticTrace trace, List<FittedLayer> layers) {
    Map<String, ExpertPredictor> all = new LinkedHashMap<>();
    TokenTable table = SyntheticTrace.table();
    all.put(
        ShadowReport.REFINED,
        ShadowPredictor.of(ShadowBuilder.build(trace.sizes(), table, layers, head -> true)));
    all.put(
        ShadowReport.RIDGE,
        ShadowPredictor.of(ShadowBuilder.build(trace.sizes(), table, layers, head -> false)));
    Baselines baselines = new Baselines(trace.sizes(), 2);
    for (int layer : trace.sizes().layers()) {
      int distances = trace.sizes().distances(layer, 2);
      baselines.count(trace.rows(Split.TRAIN, layer, distances, 0, 4, false));
    }
    all.putAll(baselines.predictors(routers()));
    return all;
  }

  /** The null rule: what cannot be known is found as often as by chance, by every predictor. */
  @Test
  void independentUniformRoutingIsPredictedByChance() throws IOException {
    SyntheticTrace trace = new SyntheticTrace(false, 2500, 11);
    Map<String, ExpertPredictor> predictors = predictors(trace, fit(trace, SharedSpark.MASTER, 1));
    Map<String, List<Score>> byName = new LinkedHashMap<>();
    for (int layer : trace.sizes().layers()) {
      int distances = trace.sizes().distances(layer, 2);
      LayerRows rows = trace.rows(Split.TEST, layer, distances, 0, 1, true);
      for (Score score : Scoring.score(rows, predictors)) {
        byName.computeIfAbsent(score.predictor(), name -> new ArrayList<>()).add(score);
      }
    }
    assertEquals(predictors.keySet(), byName.keySet());
    byName.forEach((name, scores) -> {
      // 2,500 tokens of 2 experts: a standard deviation of 0.0046; of the mean of 5 and more, 0.002
      double mean = scores.stream().mapToDouble(Score::recall).average().orElseThrow();
      assertEquals(2.0 / 16, mean, 0.01, name);
      double twice = scores.stream().mapToDouble(Score::recallTwice).average().orElseThrow();
      assertEquals(4.0 / 16, twice, 0.015, name);
      for (Score score : scores) {
        assertEquals(2.0 / 16, score.recall(), 0.023, score.toString()); // five deviations
      }
    });
  }

  @Test
  void storedPredictorFindsWhatCanBeLearned() throws IOException {
    SyntheticTrace trace = new SyntheticTrace(true, 1500, 3);
    Map<String, ExpertPredictor> predictors = predictors(trace, fit(trace, SharedSpark.MASTER, 25));
    LayerRows rows = trace.rows(Split.TEST, 1, 2, 0, 1, true);
    for (Score score : Scoring.score(rows, predictors)) {
      boolean ahead = score.distance() > 0;
      if (ahead && score.predictor().equals(ShadowReport.REFINED)) {
        assertTrue(score.recall() > 0.75, score.toString());
        assertTrue(score.calibrationError() < 0.05, score.toString());
      } else if (ahead) {
        assertTrue(score.recall() < 0.4, score.toString());
      }
    }
  }

  @Test
  void weightsDoNotDependOnTheNumberOfTasks() throws IOException {
    SyntheticTrace trace = new SyntheticTrace(true, 300, 5);
    List<FittedLayer> one = fit(trace, "local[1]", 0.5);
    List<FittedLayer> two = fit(trace, "local[2]", 0.5);
    assertEquals(SyntheticTrace.LAYERS, one.size());
    for (int l = 0; l < one.size(); l++) {
      assertArrayEquals(one.get(l).hidden(), two.get(l).hidden());
      for (int h = 0; h < one.get(l).heads().size(); h++) {
        FittedLayer.Head a = one.get(l).heads().get(h);
        FittedLayer.Head b = two.get(l).heads().get(h);
        assertArrayEquals(a.linear(), b.linear());
        assertArrayEquals(a.refined(), b.refined());
        assertEquals(a.refinedValid(), b.refinedValid());
      }
    }
  }
}
