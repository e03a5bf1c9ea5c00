package dev.quern.bench.plan;

/**
 * The time of a token whose experts are partly on disk. In each layer reads begin when the router
 * has chosen; what is in memory is computed meanwhile, then each expert that arrives. The disk
 * serves one layer at a time.
 *
 * @param cost of computing
 * @param disk from which experts come
 * @param recordBytes of one expert on disk
 * @param readAhead of the missing experts, the share that a predictor names while the layer's dense
 *     part computes, so that their reads begin with it; 0 without a predictor
 */
record TokenTime(DecodeCost cost, DiskRate disk, long recordBytes, double readAhead) {
  TokenTime {
    if (recordBytes < 1 || !(readAhead >= 0 && readAhead <= 1)) {
      throw new IllegalArgumentException(
          "records of %d bytes, %s read ahead".formatted(recordBytes, readAhead));
    }
  }

  /** Seconds of the experts of one layer, from the router's choice on. */
  double visitSeconds(int misses) {
    double oneRead = disk.seconds(recordBytes);
    int ahead = (int) Math.round(readAhead * misses);
    double computed = (cost.topK() - misses) * cost.expertSeconds();
    // What is read ahead begins when the layer before has nothing to read any more: as its last
    // expert is computed.
    double read = -cost.layerSeconds() - cost.expertSeconds() + disk.latencySeconds();
    for (int i = 0; i < misses; i++) {
      if (i == ahead) {
        read = Math.max(read, disk.latencySeconds());
      }
      read += oneRead;
      computed = Math.max(computed, read) + cost.expertSeconds();
    }
    return computed;
  }

  /** Seconds of a whole token, on average. */
  double seconds(MissCounts misses) {
    double visit = 0;
    for (int m = 0; m <= misses.topK(); m++) {
      visit += misses.share(m) * visitSeconds(m);
    }
    return cost.restSeconds() + cost.expertLayers() * (cost.layerSeconds() + visit);
  }
}
