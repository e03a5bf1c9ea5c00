package dev.quern.experts;

import java.util.ArrayList;
import java.util.List;

/** All experts, in place in the mapped files: the system's page cache decides what is in memory. */
public final class ResidentExperts implements ExpertStore {
  private final Expert[][] layers;

  /**
   * @param layers experts of every layer; empty for layers without
   */
  public ResidentExperts(List<List<Expert>> layers) {
    List<Expert[]> arrays = new ArrayList<>();
    layers.forEach(experts -> arrays.add(experts.toArray(Expert[]::new)));
    this.layers = arrays.toArray(Expert[][]::new);
  }

  @Override
  public Expert expert(int layer, int expert) {
    if (layer < 0 || layer >= layers.length || expert < 0 || expert >= layers[layer].length) {
      throw new IllegalArgumentException("no expert " + expert + " in layer " + layer);
    }
    return layers[layer][expert];
  }
}
