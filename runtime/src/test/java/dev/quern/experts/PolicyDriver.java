package dev.quern.experts;

import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** A cache without experts: asks a policy for victims and counts hits. */
final class PolicyDriver {
  private final CacheShape shape;
  private final CachePolicy policy;
  private final RoutedTokens view = new RoutedTokens();
  private final Set<Integer> resident = new TreeSet<>();
  private int capacity;
  private int hits;
  private int uses;

  PolicyDriver(CacheShape shape, CachePolicy policy) {
    this.shape = shape;
    this.policy = policy;
    capacity = shape.capacity();
  }

  /** One token passes one layer; all experts have the same score. */
  PolicyDriver use(int layer, int... experts) {
    float[] scores = new float[shape.numExperts()];
    Arrays.fill(scores, 1f / shape.numExperts());
    return useScored(layer, scores, experts);
  }

  PolicyDriver useScored(int layer, float[] scores, int... experts) {
    view.set(
        layer,
        0,
        1,
        new int[1],
        0,
        new float[0],
        0,
        scores,
        shape.numExperts(),
        experts,
        new float[experts.length],
        experts.length);
    policy.routed(view);
    Set<Integer> needed =
        Arrays.stream(experts).mapToObj(e -> shape.key(layer, e)).collect(Collectors.toSet());
    uses += needed.size();
    hits += (int) needed.stream().filter(resident::contains).count();
    for (int key : needed.stream().sorted().toList()) {
      admit(key, needed);
    }
    return this;
  }

  /** As a prefetch does. */
  void admit(int key, Set<Integer> needed) {
    if (resident.contains(key)) {
      return;
    }
    while (resident.size() >= capacity) {
      int victim = policy.victim(key, k -> resident.contains(k) && !needed.contains(k));
      if (!resident.contains(victim) || needed.contains(victim)) {
        throw new AssertionError("victim " + victim + " may not leave");
      }
      remove(victim);
    }
    resident.add(key);
    policy.admitted(key);
  }

  void remove(int key) {
    resident.remove(key);
    policy.removed(key);
  }

  void resize(int newCapacity) {
    capacity = newCapacity;
    policy.resize(newCapacity);
    while (resident.size() > capacity) {
      remove(policy.victim(resident.iterator().next(), resident::contains));
    }
  }

  /** Experts of a layer in memory, ascending. */
  int[] resident(int layer) {
    return IntStream.range(0, shape.numExperts())
        .filter(e -> resident.contains(shape.key(layer, e)))
        .toArray();
  }

  int residents() {
    return resident.size();
  }

  double hitRate() {
    return (double) hits / uses;
  }
}
