package dev.quern.experts;

import java.util.ArrayList;
import java.util.List;

/**
 * Lets low-bit copies of experts answer for those that are not in memory, in visits of order {@link
 * Order#AT_ONCE}: nothing is waited for, and what was missing is fetched for later. Other visits,
 * and all of them while every expert is in memory, are the other store's.
 */
public final class StandInStore implements ExpertStore {
  private final ExpertStore experts;
  private final Expert[][] standIns;
  private final boolean[] replacing; // in the present visit, by expert
  private final int[] real;
  private final int[] missing;
  private int missingCount;
  private boolean toCome; // the stand-ins are not handed out yet
  private int layer;
  private long replaced;

  /**
   * @param experts closed with this
   * @param standIns of every expert of every layer; empty for layers without experts
   */
  public StandInStore(ExpertStore experts, List<List<Expert>> standIns) {
    this.experts = experts;
    List<Expert[]> arrays = new ArrayList<>();
    standIns.forEach(ofLayer -> arrays.add(ofLayer.toArray(Expert[]::new)));
    this.standIns = arrays.toArray(Expert[][]::new);
    int most = standIns.stream().mapToInt(List::size).max().orElse(0);
    replacing = new boolean[most];
    real = new int[most];
    missing = new int[most];
  }

  @Override
  public long expertBytes(int ofLayer) {
    return experts.expertBytes(ofLayer);
  }

  @Override
  public void begin(int newLayer, int[] announced, int count, Order order) {
    layer = newLayer;
    missingCount = 0;
    if (order != Order.AT_ONCE) {
      experts.begin(newLayer, announced, count, order);
      return;
    }
    int realCount = 0;
    for (int i = 0; i < count; i++) {
      if (experts.inMemory(newLayer, announced[i])) {
        real[realCount++] = announced[i];
      } else {
        missing[missingCount++] = announced[i];
      }
    }
    experts.begin(newLayer, real, realCount, Order.AVAILABLE); // first, so that none of them leaves
    for (int i = 0; i < missingCount; i++) {
      replacing[missing[i]] = true;
      experts.fetch(newLayer, missing[i]);
    }
    toCome = missingCount > 0;
    replaced += missingCount;
  }

  @Override
  public int next(int[] group) {
    int count = experts.next(group);
    if (toCome) {
      System.arraycopy(missing, 0, group, count, missingCount);
      toCome = false;
      return count + missingCount;
    }
    return count;
  }

  @Override
  public Expert expert(int expert) {
    boolean standIn = expert >= 0 && expert < replacing.length && replacing[expert];
    return standIn ? standIns[layer][expert] : experts.expert(expert);
  }

  @Override
  public boolean inMemory(int ofLayer, int expert) {
    return experts.inMemory(ofLayer, expert);
  }

  @Override
  public void fetch(int ofLayer, int expert) {
    experts.fetch(ofLayer, expert);
  }

  @Override
  public long replaced() {
    return replaced;
  }

  @Override
  public void end() {
    for (int i = 0; i < missingCount; i++) {
      replacing[missing[i]] = false;
    }
    missingCount = 0;
    toCome = false;
    experts.end();
  }

  @Override
  public void close() {
    experts.close();
  }
}
