package dev.quern.experts;

import dev.quern.format.ExpertFile;
import dev.quern.system.Threads;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.IntStream;

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
  private final StreamState state;
  private final CacheShape shape;
  private final long[] expertBytes; // of each layer
  private final List<Thread> readers;
  private final long mostBytes;
  private long stallNanos;
  private boolean closed;

  private StreamedExperts(
      RecordSource source, StreamState state, ExpertViews views, long mostBytes, int readerCount) {
    this.source = source;
    this.state = state;
    this.views = views;
    this.mostBytes = mostBytes;
    shape = state.shape();
    expertBytes = new long[shape.numLayers()];
    for (int layer = 0; layer < expertBytes.length; layer++) {
      if (source.hasExperts(layer)) {
        expertBytes[layer] = views.of(layer, 0, source.file(layer).record(0)).bytes();
      }
    }
    readers =
        IntStream.range(0, readerCount)
            .mapToObj(
                i -> Thread.ofPlatform().daemon().name("expert-reader-" + i).unstarted(this::read))
            .toList();
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
    StreamState state = null;
    try {
      int readers =
          options.readers() > 0 ? options.readers() : source.measure(MEASURE_MILLIS).readers();
      state = new StreamState(source, topK, options, readers);
      StreamedExperts store =
          new StreamedExperts(source, state, views, options.budgetBytes(), readers);
      store.readers.forEach(Thread::start);
      return store;
    } catch (Throwable e) {
      if (state != null) {
        state.close();
      }
      source.close();
      throw e;
    }
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
    return state.cache().largestBytes();
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
  public boolean everyToken() {
    return false;
  }

  @Override
  public void routed(RoutedTokens routed) {
    lock.lock();
    try {
      state.cache().policy().routed(routed);
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void begin(int layer, int[] announced, int count, Order order) {
    lock.lock();
    try {
      checkOpen();
      state.begin(layer, announced, count, order);
      work.signal();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public int next(int[] group) {
    lock.lock();
    try {
      if (state.giveBack()) {
        work.signal();
      }
      while (state.visit().waiting() > 0) {
        checkOpen();
        if (state.failure().isPresent()) {
          throw failed(state.failure().get());
        }
        int found = state.collect(group);
        if (found > 0) {
          return found;
        }
        long start = System.nanoTime();
        arrival.awaitUninterruptibly();
        stallNanos += System.nanoTime() - start;
      }
      return 0;
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

  @Override
  public Expert expert(int expert) {
    // Only this thread hands out and takes back; what is handed out does not change.
    if (expert < 0 || expert >= shape.numExperts() || !state.visit().given(expert)) {
      throw new IllegalArgumentException("expert " + expert + " is not in the group");
    }
    return state.cache().expert(shape.key(state.visit().layer(), expert));
  }

  @Override
  public boolean inMemory(int layer, int expert) {
    lock.lock();
    try {
      return state.cache().inMemory(shape.key(layer, expert));
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void fetch(int layer, int expert) {
    lock.lock();
    try {
      state.wish(layer, expert);
      work.signal();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void end() {
    lock.lock();
    try {
      state.end();
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
      state.resize(budgetBytes);
      work.signal();
    } finally {
      lock.unlock();
    }
  }

  /** The experts that are expected of the layer's next visit, at most topK, most probable first. */
  @Override
  public int guess(int layer, int[] experts) {
    lock.lock();
    try {
      return state.guess(layer, experts);
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
      return state.upcoming(layer);
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
      state.expect(layer, tokensAhead, visitNumber, probabilities, keys);
      work.signal();
    } finally {
      lock.unlock();
    }
  }

  public StreamStatistics statistics() {
    lock.lock();
    try {
      return state.statistics(stallNanos);
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
        try {
          readNext();
        } catch (RuntimeException | Error e) {
          state.fail(e);
          arrival.signal();
          work.awaitUninterruptibly();
        }
      }
    } finally {
      lock.unlock();
    }
  }

  private void readNext() {
    int key = state.takeWork();
    if (key < 0) {
      work.awaitUninterruptibly();
      return;
    }
    if (state.mayHaveWork()) {
      work.signal(); // for another reader
    }
    if (readOne(key)) {
      arrival.signal();
    }
  }

  /**
   * Reads without the lock, which is held before and after.
   *
   * @return whether the visit waits for it
   */
  private boolean readOne(int key) {
    int layer = shape.layer(key);
    int expert = shape.expert(key);
    boolean verify = state.toVerify(key);
    MemorySegment slot = state.slot(key);
    MemorySegment record;
    lock.unlock();
    try {
      record = source.read(layer, expert, slot, verify);
    } catch (Throwable e) { // whatever it is, the model's thread must not wait for ever
      lock.lock();
      return state.failed(key, e);
    }
    lock.lock();
    Expert view;
    try {
      view = views.of(layer, expert, record);
    } catch (RuntimeException | Error e) {
      return state.failed(key, e);
    }
    return state.arrived(key, view);
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
    state.close();
    source.close();
  }
}
