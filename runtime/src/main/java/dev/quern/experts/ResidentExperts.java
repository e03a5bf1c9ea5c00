package dev.quern.experts;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** All experts, in place in the mapped files: the system's page cache decides what is in memory. */
public final class ResidentExperts implements ExpertStore {
  private final Expert[][] layers;
  private int layer = -1; // of the visit, −1 between visits
  private int[] announced = {};
  private int count;

  /**
   * @param layers experts of every layer; empty for layers without
   */
  public ResidentExperts(List<List<Expert>> layers) {
    List<Expert[]> arrays = new ArrayList<>();
    layers.forEach(experts -> arrays.add(experts.toArray(Expert[]::new)));
    this.layers = arrays.toArray(Expert[][]::new);
  }

  @Override
  public long expertBytes(int ofLayer) {
    return layers[ofLayer][0].bytes(); // all experts of a layer have the same sizes
  }

  @Override
  public void begin(int newLayer, int[] experts, int newCount, Order order) {
    layer = newLayer;
    count = newCount;
    if (announced.length < newCount) {
      announced = Arrays.copyOf(experts, newCount);
    } else {
      System.arraycopy(experts, 0, announced, 0, newCount);
    }
  }

  @Override
  public int next(int[] group) {
    int all = count;
    System.arraycopy(announced, 0, group, 0, all);
    count = 0;
    return all;
  }

  @Override
  public Expert expert(int expert) {
    if (layer < 0 || layer >= layers.length || expert < 0 || expert >= layers[layer].length) {
      throw new IllegalArgumentException("no expert " + expert + " in layer " + layer);
    }
    return layers[layer][expert];
  }

  @Override
  public boolean inMemory(int ofLayer, int expert) {
    return true;
  }

  @Override
  public void fetch(int ofLayer, int expert) {}

  @Override
  public void end() {
    layer = -1;
  }

  @Override
  public void close() {}
}
