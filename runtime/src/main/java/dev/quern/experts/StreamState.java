package dev.quern.experts;

import dev.quern.experts.ExpertStore.Expert;
import dev.quern.experts.ExpertStore.Order;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.IntPredicate;

/**
 * What a {@link StreamedExperts} knows and decides: which experts are in memory, wanted, predicted
 * or being read, which is read next and which leaves for it. Its owner's lock guards all of it.
 */
final class StreamState implements AutoCloseable {
  private final RecordSource source;
  private final ExpertCache cache;
  private final CacheShape shape;
  private final Visit visit;
  private final Predictions predictions;
  private final int readers;
  private final boolean[] verified; // or not to be
  private final boolean[] startedAhead; // the read in progress, or the last, was ahead of need
  private final IntPredicate unused = this::unused;
  private final IntPredicate unwanted = this::unwanted;
  private final IntPredicate notOnDisk = this::notOnDisk;
  private int pinned; // experts in memory that the visit uses
  private long protectedUntil; // visits up to here keep the experts that are predicted for them
  private Optional<Throwable> failure = Optional.empty(); // of the present visit

  private long visits;
  private long hits;
  private long misses;
  private long reads;
  private long bytesRead;
  private long prefetchReads;
  private long prefetchUseful;
  private long prefetchLate;

  /**
   * @param readers that may ask for work at the same time
   */
  StreamState(RecordSource source, int topK, StreamOptions options, int readers) {
    this.source = source;
    this.readers = readers;
    cache = new ExpertCache(source, topK, options);
    shape = cache.shape();
    visit = new Visit(shape.numExperts());
    predictions = new Predictions(shape);
    verified = new boolean[shape.keys()];
    Arrays.fill(verified, !options.verify());
    startedAhead = new boolean[shape.keys()];
  }

  CacheShape shape() {
    return shape;
  }

  ExpertCache cache() {
    return cache;
  }

  Visit visit() {
    return visit;
  }

  /** Why an expert of the present visit could not be read. */
  Optional<Throwable> failure() {
    return failure;
  }

  void begin(int layer, int[] announced, int count, Order order) {
    if (visit.active()) {
      throw new IllegalStateException("the visit before has not ended");
    }
    if (!source.hasExperts(layer)) {
      throw new IllegalArgumentException("layer " + layer + " has no experts");
    }
    visit.begin(layer, source.file(layer).numExperts(), announced, count, order);
    failure = Optional.empty();
    if (order == Order.PRESENT) {
      visit.keepOnly(expert -> cache.inMemory(shape.key(layer, expert)));
      pinned += visit.waiting();
    } else {
      predictions.begin(layer);
      count(layer, announced, count);
    }
  }

  private void count(int layer, int[] announced, int count) {
    visits++;
    for (int i = 0; i < count; i++) {
      int key = shape.key(layer, announced[i]);
      if (cache.inMemory(key)) {
        hits++;
        pinned++;
        prefetchUseful += cache.use(key) ? 1 : 0;
      } else {
        misses++;
        prefetchLate += cache.onDisk(key) ? 0 : startedAhead[key] ? 1 : 0;
      }
    }
  }

  /** Hands out what is in memory; while anything is on disk, half of the slots at most. */
  int collect(int[] group) {
    int layer = visit.layer();
    int most = missing() < 0 ? visit.count() : Math.max(1, cache.capacityFor(layer) / 2);
    int found = 0;
    for (int i = visit.head(); i < visit.count() && found < most; i++) {
      int expert = visit.announced(i);
      if (!visit.waits(expert)) {
        continue;
      }
      if (cache.inMemory(shape.key(layer, expert))) {
        group[found++] = expert;
      } else if (visit.order() == Order.ANNOUNCED) {
        break;
      }
    }
    for (int i = 0; i < found; i++) {
      visit.give(group[i]);
    }
    return found;
  }

  /** The first announced expert that is on disk and waited for: its index, or −1. */
  private int missing() {
    for (int i = visit.head(); i < visit.count(); i++) {
      int expert = visit.announced(i);
      if (visit.waits(expert) && cache.onDisk(shape.key(visit.layer(), expert))) {
        return i;
      }
    }
    return -1;
  }

  /** The present group is given back: whether there was one. */
  boolean giveBack() {
    int returned = visit.takeBack();
    pinned -= returned;
    if (returned > 0) {
      trim();
    }
    return returned > 0;
  }

  void end() {
    visit.end();
    pinned = 0;
    trim();
  }

  void resize(long budgetBytes) {
    cache.resize(budgetBytes);
    trim();
  }

  private void trim() {
    cache.trim(cache.residents() - pinned, unused);
  }

  long upcoming(int layer) {
    return predictions.upcoming(layer);
  }

  void expect(int layer, int tokensAhead, long visitNumber, float[] probabilities, int[] keys) {
    cache.policy().expect(layer, tokensAhead, probabilities);
    predictions.expect(visitNumber, keys, keys.length, notOnDisk);
  }

  void wish(int layer, int expert) {
    predictions.wish(layer, shape.key(layer, expert), notOnDisk);
  }

  int guess(int layer, int[] experts) {
    int count = predictions.of(predictions.upcoming(layer), experts, shape.topK());
    for (int i = 0; i < count; i++) {
      experts[i] = shape.expert(experts[i]);
    }
    return count;
  }

  /** Whether {@link #takeWork} may find something; it may still find no slot. */
  boolean mayHaveWork() {
    return missing() >= 0 || predictions.size() > 0;
  }

  /** An expert that has got a slot to be read into, or −1. */
  int takeWork() {
    if (visit.waiting() > 0 && failure.isEmpty()) {
      int i = missing();
      if (i >= 0) {
        int key = shape.key(visit.layer(), visit.announced(i));
        boolean taken =
            takeUnwanted(key, Long.MAX_VALUE)
                || cache.take(key, cache.residents() - pinned, unused)
                || takeFromLater(i, key);
        if (taken) {
          startedAhead[key] = false;
          return key;
        }
      }
    }
    return takeAhead();
  }

  /**
   * In announced order the last of those in memory leaves rather than that the next cannot come.
   */
  private boolean takeFromLater(int i, int key) {
    if (visit.order() != Order.ANNOUNCED || i > visit.head() + readers) {
      return false;
    }
    for (int last = visit.count() - 1; last > i; last--) {
      int expert = visit.announced(last);
      int later = shape.key(visit.layer(), expert);
      if (visit.waits(expert) && cache.inMemory(later)) {
        pinned--;
        cache.evict(later);
        if (cache.take(key, 0, unused)) {
          return true;
        }
      }
    }
    return false;
  }

  private int takeAhead() {
    // All readers may read ahead: keeping one free for what is needed at once cost more, as a
    // single read does not fill the disk's bandwidth.
    int i = predictions.next(notOnDisk);
    if (i < 0) {
      return -1;
    }
    int key = predictions.key(i);
    if (!takeUnwanted(key, predictions.due(key))) {
      return -1; // those of later visits have no better right to a slot
    }
    predictions.tried(i); // if it is evicted before its time, it is not read again
    startedAhead[key] = true;
    return key;
  }

  private boolean unused(int key) {
    return cache.inMemory(key) && !visit.uses(shape.layer(key), shape.expert(key));
  }

  private boolean unwanted(int key) {
    long due = predictions.due(key);
    return (due == 0 || due > protectedUntil) && unused(key);
  }

  private boolean notOnDisk(int key) {
    return !cache.onDisk(key);
  }

  /** Takes a slot without evicting an expert that is predicted for that visit or one before it. */
  private boolean takeUnwanted(int key, long visitNumber) {
    protectedUntil = visitNumber;
    int candidates = cache.residents() - pinned;
    for (int i = 0; i < predictions.size(); i++) {
      int predicted = predictions.key(i);
      candidates -= unused(predicted) && !unwanted(predicted) ? 1 : 0;
    }
    return cache.take(key, candidates, unwanted);
  }

  /** The slot of an expert that is being read. */
  MemorySegment slot(int key) {
    return cache.memory().segment(cache.size(key), cache.slot(key));
  }

  /** Whether an expert that is being read is to be compared with its checksum. */
  boolean toVerify(int key) {
    return !verified[key];
  }

  /** An expert has been read: whether the visit wants it. */
  boolean arrived(int key, Expert expert) {
    boolean wanted = visit.uses(shape.layer(key), shape.expert(key));
    boolean ahead = startedAhead[key];
    verified[key] = true;
    reads++;
    bytesRead += source.extentBytes(shape.layer(key), shape.expert(key));
    prefetchReads += ahead ? 1 : 0;
    pinned += wanted ? 1 : 0;
    cache.admit(key, expert, ahead && !wanted);
    trim();
    return wanted;
  }

  /** An expert could not be read: whether the visit wants it. */
  boolean failed(int key, Throwable problem) {
    boolean wanted = visit.uses(shape.layer(key), shape.expert(key));
    cache.abandon(key);
    if (wanted) {
      failure = Optional.of(problem);
    }
    trim();
    return wanted;
  }

  /** Something is wrong with this program: the visit must not wait for ever. */
  void fail(Throwable problem) {
    failure = Optional.of(problem);
  }

  StreamStatistics statistics(long stallNanos) {
    return new StreamStatistics(
        visits,
        hits,
        misses,
        reads,
        bytesRead,
        prefetchReads,
        prefetchUseful,
        prefetchLate,
        cache.wasted(),
        cache.unusedAhead(),
        predictions.cancelled(),
        stallNanos,
        cache.residents(),
        cache.memory().inUse(),
        cache.memory().limit());
  }

  @Override
  public void close() {
    cache.close();
  }
}
