package dev.quern.experts;

import dev.quern.experts.ExpertStore.Order;
import java.util.Arrays;
import java.util.function.IntPredicate;

/** The visit of a layer: which of its experts are announced, handed out and given back. */
final class Visit {
  /** What a visit wants of an expert. */
  enum Use {
    NONE,
    WAITING,
    GIVEN
  }

  private final Use[] uses; // of the layer's experts
  private int layer = -1; // −1 between visits
  private Order order = Order.AVAILABLE;
  private int[] announced = {};
  private int count;
  private int head; // none before it is waiting
  private int waiting;
  private int[] group = {};
  private int groupSize;

  Visit(int numExperts) {
    uses = new Use[numExperts];
    Arrays.fill(uses, Use.NONE);
  }

  /**
   * @param numExperts of the layer
   */
  void begin(int newLayer, int numExperts, int[] experts, int newCount, Order newOrder) {
    for (int i = 0; i < newCount; i++) {
      int expert = experts[i];
      if (expert < 0 || expert >= numExperts || uses[expert] != Use.NONE) {
        Arrays.fill(uses, Use.NONE);
        throw new IllegalArgumentException(
            "expert %d of layer %d is announced twice, or there is none"
                .formatted(expert, newLayer));
      }
      uses[expert] = Use.WAITING;
    }
    if (announced.length < newCount) {
      announced = new int[newCount];
      group = new int[newCount];
    }
    System.arraycopy(experts, 0, announced, 0, newCount);
    layer = newLayer;
    order = newOrder;
    count = newCount;
    waiting = newCount;
    head = 0;
    groupSize = 0;
  }

  /** Forgets the announced experts for which the condition does not hold. */
  void keepOnly(IntPredicate condition) {
    int kept = 0;
    for (int i = 0; i < count; i++) {
      if (condition.test(announced[i])) {
        announced[kept++] = announced[i];
      } else {
        uses[announced[i]] = Use.NONE;
      }
    }
    count = kept;
    waiting = kept;
  }

  boolean active() {
    return layer >= 0;
  }

  int layer() {
    return layer;
  }

  Order order() {
    return order;
  }

  /** Announced experts. */
  int count() {
    return count;
  }

  int announced(int i) {
    return announced[i];
  }

  /** Announced experts that have not been handed out. */
  int waiting() {
    return waiting;
  }

  /** The first announced expert that may be waiting. */
  int head() {
    return head;
  }

  boolean waits(int expert) {
    return uses[expert] == Use.WAITING;
  }

  boolean given(int expert) {
    return uses[expert] == Use.GIVEN;
  }

  boolean uses(int ofLayer, int expert) {
    return ofLayer == layer && uses[expert] != Use.NONE;
  }

  void give(int expert) {
    uses[expert] = Use.GIVEN;
    group[groupSize++] = expert;
    waiting--;
    while (head < count && !waits(announced[head])) {
      head++;
    }
  }

  /** The group is no longer used. */
  int takeBack() {
    int returned = groupSize;
    for (int i = 0; i < groupSize; i++) {
      uses[group[i]] = Use.NONE;
    }
    groupSize = 0;
    return returned;
  }

  void end() {
    for (int i = 0; i < count; i++) {
      uses[announced[i]] = Use.NONE;
    }
    layer = -1;
    count = 0;
    waiting = 0;
    groupSize = 0;
  }
}
