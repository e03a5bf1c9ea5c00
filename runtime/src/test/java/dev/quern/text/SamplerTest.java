package dev.quern.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SamplerTest {
  private static final int DRAWS = 200_000;

  /** Five standard deviations of a share p among DRAWS: one false alarm in a million. */
  private static final double SIGMAS = 5;

  /** Probabilities 0.4, 0.3, 0.2, 0.1 at ids 2, 0, 3, 1; logits shifted by a constant. */
  private static final float[] LOGITS = {
    (float) Math.log(0.3) + 9,
    (float) Math.log(0.1) + 9,
    (float) Math.log(0.4) + 9,
    (float) Math.log(0.2) + 9
  };

  @Test
  void plainSamplingFollowsTheSoftmax() {
    assertShares(Sampling.withSeed(1), LOGITS, 0.3, 0.1, 0.4, 0.2);
  }

  @Test
  void temperatureRaisesProbabilitiesToItsInverse() {
    double sum = 0.09 + 0.01 + 0.16 + 0.04; // squares: temperature 1/2
    assertShares(
        new Sampling(2, 0.5, 0, 1, 0, 1), LOGITS, 0.09 / sum, 0.01 / sum, 0.16 / sum, 0.04 / sum);
  }

  @Test
  void topKKeepsTheMostProbable() {
    assertShares(new Sampling(3, 1, 2, 1, 0, 1), LOGITS, 3 / 7.0, 0, 4 / 7.0, 0);
    assertShares(new Sampling(3, 1, 100, 1, 0, 1), LOGITS, 0.3, 0.1, 0.4, 0.2);
  }

  @Test
  void topPKeepsTheFewestThatReachTheMass() {
    assertShares(new Sampling(4, 1, 0, 0.65, 0, 1), LOGITS, 3 / 7.0, 0, 4 / 7.0, 0);
    assertShares(new Sampling(4, 1, 0, 0.75, 0, 1), LOGITS, 3 / 9.0, 0, 4 / 9.0, 2 / 9.0);
    assertShares(new Sampling(4, 1, 0, 1e-9, 0, 1), LOGITS, 0, 0, 1, 0);
  }

  @Test
  void topPSeesWhatTopKLeft() { // 0.4 of 0.9 is 0.444, with 0.3 it is 0.778
    assertShares(new Sampling(5, 1, 3, 0.76, 0, 1), LOGITS, 3 / 7.0, 0, 4 / 7.0, 0);
  }

  @Test
  void minPComparesWithTheMostProbable() {
    assertShares(new Sampling(6, 1, 0, 1, 0.6, 1), LOGITS, 3 / 7.0, 0, 4 / 7.0, 0);
    assertShares(new Sampling(6, 1, 3, 1, 0.6, 1), LOGITS, 3 / 7.0, 0, 4 / 7.0, 0);
  }

  @Test
  void excludedTokensNeverCome() {
    float[] logits = {Float.NEGATIVE_INFINITY, 0, Float.NEGATIVE_INFINITY, 0};
    assertShares(Sampling.withSeed(7), logits, 0, 0.5, 0, 0.5);
    assertShares(new Sampling(7, 1, 3, 1, 0, 1), logits, 0, 0.5, 0, 0.5);
  }

  @Test
  void repetitionPenaltyDividesOrMultiplies() {
    Sampler sampler = new Sampler(new Sampling(0, 0, 0, 1, 0, 2));
    sampler.observe(0);
    assertEquals(1, sampler.next(new float[] {4, 3, 1}), "4 / 2 is less than 3");
    assertEquals(2, sampler.next(new float[] {-1, -1.5f, -1.9f}), "-1 x 2, -1.5 x 2");
    assertEquals(0, sampler.next(new float[] {6, 3, 5}), "all seen: 3, 1.5, 2.5");
  }

  @Test
  void greedyTakesTheLowestOfEqualIds() {
    assertEquals(1, new Sampler(Sampling.GREEDY).next(new float[] {1, 5, 5, 2, 5}));
    assertEquals(1, new Sampler(new Sampling(0, 1, 1, 1, 0, 1)).next(new float[] {1, 5, 5, 2, 5}));
  }

  @Test
  void theSeedDecides() {
    assertArrayEquals(run(11), run(11));
    assertNotEquals(java.util.Arrays.hashCode(run(11)), java.util.Arrays.hashCode(run(12)));
  }

  /** The heap against a full sort: the same ids may be drawn, however many. */
  @Test
  void rankingEqualsSorting() {
    Random random = new Random(5);
    float[] logits = new float[1000];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = Math.round(random.nextGaussian() * 8) / 4f; // with many ties
    }
    Integer[] sorted = new Integer[logits.length];
    java.util.Arrays.setAll(sorted, i -> i);
    java.util.Arrays.sort(sorted, (a, b) -> Float.compare(logits[b], logits[a])); // stable
    Sampler sampler = new Sampler(new Sampling(9, 50, 37, 1, 0, 1)); // nearly uniform
    boolean[] drawn = new boolean[logits.length];
    for (int i = 0; i < 5000; i++) {
      drawn[sampler.next(logits)] = true;
    }
    for (int rank = 0; rank < sorted.length; rank++) {
      assertEquals(rank < 37, drawn[sorted[rank]], "rank " + rank);
    }
  }

  @Test
  void logitsThatAreNoNumbersAreRefused() {
    for (float[] wrong :
        new float[][] {
          {0, Float.NaN},
          {Float.POSITIVE_INFINITY, 0},
          {Float.NEGATIVE_INFINITY, Float.NEGATIVE_INFINITY},
          {}
        }) {
      for (Sampling sampling : new Sampling[] {Sampling.GREEDY, Sampling.withSeed(1)}) {
        assertThrows(IllegalArgumentException.class, () -> new Sampler(sampling).next(wrong));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {-1, Double.NaN, Double.POSITIVE_INFINITY})
  void parametersOutsideTheirRangeAreRefused(double wrong) {
    assertThrows(IllegalArgumentException.class, () -> new Sampling(0, wrong, 0, 1, 0, 1));
    assertThrows(IllegalArgumentException.class, () -> new Sampling(0, 1, -1, 1, 0, 1));
    assertThrows(IllegalArgumentException.class, () -> new Sampling(0, 1, 0, wrong, 0, 1));
    assertThrows(IllegalArgumentException.class, () -> new Sampling(0, 1, 0, 0, 0, 1));
    assertThrows(IllegalArgumentException.class, () -> new Sampling(0, 1, 0, 1, wrong, 1));
    assertThrows(IllegalArgumentException.class, () -> new Sampling(0, 1, 0, 1, 0, wrong));
    assertThrows(IllegalArgumentException.class, () -> new Sampling(0, 1, 0, 1, 0, 0));
  }

  @Test
  void theLogitsStayAsTheyWere() {
    float[] logits = LOGITS.clone();
    new Sampler(new Sampling(0, 0.7, 2, 0.9, 0.1, 1.3)).next(logits);
    assertArrayEquals(LOGITS, logits);
  }

  private static int[] run(long seed) {
    Sampler sampler = new Sampler(new Sampling(seed, 1, 3, 0.95, 0.01, 1));
    int[] ids = new int[64];
    java.util.Arrays.setAll(ids, i -> sampler.next(LOGITS));
    return ids;
  }

  private static void assertShares(Sampling sampling, float[] logits, double... expected) {
    Sampler sampler = new Sampler(sampling);
    int[] counts = new int[logits.length];
    for (int i = 0; i < DRAWS; i++) {
      counts[sampler.next(logits)]++;
    }
    for (int id = 0; id < counts.length; id++) {
      double p = expected[id];
      double bound = SIGMAS * Math.sqrt(p * (1 - p) / DRAWS);
      double share = (double) counts[id] / DRAWS;
      assertTrue(Math.abs(share - p) <= bound, "id " + id + ": " + share + " for " + p);
    }
  }
}
