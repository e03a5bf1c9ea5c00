package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.quern.kernels.Kernels;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Choices and weights against a reference that sorts, in float64. */
class RouterTest {
  private static final int EXPERTS = 24;
  private static final int TOP_K = 5;
  private static final int TOKENS = 200;
  private static final Routing SOFTMAX = softmax(true, 1);

  private static Routing softmax(boolean normalise, float scale) {
    return new Routing(
        Routing.Score.SOFTMAX, false, false, 1, 1, Routing.GroupScore.BEST, normalise, scale);
  }

  private static Stream<Routing> routings() {
    List<Routing> all = new ArrayList<>();
    for (Routing.Score score : Routing.Score.values()) {
      for (Routing.GroupScore groupScore : Routing.GroupScore.values()) {
        for (int variant = 0; variant < 8; variant++) {
          boolean bias = (variant & 1) > 0;
          boolean selection = (variant & 2) > 0;
          boolean normalise = (variant & 4) > 0;
          all.add(new Routing(score, bias, selection, 6, 2, groupScore, normalise, 2.5f));
          all.add(new Routing(score, bias, selection, 1, 1, groupScore, normalise, 1));
        }
      }
    }
    return all.stream();
  }

  private static FeedForward.Experts experts(int numExperts, int topK, Routing routing) {
    return new FeedForward.Experts(numExperts, topK, 1, false, 0, false, routing);
  }

  private static Weights.MoeMlp moe(FeedForward.Experts experts, float[] bias, float[] selection) {
    float[] none = {};
    return new Weights.MoeMlp(
        experts,
        new TestLinear(1, 1, new float[1]).linear(),
        bias,
        selection,
        none,
        none,
        none,
        Optional.empty());
  }

  private record Choice(int[] experts, float[] weights) {}

  private static Choice choose(
      Routing routing, int topK, float[] bias, float[] selection, float... logits) {
    FeedForward.Experts experts = experts(logits.length, topK, routing);
    Choice choice = new Choice(new int[topK], new float[topK]);
    new Router(Kernels.best(), experts, ExpertSelection.ALL)
        .choose(
            moe(experts, bias, selection), logits.clone(), 0, choice.experts, choice.weights, 0);
    return choice;
  }

  /** Selection biases are negative, some far below any score's range. */
  @ParameterizedTest
  @MethodSource("routings")
  void everyRoutingEqualsTheReference(Routing routing) {
    SplittableRandom random = new SplittableRandom(11);
    float[] bias = routing.bias() ? TestLinear.gaussian(random, EXPERTS, 1) : new float[0];
    float[] selection = new float[routing.selectionBias() ? EXPERTS : 0];
    for (int e = 0; e < selection.length; e++) {
      selection[e] = (float) -random.nextDouble(0.5, 1.5) - (e % 3 == 0 ? 4 : 0);
    }
    FeedForward.Experts experts = experts(EXPERTS, TOP_K, routing);
    Router router = new Router(Kernels.best(), experts, ExpertSelection.ALL);
    Weights.MoeMlp moe = moe(experts, bias, selection);
    for (int token = 0; token < TOKENS; token++) {
      float[] logits = TestLinear.gaussian(random, EXPERTS + 2, 2);
      int[] chosen = new int[TOP_K + 1];
      float[] weights = new float[TOP_K + 1];
      double[] expectedWeights = new double[TOP_K];
      int[] expected = reference(routing, bias, selection, logits, 2, expectedWeights);
      router.choose(moe, logits, 2, chosen, weights, 1);
      for (int k = 0; k < TOP_K; k++) {
        assertEquals(expected[k], chosen[1 + k], "choice " + k + " of token " + token);
        // exp within 2 ulp, a sum and two roundings
        assertEquals(expectedWeights[k], weights[1 + k], 2e-6 * expectedWeights[k]);
      }
    }
  }

  private static int[] reference(
      Routing routing, float[] bias, float[] selection, float[] logits, int at, double[] weights) {
    double[] scores = new double[EXPERTS];
    double sum = 0;
    for (int e = 0; e < EXPERTS; e++) {
      double logit = logits[at + e] + (routing.bias() ? bias[e] : 0.0);
      scores[e] =
          switch (routing.score()) {
            case SOFTMAX -> Math.exp(logit);
            case SIGMOID -> 1 / (1 + Math.exp(-logit));
          };
      sum += scores[e];
    }
    double[] ranks = new double[EXPERTS];
    for (int e = 0; e < EXPERTS; e++) {
      scores[e] /= routing.score() == Routing.Score.SOFTMAX ? sum : 1;
      ranks[e] = scores[e] + (routing.selectionBias() ? selection[e] : 0.0);
    }
    int size = EXPERTS / routing.groups();
    double[] worth = new double[routing.groups()];
    for (int g = 0; g < worth.length; g++) {
      double[] sorted =
          IntStream.range(g * size, (g + 1) * size).mapToDouble(e -> ranks[e]).sorted().toArray();
      worth[g] =
          switch (routing.groupScore()) {
            case BEST -> sorted[size - 1];
            case SUM_OF_TWO_BEST -> sorted[size - 1] + sorted[size - 2];
          };
    }
    List<Integer> groups = order(worth).subList(0, routing.groupsUsed());
    int[] chosen =
        order(ranks).stream()
            .filter(e -> groups.contains(e / size))
            .limit(TOP_K)
            .mapToInt(e -> e)
            .toArray();
    double chosenSum = IntStream.of(chosen).mapToDouble(e -> scores[e]).sum();
    for (int k = 0; k < TOP_K; k++) {
      weights[k] = scores[chosen[k]] / (routing.normalise() ? chosenSum : 1) * routing.scale();
    }
    return chosen;
  }

  /** Indices, the largest value's first. */
  private static List<Integer> order(double[] values) {
    return IntStream.range(0, values.length)
        .boxed()
        .sorted(Comparator.comparingDouble((Integer i) -> -values[i]))
        .toList();
  }

  @Test
  void tiesGoToTheLowerId() {
    float[] none = {};
    Choice equal = choose(SOFTMAX, 3, none, none, 1, 2, 2, 1, 1, 2);
    assertArrayEquals(new int[] {1, 2, 5}, equal.experts);
    assertArrayEquals(new float[] {1 / 3f, 1 / 3f, 1 / 3f}, equal.weights, 1e-7f);
    Routing grouped =
        new Routing(
            Routing.Score.SIGMOID,
            false,
            false,
            3,
            2,
            Routing.GroupScore.SUM_OF_TWO_BEST,
            false,
            1);
    Choice groups = choose(grouped, 4, none, none, 0, 0, 0, 0, 0, 0);
    assertArrayEquals(new int[] {0, 1, 2, 3}, groups.experts);
    assertEquals(0.5f, groups.weights[3]);
  }

  /** The best expert is in a group that is not used, and all that is used is below zero. */
  @Test
  void anUnusedGroupGivesNoExpert() {
    Routing routing =
        new Routing(
            Routing.Score.SIGMOID, false, true, 2, 1, Routing.GroupScore.SUM_OF_TWO_BEST, false, 1);
    float[] selection = {0.5f, -9, -9, -1, -1, -1};
    Choice choice = choose(routing, 3, new float[0], selection, 3, 0, 0, 0, 2, 1);
    assertArrayEquals(new int[] {4, 5, 3}, choice.experts);
  }

  @Test
  void aGroupOfOneExpertIsWorthThatExpert() {
    Routing routing =
        new Routing(
            Routing.Score.SIGMOID, false, false, 3, 2, Routing.GroupScore.SUM_OF_TWO_BEST, true, 1);
    assertArrayEquals(
        new int[] {2, 0}, choose(routing, 2, new float[0], new float[0], 1, 0, 2).experts);
  }

  @Test
  void scoresOfZeroStayZeroWhenNormalised() {
    Routing routing =
        new Routing(Routing.Score.SIGMOID, false, false, 1, 1, Routing.GroupScore.BEST, true, 2);
    Choice choice = choose(routing, 2, new float[0], new float[0], -1000, -1000, -1000);
    assertArrayEquals(new float[] {0, 0}, choice.weights);
  }

  @Test
  void whatIsNoNumberIsRefused() {
    float[] none = {};
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> choose(SOFTMAX, 1, none, none, 1, Float.NaN, 0))
            .getMessage();
    assertEquals("router: expected probabilities, found NaN; are the weights damaged?", message);
    assertThrows(
        IllegalArgumentException.class,
        () -> choose(SOFTMAX, 1, none, none, Float.POSITIVE_INFINITY, 0, 0));
    Routing biased =
        new Routing(Routing.Score.SIGMOID, false, true, 1, 1, Routing.GroupScore.BEST, true, 1);
    assertThrows(
        IllegalArgumentException.class,
        () -> choose(biased, 1, none, new float[] {0, Float.NEGATIVE_INFINITY}, 0, 0));
  }
}
