package dev.quern.experts;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class UntrainedPredictorsTest {
  private static final float[] INPUT = {1, 2};

  /** Four experts on two elements; expert 0 likes element 0, expert 1 element 1. */
  private static LayerRouter router(float norm0, float norm1) {
    float[] weights = {1, 0, 0, 1, -1, 0, 0, -1};
    return new LayerRouter(new float[] {norm0, norm1}, weights, new float[0]);
  }

  private static List<Optional<LayerRouter>> routers() {
    return List.of(
        Optional.of(router(1, 4)),
        Optional.of(router(2, 1)),
        Optional.empty(),
        Optional.of(router(1, 1)));
  }

  @Test
  void nextRouterReadsTheInputAsItsOwnNormWouldScaleIt() {
    float[] p = new float[4];
    ExpertPredictor kept = new NextRouterPredictor(routers(), 1, 3, NextRouterPredictor.Norm.KEPT);
    assertTrue(kept.predict(0, 1, INPUT, 0, p));
    double sum = Math.exp(1) + Math.exp(2) + Math.exp(-1) + Math.exp(-2);
    assertEquals(Math.exp(1) / sum, p[0], 1e-6);
    assertEquals(Math.exp(2) / sum, p[1], 1e-6);

    // 1 / 1 · 2 and 2 / 4 · 1
    ExpertPredictor exchanged =
        new NextRouterPredictor(routers(), 1, 3, NextRouterPredictor.Norm.EXCHANGED);
    assertTrue(exchanged.predict(0, 1, INPUT, 0, p));
    sum = Math.exp(2) + Math.exp(0.5) + Math.exp(-2) + Math.exp(-0.5);
    assertEquals(Math.exp(2) / sum, p[0], 1e-6);
    assertEquals(Math.exp(0.5) / sum, p[1], 1e-6);
    assertTrue(exchanged.copy().predict(0, 3, INPUT, 0, p));
  }

  @Test
  void layersWithoutExpertsAreNotPredicted() {
    float[] p = {9, 9, 9, 9};
    ExpertPredictor next = new NextRouterPredictor(routers(), 1, 3, NextRouterPredictor.Norm.KEPT);
    assertFalse(next.predict(0, 2, INPUT, 0, p)); // a dense layer
    assertFalse(next.predict(3, 1, INPUT, 0, p)); // beyond the last
    assertFalse(next.predict(0, 4, INPUT, 0, p)); // too far
    assertFalse(next.predictNextToken(0, INPUT, 0, p));
    assertArrayEquals(new float[] {9, 9, 9, 9}, p);
  }

  @Test
  void cooccurrenceFollowsTheCountedPairs() {
    List<Optional<LayerRouter>> routers =
        List.of(Optional.of(router(1, 1)), Optional.of(router(1, 1)), Optional.of(router(1, 1)));
    CooccurrencePredictor.Counts counts = new CooccurrencePredictor.Counts(3, 4, 2);
    short[] one = {1};
    short[] two = {2};
    short[] three = {3};
    for (int i = 0; i < 3; i++) {
      counts.add(0, 1, one, two, 0, 1);
      counts.add(0, 2, one, one, 0, 1);
    }
    counts.add(0, 1, one, three, 0, 1);
    counts.add(1, 1, two, three, 0, 1);
    float[] p = new float[4];
    ExpertPredictor direct =
        new CooccurrencePredictor(routers, counts, 1, CooccurrencePredictor.Hops.ONE);
    assertTrue(direct.predict(0, 1, INPUT, 0, p)); // the router chooses expert 1
    assertArrayEquals(new float[] {0, 0, 0.75f, 0.25f}, p);
    assertTrue(direct.predict(0, 2, INPUT, 0, p));
    assertArrayEquals(new float[] {0, 0.75f, 0, 0}, p);
    ExpertPredictor chained =
        new CooccurrencePredictor(routers, counts, 1, CooccurrencePredictor.Hops.CHAINED);
    assertTrue(chained.predict(0, 2, INPUT, 0, p)); // 1 → 2 → 3
    assertArrayEquals(new float[] {0, 0, 0, 1}, p);
  }

  @Test
  void frequencyGivesTheShares() {
    ExpertPredictor frequency =
        new FrequencyPredictor(new float[][] {{0.5f, 0.25f}, {}, {0.1f, 0.9f}});
    float[] p = new float[2];
    assertTrue(frequency.predict(0, 2, INPUT, 0, p));
    assertArrayEquals(new float[] {0.1f, 0.9f}, p);
    assertTrue(frequency.predictNextToken(0, INPUT, 0, p));
    assertArrayEquals(new float[] {0.5f, 0.25f}, p);
    assertFalse(frequency.predict(0, 1, INPUT, 0, p));
    assertFalse(frequency.predict(0, 3, INPUT, 0, p));
  }

  @Test
  void bestKeepsTheLowerOfEqualOnes() {
    assertArrayEquals(new int[] {2, 0, 1}, LayerRouter.best(new float[] {1, 1, 5, 1}, 3));
  }

  @Test
  void routersOfSizesThatDoNotFitAreRefused() {
    assertThrows(
        IllegalArgumentException.class,
        () -> new LayerRouter(new float[2], new float[5], new float[0]));
    assertThrows(
        IllegalArgumentException.class,
        () -> new LayerRouter(new float[2], new float[6], new float[2]));
  }
}
