package dev.quern.experts;

import dev.quern.format.ExpertFile;
import dev.quern.system.Threads;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntPredicate;

/**
 * Experts read from disk when they are needed, in slots of memory under a budget of bytes. A record
 * is read into its slot by one read and multiplied there. Results do not depend on the budget, the
 * policy, the mode or the number of readers.
 *
 * <p>A reader thread takes the first record that the visit waits for, or else the nearest that is
 * predicted, finds a slot, evicting if need be, and reads. One lock guards all state; it is not
 * held while a record is read.
 *
 * <p>A visit may announce more experts than there are slots. What is handed out or waits to be
 * stays in memory; when it is given back, its slots serve the rest. In announced order an expert
 * that comes later may have to leave and be read again, or the next could never come.
 *
 * <p>After an {@link ExpertReadException} the visit is to be ended; another may begin, and reads
 * again what failed.
 */
public final class StreamedExperts implements ExpertStore, ExpertGuesses, RoutingObserver {
  /** What finding out how many readers are best may take. */
  private static final long MEASURE_MILLIS = 100;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition work = lock.newCondition(); // a reader may find something to read
  private final Condition arrival = lock.newCondition(); // for the model's thread
  private final RecordSource source;
  private final ExpertViews views;
  private final ExpertCache cache;
  private final CacheShape shape;
  private final Visit visit;
  private final Predictions predictions;
  private final boolean[] verified; // or not to be
  private final long[] expertBytes; // of each layer
  private final List<Thread> readers = new ArrayList<>();
  private final long mostBytes;
  private final IntPredicate unused = this::unused;
  private final IntPredicate unwanted = this::unwanted;
  private final IntPredicate notOnDisk = this::notOnDisk;
  private int pinned; // experts in memory that the visit uses
  private int readingAhead;
  private long protectedUntil; // visits up to here keep the experts that are predicted for them
  private Throwable failure; // of the present visit
  private boolean closed;

  private long visits;
  private long hits;
  private long misses;
  private long reads;
  private long bytesRead;
  private long prefetchReads;
  private long prefetchUseful;
  private long prefetchLate;
  private long stallNanos;
  private final boolean[] startedAhead; // the read in progress, or the last, was ahead of need

  private StreamedExperts(RecordSource source, int topK, ExpertViews views, StreamOptions options) {
    this.source = source;
    this.views = views;
    cache = new ExpertCache(source, topK, options);
    shape = cache.shape();
    visit = new Visit(shape.numExperts());
    predictions = new Predictions(shape);
    verified = new boolean[shape.keys()];
    if (!options.verify()) {
      Arrays.fill(verified, true);
    }
    startedAhead = new boolean[shape.keys()];
    mostBytes = options.budgetBytes();
    expertBytes = new long[shape.numLayers()];
    for (int layer = 0; layer < expertBytes.length; layer++) {
      if (source.hasExperts(layer)) {
        expertBytes[layer] = views.of(layer, 0, source.file(layer).record(0)).bytes();
      }
    }
  }

  /**
   * Starts the readers, after a measurement if their number is left open; reads no expert yet.
   *
   * @param layers the expert file of each layer of the model; they stay the caller's and are closed
   *     after the store
   * @param topK experts that a token uses in a layer
   * @throws IOException if a file cannot be opened
   * @throws IllegalArgumentException if the budget does not hold the largest record
   */
  public static StreamedExperts open(
      List<Optional<ExpertFile>> layers, int topK, ExpertViews views, StreamOptions options)
      throws IOException {
    RecordSource source = new RecordSource(layers, options.io());
    StreamedExperts store;
    int readers;
    try {
      store = new StreamedExperts(source, topK, views, options);
      readers =
          options.readers() > 0 ? options.readers() : source.measure(MEASURE_MILLIS).readers();
    } catch (Throwable e) {
      source.close();
      throw e;
    }
    for (int i = 0; i < readers; i++) {
      Thread reader = new Thread(store::read, "expert-reader-" + i);
      reader.setDaemon(true);
      reader.start();
      store.readers.add(reader);
    }
    return store;
  }

  /** What is read otherwise than asked for, one line. */
  public Optional<String> note() {
    return source.note();
  }

  /** Threads that read. */
  public int readers() {
    return readers.size();
  }

  /** Layers, experts and how many of them fit. */
  public CacheShape shape() {
    return shape;
  }

  /** The least budget: the slot of the largest record. */
  public long leastBytes() {
    return cache.largestBytes();
  }

  /** Bytes of memory that a record of a file takes, whatever store it is in. */
  public static long slotBytes(ExpertFile file) {
    return RecordSource.slotBytes(file);
  }

  /** Bytes of memory that a record of a layer takes: the pages in which it lies in its file. */
  public long slotBytes(int layer) {
    return source.slotBytes(layer);
  }

  @Override
  public long expertBytes(int layer) {
    return expertBytes[layer];
  }

  @Override
  public void routed(RoutedTokens routed) {
    lock.lock();
    try {
      cache.policy().routed(routed);
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void begin(int layer, int[] announced, int count, Order order) {
    lock.lock();
    try {
      checkOpen();
      if (visit.active()) {
        throw new IllegalStateException("the visit before has not ended");
      }
      if (!source.hasExperts(layer)) {
        throw new IllegalArgumentException("layer " + layer + " has no experts");
      }
      int inLayer = source.file(layer).numExperts();
      failure = null;
      visit.begin(layer, inLayer, announced, count, order);
      if (order == Order.PRESENT) {
        visit.keepOnly(expert -> cache.inMemory(shape.key(layer, expert)));
        pinned += visit.waiting();
        return;
      }
      predictions.begin(layer);
      count(layer, announced, count);
      work.signal();
    } finally {
      lock.unlock();
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

  @Override
  public int next(int[] group) {
    lock.lock();
    try {
      giveBack();
      int found = 0;
      while (visit.waiting() > 0) {
        checkOpen();
        if (failure != null) {
          throw failed(failure);
        }
        found = collect(group);
        if (found > 0) {
          break;
        }
        long start = System.nanoTime();
        arrival.awaitUninterruptibly();
        stallNanos += System.nanoTime() - start;
      }
      return found;
    } finally {
      lock.unlock();
    }
  }

  private static RuntimeException failed(Throwable failure) {
    return switch (failure) {
      case IOException e -> new ExpertReadException(e);
      case Error e -> throw e;
      default -> new IllegalStateException("a reader failed", failure);
    };
  }

  /** Hands out what is in memory; while anything is on disk, half of the slots at most. */
  private int collect(int[] group) {
    int layer = visit.layer();
    int most = allInMemoryOrComing() ? visit.count() : Math.max(1, cache.capacityFor(layer) / 2);
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

  private boolean allInMemoryOrComing() {
    return missing(0) < 0;
  }

  /**
   * The first announced expert from index i on that is on disk and waited for: its index, or −1.
   */
  private int missing(int from) {
    for (int i = Math.max(from, visit.head()); i < visit.count(); i++) {
      int expert = visit.announced(i);
      if (visit.waits(expert) && cache.onDisk(shape.key(visit.layer(), expert))) {
        return i;
      }
    }
    return -1;
  }

  @Override
  public Expert expert(int expert) {
    // Only this thread hands out and takes back; what is handed out does not change.
    if (expert < 0 || expert >= shape.numExperts() || !visit.given(expert)) {
      throw new IllegalArgumentException("expert " + expert + " is not in the group");
    }
    return cache.expert(shape.key(visit.layer(), expert));
  }

  @Override
  public boolean inMemory(int layer, int expert) {
    lock.lock();
    try {
      return cache.inMemory(shape.key(layer, expert));
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void fetch(int layer, int expert) {
    lock.lock();
    try {
      predictions.wish(layer, shape.key(layer, expert), notOnDisk);
      work.signal();
    } finally {
      lock.unlock();
    }
  }

  private void giveBack() {
    int returned = visit.takeBack();
    if (returned > 0) {
      pinned -= returned;
      trim();
      work.signal();
    }
  }

  @Override
  public void end() {
    lock.lock();
    try {
      visit.end();
      pinned = 0;
      trim();
      work.signal();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Changes the budget. Memory above it is given back to the system at once, except for experts in
   * use or being read, which go when they are done with.
   *
   * @param budgetBytes from {@link #leastBytes} to the budget with which the store was opened
   */
  public void resize(long budgetBytes) {
    if (budgetBytes < leastBytes() || budgetBytes > mostBytes) {
      throw new IllegalArgumentException(
          "budget: expected %d to %d bytes, found %d"
              .formatted(leastBytes(), mostBytes, budgetBytes));
    }
    lock.lock();
    try {
      cache.resize(budgetBytes);
      trim();
      work.signal();
    } finally {
      lock.unlock();
    }
  }

  private void trim() {
    cache.trim(cache.residents() - pinned, unused);
  }

  /** The experts that are expected of the layer's next visit, at most topK, most probable first. */
  @Override
  public int guess(int layer, int[] experts) {
    lock.lock();
    try {
      int count = predictions.of(predictions.upcoming(layer), experts, shape.topK());
      for (int i = 0; i < count; i++) {
        experts[i] = shape.expert(experts[i]);
      }
      return count;
    } finally {
      lock.unlock();
    }
  }

  /**
   * The number under which a predictor speaks of the next visit of a layer, see {@link #expect}.
   */
  public long upcomingVisit(int layer) {
    lock.lock();
    try {
      return predictions.upcoming(layer);
    } finally {
      lock.unlock();
    }
  }

  /**
   * A prediction: likely experts of a coming visit are read ahead when readers have nothing better
   * to do. It replaces the prediction for that visit before it.
   *
   * @param visitNumber {@link #upcomingVisit} of the layer that was routed when it was predicted,
   *     plus the layers ahead
   * @param tokensAhead as for {@link CachePolicy#expect}
   * @param probabilities [numExperts]
   * @param likely experts worth reading ahead, most probable first
   */
  public void expect(
      int layer,
      int tokensAhead,
      long visitNumber,
      float[] probabilities,
      int[] likely,
      int count) {
    int[] keys = new int[count];
    for (int i = 0; i < count; i++) {
      keys[i] = shape.key(layer, likely[i]);
    }
    lock.lock();
    try {
      cache.policy().expect(layer, tokensAhead, probabilities);
      predictions.expect(visitNumber, keys, count, notOnDisk);
      work.signal();
    } finally {
      lock.unlock();
    }
  }

  public StreamStatistics statistics() {
    lock.lock();
    try {
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
    } finally {
      lock.unlock();
    }
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException("the expert store is closed");
    }
  }

  /** What a reader does until the store is closed. */
  private void read() {
    lock.lock();
    try {
      while (!closed) {
        int key = takeWork();
        if (key < 0) {
          work.awaitUninterruptibly();
        } else {
          if (missing(0) >= 0 || predictions.size() > 0) {
            work.signal(); // there may be more for another reader
          }
          readOne(key);
        }
      }
    } finally {
      lock.unlock();
    }
  }

  /** An expert that has got a slot to be read into, or −1. */
  private int takeWork() {
    if (visit.waiting() > 0 && failure == null) {
      int i = missing(0);
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
    if (visit.order() != Order.ANNOUNCED || i > visit.head() + readers.size()) {
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
    int most = Math.max(1, readers.size() - 1); // one is left for what is needed at once
    if (readingAhead >= most) {
      return -1;
    }
    int i = predictions.next(notOnDisk);
    if (i < 0) {
      return -1;
    }
    int key = predictions.key(i);
    predictions.tried(i);
    if (!takeUnwanted(key, predictions.due(key))) {
      return -1;
    }
    startedAhead[key] = true;
    readingAhead++;
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

  /** Reads without the lock, which is held before and after. */
  private void readOne(int key) {
    int layer = shape.layer(key);
    int expert = shape.expert(key);
    boolean ahead = startedAhead[key];
    boolean verify = !verified[key];
    MemorySegment slot = cache.memory().segment(cache.size(key), cache.slot(key));
    MemorySegment record = null;
    Throwable problem = null;
    lock.unlock();
    try {
      record = source.read(layer, expert, slot, verify);
    } catch (Throwable e) { // whatever it is, the model's thread must not wait for ever
      problem = e;
    } finally {
      lock.lock();
    }
    readingAhead -= ahead ? 1 : 0;
    boolean wanted = visit.uses(layer, expert);
    if (problem == null) {
      try {
        Expert view = views.of(layer, expert, record);
        verified[key] = true;
        reads++;
        bytesRead += source.extentBytes(layer, expert);
        prefetchReads += ahead ? 1 : 0;
        pinned += wanted ? 1 : 0;
        cache.admit(key, view, ahead && !wanted);
      } catch (RuntimeException | Error e) {
        problem = e;
      }
    }
    if (problem != null) {
      cache.abandon(key);
      if (wanted) {
        failure = problem;
      }
    }
    trim();
    if (wanted) {
      arrival.signal();
    }
  }

  /** Waits for reads in progress and gives all memory back; no visit may be in progress. */
  @Override
  public void close() {
    lock.lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      work.signalAll();
      arrival.signalAll();
    } finally {
      lock.unlock();
    }
    Threads.join(readers);
    cache.close();
    source.close();
  }
}
