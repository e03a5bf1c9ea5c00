package dev.quern.model;

/** What of a model fits a given amount of memory. */
public sealed interface MemoryFit {

  /** All of it. */
  record Everything() implements MemoryFit {}

  /**
   * Everything but some of the routed experts, which are read when they are needed.
   *
   * @param experts that can stay in memory, of all layers together
   */
  record SomeExperts(long experts, long ofExperts) implements MemoryFit {}

  /**
   * Not even what every token needs.
   *
   * @param needed bytes of the least that runs: all but the experts, and the experts of one token
   *     in one layer
   */
  record Nothing(long needed) implements MemoryFit {}

  /**
   * @param predictor bytes, see {@link ExpertStreams#predictorBytes}
   * @param budget bytes for weights, cache, buffers, predictor and the virtual machine together
   */
  static MemoryFit of(
      ModelConfig config, WeightSizes weights, RunMemory memory, long predictor, long budget) {
    if (budget < 1) {
      throw new IllegalArgumentException("memory: expected at least 1 byte, found " + budget);
    }
    long always = memory.bytes() + weights.restResident();
    if (always + weights.expertBytes() <= budget) {
      return new Everything();
    }
    always += predictor; // which only those experts need that are read
    long count = expertCount(config);
    if (count == 0) {
      return new Nothing(always);
    }
    long expert = Math.ceilDiv(weights.expertBytes(), count);
    long fit = (budget - always) / expert;
    return budget >= always && fit >= config.topK()
        ? new SomeExperts(fit, count)
        : new Nothing(always + config.topK() * expert);
  }

  /** Routed experts of all layers. */
  static long expertCount(ModelConfig config) {
    long layers = 0;
    for (int layer = 0; layer < config.numLayers(); layer++) {
      layers += config.hasExperts(layer) ? 1 : 0;
    }
    return layers * config.numExperts();
  }
}
