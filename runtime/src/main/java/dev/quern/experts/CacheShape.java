package dev.quern.experts;

/**
 * What a cache of experts is for. Experts are numbered through all layers: key = layer · numExperts
 * + expert; layers without experts leave their numbers unused.
 *
 * @param numLayers all layers of the model
 * @param numExperts routed experts of a layer
 * @param topK experts that a token uses in a layer
 * @param capacity experts that fit at once, of all layers together
 */
public record CacheShape(int numLayers, int numExperts, int topK, int capacity) {
  public CacheShape {
    if (numLayers < 1 || numExperts < 1 || topK < 1 || topK > numExperts || capacity < 1) {
      throw new IllegalArgumentException(
          "cache of %d experts: %d layers, %d experts, top %d"
              .formatted(capacity, numLayers, numExperts, topK));
    }
  }

  public int keys() {
    return Math.multiplyExact(numLayers, numExperts);
  }

  public int key(int layer, int expert) {
    return layer * numExperts + expert;
  }

  public int layer(int key) {
    return key / numExperts;
  }

  public int expert(int key) {
    return key % numExperts;
  }

  public CacheShape withCapacity(int newCapacity) {
    return new CacheShape(numLayers, numExperts, topK, newCapacity);
  }
}
