package dev.quern.kernels;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Daemon threads that wait for the next task by spinning shortly, then parking. Between the
 * products of one token the gaps are a few microseconds, where waking a parked thread would cost
 * tens.
 */
final class SpinningWorkers implements Workers {
  private static final long SPIN_NANOS = 50_000;
  private static final int SPINS_PER_CLOCK_READ = 8;

  private final Helper[] helpers; // not null where started
  private final long allFrom; // of System.nanoTime()
  private int started;

  private final PieceRanges ranges;

  private final AtomicInteger helpersAtWork = new AtomicInteger();

  // Written by the caller before it raises the epoch, read by helpers after they have seen it.
  private Task task;
  private volatile int epoch;
  private volatile Throwable failure;
  private volatile boolean closed;
  private volatile Thread waitingCaller;

  /**
   * @param compilersFirst as {@link Workers#create(int, Duration)}
   */
  SpinningWorkers(int threads, Duration compilersFirst) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads: expected at least 1, found " + threads);
    }
    helpers = new Helper[threads - 1];
    ranges = new PieceRanges(threads);
    allFrom = System.nanoTime() + compilersFirst.toNanos();
    int processors = Runtime.getRuntime().availableProcessors();
    startHelpers(compilersFirst.isPositive() ? Math.min(threads, processors - 1) : threads);
  }

  private void startHelpers(int threads) {
    while (started < threads - 1) {
      helpers[started] = new Helper(started + 1, epoch);
      helpers[started].start();
      started++;
    }
  }

  @Override
  public int threads() {
    return helpers.length + 1;
  }

  @Override
  public void run(int pieces, Task task) {
    if (isHelper(Thread.currentThread())) { // it would wait for the caller, who waits for it
      throw nested();
    }
    runAlone(pieces, task);
  }

  private boolean isHelper(Thread thread) {
    for (Helper helper : helpers) {
      if (helper == thread) {
        return true;
      }
    }
    return false;
  }

  private static IllegalStateException nested() {
    return new IllegalStateException("a piece of work cannot start another task");
  }

  private synchronized void runAlone(int pieces, Task task) {
    if (closed) {
      throw new IllegalStateException("workers are closed");
    }
    if (this.task != null) {
      throw nested();
    }
    if (started < helpers.length && System.nanoTime() - allFrom >= 0) {
      startHelpers(threads());
    }
    this.task = task;
    failure = null;
    boolean shared = pieces > 1 && started > 0;
    ranges.share(pieces, shared ? started + 1 : 1);
    if (shared) {
      helpersAtWork.set(started);
      raiseEpoch();
    }
    work(0);
    if (shared) {
      awaitHelpers();
    }
    this.task = null;
    Throwable thrown = failure;
    if (thrown != null) {
      failure = null;
      rethrow(thrown);
    }
  }

  @SuppressWarnings("NonAtomicVolatileUpdate") // only under the lock of run() and close()
  private void raiseEpoch() {
    epoch++;
    for (int i = 0; i < started; i++) {
      if (helpers[i].parked) {
        LockSupport.unpark(helpers[i]);
      }
    }
  }

  private void work(int thread) {
    try {
      for (int piece = ranges.take(thread); piece >= 0; piece = ranges.take(thread)) {
        task.run(piece, thread);
      }
    } catch (Throwable thrown) {
      failure = thrown;
      ranges.clear(); // what nobody has begun is dropped
    }
  }

  private void awaitHelpers() {
    long deadline = System.nanoTime() + SPIN_NANOS;
    while (helpersAtWork.get() > 0) {
      if (spinUntil(deadline)) {
        waitingCaller = Thread.currentThread();
        while (helpersAtWork.get() > 0) {
          LockSupport.park(this);
        }
        waitingCaller = null;
      }
    }
  }

  /** Spins a little; true once the deadline has passed. */
  private static boolean spinUntil(long deadline) {
    for (int i = 0; i < SPINS_PER_CLOCK_READ; i++) {
      Thread.onSpinWait();
    }
    return System.nanoTime() - deadline > 0;
  }

  private static void rethrow(Throwable thrown) {
    switch (thrown) {
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new IllegalStateException("a piece of work failed", thrown);
    }
  }

  /** Ends the threads and waits for them. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    raiseEpoch();
    boolean interrupted = false;
    for (int i = 0; i < started; i++) {
      while (helpers[i].isAlive()) {
        try {
          helpers[i].join();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private final class Helper extends Thread {
    private final int index;
    private int seen;
    private volatile boolean parked;

    /**
     * @param seen the epoch whose task it does not take part in
     */
    Helper(int index, int seen) {
      super("quern-worker-" + index);
      this.index = index;
      this.seen = seen;
      setDaemon(true);
    }

    @Override
    public void run() {
      while (true) {
        awaitNextEpoch();
        seen = epoch;
        if (closed) {
          return;
        }
        work(index);
        if (helpersAtWork.decrementAndGet() == 0 && waitingCaller != null) {
          LockSupport.unpark(waitingCaller);
        }
      }
    }

    private void awaitNextEpoch() {
      long deadline = System.nanoTime() + SPIN_NANOS;
      while (epoch == seen) {
        if (spinUntil(deadline)) {
          parked = true;
          while (epoch == seen) { // read after parked is set: raiseEpoch() sees one or we the other
            LockSupport.park(SpinningWorkers.this);
          }
          parked = false;
        }
      }
    }
  }
}
