package dev.quern.experts;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashSet;
import java.util.Set;
import java.util.function.IntPredicate;

/** Gives up what was admitted first, and checks what it is told. */
final class OldestFirst implements CachePolicy {
  private final Set<Integer> residents = new LinkedHashSet<>();
  int capacity;

  OldestFirst(CacheShape shape) {
    capacity = shape.capacity();
  }

  @Override
  public void routed(RoutedTokens routed) {}

  @Override
  public void admitted(int key) {
    assertTrue(residents.add(key), "admitted twice");
  }

  @Override
  public void removed(int key) {
    assertTrue(residents.remove(key), "removed without having been admitted");
  }

  @Override
  public int victim(int incoming, IntPredicate mayLeave) {
    return residents.stream().filter(mayLeave::test).findFirst().orElseThrow();
  }

  @Override
  public void resize(int newCapacity) {
    capacity = newCapacity;
  }
}
