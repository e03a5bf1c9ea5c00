package dev.quern.experts;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class CachePolicyTest {
  /** One layer, one expert per token, room for three. */
  private static final CacheShape SMALL = new CacheShape(1, 8, 1, 3);

  private static PolicyDriver driver(CacheShape shape, CachePolicyKind kind) {
    return new PolicyDriver(shape, kind.create(shape, Optional.of(profile(shape))));
  }

  /** Experts with lower keys are hotter. */
  private static ExpertProfile profile(CacheShape shape) {
    long[] counts = new long[shape.keys()];
    Arrays.setAll(counts, key -> counts.length - key);
    return new ExpertProfile(shape.numLayers(), shape.numExperts(), counts.length, counts);
  }

  @Test
  void lruGivesUpTheLeastRecentlyUsed() {
    PolicyDriver cache = driver(SMALL, CachePolicyKind.LRU);
    cache.use(0, 1).use(0, 2).use(0, 3).use(0, 1).use(0, 4);
    assertArrayEquals(new int[] {1, 3, 4}, cache.resident(0));
    assertEquals(0.2, cache.hitRate()); // the second use of 1
  }

  @Test
  void lfuKeepsTheFrequentUntilTheyAge() {
    PolicyDriver cache = driver(SMALL, CachePolicyKind.LFU);
    cache.use(0, 1).use(0, 1).use(0, 1).use(0, 2).use(0, 2).use(0, 3);
    cache.use(0, 4); // values 3, 2, 1: 3 leaves, age 1; 4 gets 2
    assertArrayEquals(new int[] {1, 2, 4}, cache.resident(0));
    cache.use(0, 5); // 2 and 4 are worth 2: the lower leaves, age 2; 5 gets 3
    assertArrayEquals(new int[] {1, 4, 5}, cache.resident(0));
    cache.use(0, 6); // 4 leaves; 6 gets 3
    cache.use(0, 7); // 1, 5 and 6 are worth 3: the old favourite leaves
    assertArrayEquals(new int[] {5, 6, 7}, cache.resident(0));
  }

  @ParameterizedTest
  @EnumSource(names = {"LRU", "LFU", "ARC", "TINYLFU"})
  void layersShareTheCapacity(CachePolicyKind kind) {
    CacheShape shape = new CacheShape(3, 16, 2, 10);
    PolicyDriver cache = driver(shape, kind);
    for (int t = 0; t < 50; t++) {
      for (int layer = 0; layer < 3; layer++) {
        cache.use(layer, (3 * t + layer) % 16, (5 * t + 1 + layer) % 16);
      }
    }
    assertEquals(10, cache.residents());
    for (int layer = 0; layer < 3; layer++) {
      int here = cache.resident(layer).length;
      assertTrue(here == 3 || here == 4, "layer " + layer + " holds " + here);
    }
  }

  @ParameterizedTest
  @EnumSource
  void refusesWhenNothingMayLeave(CachePolicyKind kind) {
    CachePolicy policy = kind.create(SMALL, Optional.of(profile(SMALL)));
    policy.admitted(1);
    assertThrows(IllegalArgumentException.class, () -> policy.victim(2, key -> false));
  }

  @Test
  void labelsNameKinds() {
    for (CachePolicyKind kind : CachePolicyKind.values()) {
      assertEquals(kind, CachePolicyKind.ofLabel(kind.label()));
    }
    Exception e =
        assertThrows(IllegalArgumentException.class, () -> CachePolicyKind.ofLabel("mru"));
    assertTrue(e.getMessage().startsWith("no cache policy 'mru': lru, lfu"), e.getMessage());
  }

  @Test
  void lcpDecaysByAQuarterEvery128Tokens() {
    CacheShape shape = new CacheShape(1, 8, 1, 2);
    PolicyDriver cache = driver(shape, CachePolicyKind.LCP);
    cache.use(0, 1).use(0, 1).use(0, 1).use(0, 1); // 4 uses
    for (int t = 0; t < 127; t++) {
      cache.use(0, 2);
    }
    cache.use(0, 3); // 1: 4 · 0.25^(128 / 128) = 1, against 127 · 0.25^(1 / 128)
    assertArrayEquals(new int[] {2, 3}, cache.resident(0));

    CacheShape wide = new CacheShape(3, 16, 1, 23);
    PolicyDriver three = driver(wide, CachePolicyKind.LCP);
    for (int t = 0; t < 64; t++) {
      three.use(0, t % 16).use(1, t % 16).use(2, t % 16);
    }
    // 23 experts in proportion to 1.3 : 1.15 : 1
    assertEquals(8.7, three.resident(0).length, 1);
    assertEquals(6.7, three.resident(2).length, 1);
    assertTrue(three.resident(0).length > three.resident(2).length);
  }

  @Test
  void leastStaleAddsFrequencyAndRecency() {
    CacheShape shape = new CacheShape(2, 8, 1, 2);
    LeastStalePolicy policy = new LeastStalePolicy(shape);
    PolicyDriver cache = new PolicyDriver(shape, policy);
    cache.use(0, 1).use(1, 1).use(0, 1).use(1, 2).use(0, 2).use(1, 2);
    double once = Math.exp(-0.01);
    assertEquals(0.4 * 2 / 3 + 0.4 * once, policy.value(1), 1e-12);
    assertEquals(0.4 * 1 / 3 + 0.4 * once * once, policy.value(8 + 1), 1e-12);
    assertEquals(0.4 * 2 / 3 + 0.4, policy.value(8 + 2), 1e-12);
    assertEquals(0, policy.value(8 + 7)); // never used
    assertEquals(1.2, policy.weight(0), 1e-12);
    assertEquals(1.1, policy.weight(1), 1e-12);
  }

  @Test
  void staticKeepsTheHottest() {
    CacheShape shape = new CacheShape(2, 8, 1, 6); // the hottest of a layer: 0, 1, 2
    PolicyDriver cache = driver(shape, CachePolicyKind.STATIC);
    for (int round = 0; round < 3; round++) {
      for (int e = 0; e < 8; e++) {
        cache.use(0, 7 - e).use(1, e);
      }
    }
    assertArrayEquals(new int[] {0, 1, 2}, cache.resident(0));
    assertArrayEquals(new int[] {0, 1, 7}, cache.resident(1)); // one place is passed through
    assertThrows(
        IllegalArgumentException.class,
        () -> CachePolicyKind.STATIC.create(shape, Optional.empty()));
  }

  @ParameterizedTest
  @EnumSource
  void victimsMayLeaveAndRunsRepeat(CachePolicyKind kind) {
    CacheShape shape = new CacheShape(3, 16, 4, 14);
    double first = Double.NaN;
    for (int run = 0; run < 2; run++) {
      PolicyDriver cache = driver(shape, kind); // asserts that victims may leave
      Random random = new Random(7);
      for (int t = 0; t < 400; t++) {
        for (int layer = 0; layer < 3; layer++) {
          int[] experts = random.ints(0, 16).distinct().limit(4).toArray();
          cache.use(layer, experts);
        }
        if (t == 200) {
          cache.resize(8);
          assertEquals(8, cache.residents());
        }
        if (t == 300) {
          cache.resize(40);
        }
      }
      assertEquals(40, cache.residents());
      assertEquals(run == 0 ? cache.hitRate() : first, cache.hitRate());
      first = cache.hitRate();
    }
  }

  @Test
  void arcKeepsTheInvariantsOfItsPaper() {
    int c = 8;
    CacheShape shape = new CacheShape(1, 64, 2, c);
    ArcPolicy policy = new ArcPolicy(shape);
    PolicyDriver cache = new PolicyDriver(shape, policy);
    Random random = new Random(11);
    for (int t = 0; t < 5000; t++) {
      int a = (int) (Math.abs(random.nextGaussian()) * (t / 1000 + 2)) % 64; // widens
      cache.use(0, a, (a + 1 + random.nextInt(60)) % 64);
      int t1 = policy.size(0, ArcPolicy.Place.T1);
      int t2 = policy.size(0, ArcPolicy.Place.T2);
      int b1 = policy.size(0, ArcPolicy.Place.B1);
      int b2 = policy.size(0, ArcPolicy.Place.B2);
      assertEquals(cache.residents(), t1 + t2);
      assertTrue(t1 + b1 <= c, "T1 + B1 = " + (t1 + b1));
      assertTrue(t1 + t2 + b1 + b2 <= 2 * c, "all lists");
      assertTrue(t1 + t2 == c || b1 + b2 == 0, "nothing leaves before the cache is full");
      assertTrue(policy.target(0) >= 0 && policy.target(0) <= c, "p = " + policy.target(0));
    }
  }

  @Test
  void arcLearnsFromWhatHasLeft() {
    CacheShape shape = new CacheShape(1, 8, 1, 2);
    ArcPolicy policy = new ArcPolicy(shape);
    PolicyDriver cache = new PolicyDriver(shape, policy);
    cache.use(0, 1).use(0, 1).use(0, 2).use(0, 3); // T2 {1}; T1 2 left for 3
    assertArrayEquals(new int[] {1, 3}, cache.resident(0));
    cache.use(0, 2); // from B1: list 1 grows, so 1, in list 2, leaves
    assertEquals(1, policy.target(0));
    assertArrayEquals(new int[] {2, 3}, cache.resident(0));
    cache.use(0, 1); // from B2: list 1 shrinks, so 3 leaves
    assertEquals(0, policy.target(0));
    assertArrayEquals(new int[] {1, 2}, cache.resident(0));
  }

  @Test
  void arcGivesUpUnusedPrefetchesFirst() {
    ArcPolicy policy = new ArcPolicy(SMALL);
    PolicyDriver cache = new PolicyDriver(SMALL, policy);
    cache.use(0, 1).use(0, 2).admit(5, Set.of());
    cache.use(0, 3); // the newest but for 3, and not used
    assertArrayEquals(new int[] {1, 2, 3}, cache.resident(0));
    cache.resize(4);
    cache.admit(6, Set.of());
    cache.use(0, 6); // once: list 1, behind 1, 2 and 3
    assertEquals(0, policy.size(0, ArcPolicy.Place.T2));
    cache.use(0, 4).use(0, 7);
    assertArrayEquals(new int[] {3, 4, 6, 7}, cache.resident(0));
    cache.use(0, 6);
    assertEquals(1, policy.size(0, ArcPolicy.Place.T2));
  }

  @Test
  void tinyLfuAdmitsTheMoreFrequent() {
    CacheShape shape = new CacheShape(1, 16, 1, 3); // a window of one, two in the main part
    TinyLfuPolicy policy = new TinyLfuPolicy(shape);
    PolicyDriver cache = new PolicyDriver(shape, policy);
    cache.use(0, 1).use(0, 1).use(0, 2).use(0, 2).use(0, 3);
    cache.use(0, 4); // 1 and 2 go to the main part; 3, used once, is not admitted
    assertArrayEquals(new int[] {1, 2, 4}, cache.resident(0));
    assertEquals(TinyLfuPolicy.Segment.PROBATION, policy.segment(1));
    cache.use(0, 1); // proven
    assertEquals(TinyLfuPolicy.Segment.PROTECTED, policy.segment(1));
    cache.use(0, 4).use(0, 4).use(0, 5); // 4, used three times, takes the place of 2
    assertArrayEquals(new int[] {1, 4, 5}, cache.resident(0));
  }

  @Test
  void tinyLfuForgets() {
    CacheShape shape = new CacheShape(1, 16, 1, 3);
    TinyLfuPolicy policy = new TinyLfuPolicy(shape);
    PolicyDriver cache = new PolicyDriver(shape, policy);
    for (int t = 0; t < 29; t++) {
      cache.use(0, 1);
    }
    assertEquals(29, policy.uses(1));
    cache.use(0, 1); // ten times the capacity
    assertEquals(15, policy.uses(1));
  }
}
