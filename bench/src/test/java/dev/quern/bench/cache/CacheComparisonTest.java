package dev.quern.bench.cache;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.experts.CachePolicy;
import dev.quern.experts.CachePolicyKind;
import dev.quern.experts.CacheShape;
import dev.quern.experts.ExpertProfile;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CacheComparisonTest {

  private static RoutingTrace trace(int numExperts, int topK, int[]... layers) {
    List<float[]> noScores = List.of(layers).stream().map(layer -> new float[0]).toList();
    return new RoutingTrace(
        "test", numExperts, topK, layers[0].length / topK, List.of(layers), noScores);
  }

  private static double hitRate(RoutingTrace trace, CachePolicyKind kind, int capacity) {
    CacheShape shape = trace.shape(capacity);
    CachePolicy policy = kind.create(shape, Optional.of(trace.profile(trace.tokens())));
    return Replay.run(trace, shape, policy, Replay.Predictions.none()).hitRate();
  }

  @Test
  void hitsAreCountedByHand() {
    RoutingTrace trace = trace(4, 1, new int[] {0, 1, 2, 0, 1, 3, 0, 1});
    assertEquals(0, hitRate(trace, CachePolicyKind.LRU, 2)); // a cycle of three
    assertEquals(4 / 8.0, hitRate(trace, CachePolicyKind.LRU, 3)); // all but 0, 1, 2, 3
    // 0 and 1 come; 2 takes the place of 1; 0 hits; 1 of 2; 3 of 1, as 0 is used first; 0 hits
    assertEquals(2 / 8.0, Belady.onePool(trace, 2).hitRate());
    assertEquals(4 / 8.0, Belady.onePool(trace, 3).hitRate());
  }

  @Test
  void onePoolGivesBusyLayersMoreRoom() {
    RoutingTrace trace =
        trace(
            4,
            1,
            new int[] {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2},
            new int[] {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3});
    assertEquals(20 / 24.0, Belady.onePool(trace, 4).hitRate()); // each is missed once
    assertTrue(Belady.evenShares(trace, 4).hits() < 20);
    assertEquals(24, Belady.evenShares(trace, 4).uses());
  }

  @Test
  void beladyIsTheMostThatExhaustiveSearchFinds() {
    Random random = new Random(3);
    for (int round = 0; round < 30; round++) {
      int[] uses = random.ints(10, 0, 4).toArray();
      RoutingTrace trace = trace(4, 1, uses);
      assertEquals(mostHits(uses, 0, 0, 2), Belady.onePool(trace, 2).hits(), "round " + round);
    }
  }

  /** Of uses from at on, with the experts whose bits are set in memory. */
  private static int mostHits(int[] uses, int at, int memory, int capacity) {
    if (at == uses.length) {
      return 0;
    }
    int bit = 1 << uses[at];
    if ((memory & bit) != 0) {
      return 1 + mostHits(uses, at + 1, memory, capacity);
    }
    if (Integer.bitCount(memory) < capacity) {
      return mostHits(uses, at + 1, memory | bit, capacity);
    }
    int most = 0;
    for (int e = 0; e < 4; e++) {
      if ((memory & 1 << e) != 0) {
        most = Math.max(most, mostHits(uses, at + 1, (memory & ~(1 << e)) | bit, capacity));
      }
    }
    return most;
  }

  /** The null rule: where there is nothing to know, nobody may seem to know it. */
  @Test
  void uniformRoutingGivesEveryPolicyItsShare() {
    RoutingTrace trace = RoutingTrace.uniform(4, 64, 4, 20_000, 5);
    ExpertProfile profile = trace.profile(2_000);
    List<Integer> percents = List.of(10, 25);
    CacheComparison comparison =
        CacheComparison.of(trace, profile, percents, Map.of(), policy -> {});
    for (CachePolicyKind kind : CachePolicyKind.values()) {
      for (int i = 0; i < percents.size(); i++) {
        double expected = comparison.capacities().get(i) / 256.0;
        // 320,000 uses: the standard error of a rate is below 0.001; layers take room from others
        assertEquals(
            expected, comparison.hitRates(kind.label()).get(i), 0.006, kind + " at " + expected);
      }
    }
    assertTrue(comparison.hitRates(CacheComparison.BELADY_EVEN).get(1) > 0.4);
    assertTrue(
        comparison.hitRates(CacheComparison.BELADY).get(1)
            > comparison.hitRates(CacheComparison.BELADY_EVEN).get(1));

    CacheShape shape = trace.shape(64);
    Random random = new Random(6);
    float[] guess = new float[64];
    Replay.Outcome guided =
        Replay.run(
            trace,
            shape,
            CachePolicyKind.FORWARD.create(shape, Optional.empty()),
            (token, layer) -> {
              for (int e = 0; e < guess.length; e++) {
                guess[e] = random.nextFloat();
              }
              return guess;
            });
    assertEquals(0.25, guided.hitRate(), 0.01, "forward with random predictions");
  }

  /** Routing with a little memory: some experts of the token before are taken again. */
  private static RoutingTrace sticky(int tokens, long seed) {
    Random random = new Random(seed);
    int[][] layers = new int[3][tokens * 2];
    for (int[] layer : layers) {
      layer[1] = 1;
      for (int t = 1; t < tokens; t++) {
        int first = random.nextInt(10) < 6 ? layer[2 * t - 2] : random.nextInt(16);
        int second = random.nextInt(16);
        layer[2 * t] = first;
        layer[2 * t + 1] = second == first ? (first + 1) % 16 : second;
      }
    }
    return trace(16, 2, layers);
  }

  @Test
  void forwardWithAnOracleIsNearlyBelady() {
    RoutingTrace trace = sticky(6000, 9);
    float[][][] future = discountedFirstUse(trace);
    CacheShape shape = trace.shape(12);
    double forward =
        Replay.run(
                trace,
                shape,
                CachePolicyKind.FORWARD.create(shape, Optional.empty()),
                (token, layer) -> future[layer][token])
            .hitRate();
    double lru = hitRate(trace, CachePolicyKind.LRU, 12);
    double belady = Belady.onePool(trace, 12).hitRate();
    assertTrue(forward <= belady, forward + " of " + belady);
    assertTrue(forward - lru > 0.85 * (belady - lru), lru + ", " + forward + ", " + belady);
  }

  private static float[][][] discountedFirstUse(RoutingTrace trace) {
    float[][][] out = new float[trace.layers()][trace.tokens()][];
    for (int layer = 0; layer < trace.layers(); layer++) {
      float[] coming = new float[trace.numExperts()];
      for (int t = trace.tokens() - 1; t >= 0; t--) {
        out[layer][t] = coming.clone();
        for (int e = 0; e < coming.length; e++) {
          coming[e] *= 0.8f;
        }
        for (int k = 0; k < trace.topK(); k++) {
          coming[trace.experts().get(layer)[t * trace.topK() + k]] = 1;
        }
      }
    }
    return out;
  }

  /** What a token takes depends on what the token before took: only forward can see that. */
  @Test
  void forwardLearnsWhoFollowsWhom() {
    Random random = new Random(12);
    int[] layer = new int[30_000];
    for (int t = 1; t < layer.length; t++) {
      layer[t] = random.nextInt(10) < 8 ? (layer[t - 1] * 5 + 3) % 16 : random.nextInt(16);
    }
    RoutingTrace trace = trace(16, 1, layer);
    double lru = hitRate(trace, CachePolicyKind.LRU, 4);
    double forward = hitRate(trace, CachePolicyKind.FORWARD, 4);
    double belady = Belady.onePool(trace, 4).hitRate();
    assertTrue(forward - lru > 0.3 * (belady - lru), lru + ", " + forward + ", " + belady);
  }

  @Test
  void aShareMayBeSmallerThanWhatATokenTakes() {
    RoutingTrace trace = RoutingTrace.uniform(3, 8, 4, 500, 2);
    for (int capacity = 4; capacity < 12; capacity++) { // shares of 1 to 4
      Replay.Outcome even = Belady.evenShares(trace, capacity);
      assertTrue(even.hits() > 0 && even.hits() < even.uses(), "capacity " + capacity);
    }
  }

  @Test
  void theTableTellsTheWay() {
    RoutingTrace trace = sticky(400, 1);
    CacheComparison comparison =
        CacheComparison.of(trace, trace.profile(40), List.of(25, 50), Map.of(), policy -> {});
    CacheComparison.Row best = comparison.rows().get(comparison.rows().size() - 2);
    assertEquals(CacheComparison.BELADY_EVEN, best.policy());
    assertEquals(1, comparison.gapClosed(best, 0));
    assertEquals(0, comparison.gapClosed(comparison.rows().getFirst(), 1)); // LRU
    List<String> lines = comparison.table().lines().toList();
    assertEquals(2 + comparison.rows().size(), lines.size());
    assertTrue(lines.get(1).contains("25 % (12)") && lines.get(1).contains("50 % (24)"));
    assertTrue(comparison.json().contains("\"policy\" : \"tinylfu\""));
  }
}
