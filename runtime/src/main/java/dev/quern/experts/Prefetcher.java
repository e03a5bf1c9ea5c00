package dev.quern.experts;

import dev.quern.system.Threads;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Has likely experts of the layers to come read ahead. For every single token and layer the model's
 * thread leaves the router's input; a thread of its own asks the predictor, nearest layer first,
 * and goes over to the next input as soon as there is one. Batches are not predicted: they need
 * most experts anyway.
 */
public final class Prefetcher implements RoutingObserver, AutoCloseable {
  /**
   * How probable an expert must be to be read ahead. A read that nobody uses costs as much as one
   * that somebody waits for, once the disk has no idle time.
   *
   * @param nextLayer in the next layer
   * @param fartherLayer in those after it: better predictions of them are still to come
   * @param nextToken by the next token; above 1: never
   */
  public record Thresholds(float nextLayer, float fartherLayer, float nextToken) {
    /**
     * The best of 0.25 to 0.7 and 0.5 to 0.85 at a quarter and half of the experts in memory, with
     * a trained shadow: of the reads a tenth is wasted instead of a third at 0.25. What is said of
     * the next token is about the time after it, too, and helps to choose what stays.
     */
    public static final Thresholds DEFAULT = new Thresholds(0.6f, 0.8f, 2);

    public Thresholds {
      if (!(nextLayer >= 0 && fartherLayer >= 0 && nextToken >= 0)) {
        throw new IllegalArgumentException(
            "probabilities %s, %s, %s".formatted(nextLayer, fartherLayer, nextToken));
      }
    }
  }

  private final StreamedExperts store;
  private final ExpertPredictor predictor;
  private final CacheShape shape;
  private final int perLayer;
  private final Thresholds thresholds;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition change = lock.newCondition();
  private final Thread thread;
  private boolean closed;
  private boolean pending;
  private boolean working;
  private float[] input = {}; // left by the model's thread; swapped with the predictor's
  private int layer;
  private int tokenId;
  private long visit;
  private long predictions;
  private long predictionNanos;

  // Only the predictor's thread.
  private float[] present = {};
  private final float[] probabilities;
  private final int[] likely;

  /**
   * Starts the thread.
   *
   * @param predictor a {@link ExpertPredictor#copy} of which is used
   * @param perLayer most experts of a layer that are read ahead
   */
  public Prefetcher(
      StreamedExperts store, ExpertPredictor predictor, int perLayer, Thresholds thresholds) {
    this.store = store;
    this.predictor = predictor.copy();
    this.shape = store.shape();
    if (perLayer < 1) {
      throw new IllegalArgumentException(perLayer + " experts per layer");
    }
    this.perLayer = Math.min(perLayer, shape.numExperts());
    this.thresholds = thresholds;
    probabilities = new float[shape.numExperts()];
    likely = new int[this.perLayer];
    thread = Thread.ofPlatform().daemon().name("expert-prefetcher").start(this::run);
  }

  @Override
  public boolean everyToken() {
    return false;
  }

  @Override
  public void routed(RoutedTokens routed) {
    if (routed.tokens() != 1) {
      return;
    }
    long upcoming = store.upcomingVisit(routed.layer());
    lock.lock();
    try {
      if (input.length != routed.hiddenSize()) {
        input = new float[routed.hiddenSize()];
      }
      System.arraycopy(routed.input(), 0, input, 0, input.length);
      layer = routed.layer();
      tokenId = routed.id(0);
      visit = upcoming;
      pending = true;
      change.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void run() {
    lock.lock();
    try {
      while (!closed) {
        if (!pending) {
          working = false;
          change.signalAll(); // for those who wait until it is idle
          change.awaitUninterruptibly();
          continue;
        }
        pending = false;
        working = true;
        float[] swapped = present;
        present = input;
        input = swapped;
        int from = layer;
        int token = tokenId;
        long at = visit;
        lock.unlock();
        long start = System.nanoTime();
        int asked = 0;
        try {
          asked = predict(from, token, at);
        } finally {
          lock.lock();
        }
        predictions += asked;
        predictionNanos += System.nanoTime() - start;
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * @return predictions made
   */
  private int predict(int from, int token, long at) {
    int asked = 0;
    for (int distance = 1; distance <= predictor.maxDistance(); distance++) {
      int target = from + distance;
      if (target >= shape.numLayers() || distance > 1 && newer()) {
        break;
      }
      if (predictor.predict(from, distance, present, token, probabilities)) {
        float least = distance == 1 ? thresholds.nextLayer : thresholds.fartherLayer;
        store.expect(target, 0, at + distance, probabilities, likely, chooseLikely(least));
        asked++;
      }
    }
    if (predictor.predictsNextToken()
        && predictor.predictNextToken(from, present, token, probabilities)) {
      int count = chooseLikely(thresholds.nextToken);
      store.expect(from, 1, at + shape.numLayers(), probabilities, likely, count);
      asked++;
    }
    return asked;
  }

  private boolean newer() {
    lock.lock();
    try {
      return pending || closed;
    } finally {
      lock.unlock();
    }
  }

  /** The most probable experts at or above the threshold, best first: how many. */
  private int chooseLikely(float threshold) {
    int count = 0;
    for (int expert = 0; expert < probabilities.length; expert++) {
      float p = probabilities[expert];
      if (p < threshold || count == perLayer && p <= probabilities[likely[count - 1]]) {
        continue;
      }
      int at = count < perLayer ? count++ : count - 1;
      while (at > 0 && probabilities[likely[at - 1]] < p) {
        likely[at] = likely[at - 1];
        at--;
      }
      likely[at] = expert;
    }
    return count;
  }

  /** Waits until every input left so far has been predicted from or passed over. */
  void awaitIdle() {
    lock.lock();
    try {
      while (pending || working) {
        change.awaitUninterruptibly();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Layers predicted so far. */
  public long predictions() {
    lock.lock();
    try {
      return predictions;
    } finally {
      lock.unlock();
    }
  }

  /** Mean wall-clock time of one prediction; 0 before the first. */
  public double meanPredictionNanos() {
    lock.lock();
    try {
      return predictions == 0 ? 0 : (double) predictionNanos / predictions;
    } finally {
      lock.unlock();
    }
  }

  /** Stops the thread, before the store is closed. */
  @Override
  public void close() {
    lock.lock();
    try {
      closed = true;
      change.signalAll();
    } finally {
      lock.unlock();
    }
    Threads.join(List.of(thread));
  }
}
