package dev.quern.experts;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class CachePolicyTest {
  /** One layer, one expert per token, room for three. */
  private static final CacheShape SMALL = new CacheShape(1, 8, 1, 3);

  private static PolicyDriver driver(CacheShape shape, CachePolicyKind kind) {
    return new PolicyDriver(shape, kind.create(shape, Optional.empty()));
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
  @EnumSource
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
    CachePolicy policy = kind.create(SMALL, Optional.empty());
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
}
