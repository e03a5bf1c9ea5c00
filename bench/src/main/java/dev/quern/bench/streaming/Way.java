package dev.quern.bench.streaming;

import dev.quern.experts.CachePolicyKind;
import dev.quern.model.Model;
import dev.quern.model.Streaming.Prediction;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * A way of decoding.
 *
 * @param slots experts that have room; 0: as many as the share of the experts that is asked for
 */
record Way(
    String name,
    int slots,
    CachePolicyKind policy,
    Prediction prediction,
    boolean speculate,
    int readers) {

  /** Each expert is read when it is used, one after the other; nothing is kept. */
  static final String NAIVE = "naive";

  /** The experts of a layer are read at once and computed as they come; nothing is kept. */
  static final String PARALLEL = "naive, parallel";

  /** Opens the model in a way. */
  @FunctionalInterface
  interface Opening {
    Model open(Way way) throws IOException;
  }

  static Way keeping(String name, CachePolicyKind policy, Prediction prediction, int readers) {
    return new Way(name, 0, policy, prediction, false, readers);
  }

  /** Whether experts are read before they are needed. */
  boolean ahead() {
    return prediction != Prediction.NONE;
  }

  /**
   * Those that are compared at every share of the experts.
   *
   * @param topK experts that a layer needs at once
   * @param shadow whether the pack has a trained predictor
   */
  static List<Way> all(int readers, int topK, boolean shadow) {
    CachePolicyKind lru = CachePolicyKind.LRU;
    CachePolicyKind forward = CachePolicyKind.FORWARD;
    List<Way> ways = new ArrayList<>();
    ways.add(new Way(NAIVE, 1, lru, Prediction.NONE, false, 1));
    ways.add(new Way(PARALLEL, topK, lru, Prediction.NONE, false, readers));
    ways.add(keeping("lru", lru, Prediction.NONE, readers));
    ways.add(keeping("forward", forward, Prediction.NONE, readers));
    ways.add(keeping("lru, next router", lru, Prediction.NEXT_ROUTER, readers));
    ways.add(keeping("forward, next router", forward, Prediction.NEXT_ROUTER, readers));
    if (shadow) {
      ways.add(keeping("forward, shadow", forward, Prediction.SHADOW, readers));
    }
    Prediction best = shadow ? Prediction.SHADOW : Prediction.NEXT_ROUTER;
    ways.add(new Way("the same, speculating", 0, forward, best, true, readers));
    return ways;
  }
}
