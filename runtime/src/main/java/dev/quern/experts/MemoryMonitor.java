package dev.quern.experts;

import dev.quern.system.Threads;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/**
 * Makes a store's budget smaller when the system is short of memory, at once, and larger again when
 * it has long been calm, step by step.
 */
public final class MemoryMonitor implements AutoCloseable {
  /**
   * When and how far.
   *
   * @param reserveBytes that stay available to others: below it the budget shrinks
   * @param leastBudgetBytes of the store, at least {@link StreamedExperts#leastBytes}
   * @param mostBudgetBytes that it grows back to
   * @param periodMillis between two looks at the memory
   * @param calmMillis without shortage before it grows, and between two steps
   */
  public record Options(
      long reserveBytes,
      long leastBudgetBytes,
      long mostBudgetBytes,
      long periodMillis,
      long calmMillis) {
    public static final long PERIOD_MILLIS = 100;
    public static final long CALM_MILLIS = 2000;

    public Options {
      if (reserveBytes < 0
          || leastBudgetBytes < 1
          || mostBudgetBytes < leastBudgetBytes
          || periodMillis < 1
          || calmMillis < 0) {
        throw new IllegalArgumentException(
            "reserve %d, budget %d to %d bytes, period %d ms, calm %d ms"
                .formatted(
                    reserveBytes, leastBudgetBytes, mostBudgetBytes, periodMillis, calmMillis));
      }
    }

    /** Ten looks a second, two seconds of calm. */
    public static Options of(long reserveBytes, long leastBudgetBytes, long mostBudgetBytes) {
      return new Options(
          reserveBytes, leastBudgetBytes, mostBudgetBytes, PERIOD_MILLIS, CALM_MILLIS);
    }
  }

  /**
   * What has been done so far.
   *
   * @param lowestBudgetBytes the least budget that was set; the largest if it never shrank
   */
  public record Actions(long looks, long shrinks, long grows, long lowestBudgetBytes) {}

  /** The budget grows back in so many steps. */
  private static final int STEPS = 8;

  private final StreamedExperts store;
  private final LongSupplier available;
  private final Options options;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition closing = lock.newCondition();
  private Thread thread;
  private boolean closed;
  private long calmSinceMillis;
  private Actions actions;

  /**
   * @param available bytes that the system could give now, as {@link
   *     dev.quern.system.MemoryStatus#availableBytes}
   */
  public MemoryMonitor(StreamedExperts store, LongSupplier available, Options options) {
    this.store = store;
    this.available = available;
    this.options = options;
    if (options.leastBudgetBytes < store.leastBytes()) {
      throw new IllegalArgumentException(
          "budget: expected at least %d bytes, found %d"
              .formatted(store.leastBytes(), options.leastBudgetBytes));
    }
    actions = new Actions(0, 0, 0, options.mostBudgetBytes);
  }

  /** Looks at the memory from now on, on a thread of its own. */
  public void start() {
    lock.lock();
    try {
      if (thread == null && !closed) {
        calmSinceMillis = nowMillis();
        thread = Thread.ofPlatform().daemon().name("memory-monitor").start(this::run);
      }
    } finally {
      lock.unlock();
    }
  }

  private static long nowMillis() {
    return System.nanoTime() / 1_000_000;
  }

  private void run() {
    lock.lock();
    try {
      while (!closed) {
        look(nowMillis());
        try {
          if (closing.await(options.periodMillis, TimeUnit.MILLISECONDS)) {
            continue; // closed, or woken without a reason
          }
        } catch (InterruptedException e) {
          return; // someone wants it to end
        }
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Looks once and acts.
   *
   * @param nowMillis of a clock that only goes forward
   */
  void look(long nowMillis) {
    lock.lock();
    try {
      long free = available.getAsLong();
      StreamStatistics now = store.statistics();
      long missing = options.reserveBytes - free;
      actions =
          new Actions(actions.looks + 1, actions.shrinks, actions.grows, actions.lowestBudgetBytes);
      if (missing > 0) {
        calmSinceMillis = nowMillis;
        shrink(now, missing);
      } else if (now.budgetBytes() < options.mostBudgetBytes
          && nowMillis - calmSinceMillis >= options.calmMillis) {
        grow(now, -missing, nowMillis);
      }
    } finally {
      lock.unlock();
    }
  }

  private void shrink(StreamStatistics now, long missing) {
    long target = Math.max(options.leastBudgetBytes, now.bytesInUse() - missing);
    if (target < now.budgetBytes()) {
      store.resize(target);
      actions =
          new Actions(
              actions.looks,
              actions.shrinks + 1,
              actions.grows,
              Math.min(actions.lowestBudgetBytes, target));
    }
  }

  /** Never by more than half of what is free, so that one step does not bring the shortage back. */
  private void grow(StreamStatistics now, long free, long nowMillis) {
    long step = Math.ceilDiv(options.mostBudgetBytes, STEPS);
    if (free / 2 >= step) {
      store.resize(Math.min(options.mostBudgetBytes, now.budgetBytes() + step));
      calmSinceMillis = nowMillis;
      actions =
          new Actions(actions.looks, actions.shrinks, actions.grows + 1, actions.lowestBudgetBytes);
    }
  }

  public Actions actions() {
    lock.lock();
    try {
      return actions;
    } finally {
      lock.unlock();
    }
  }

  /** Stops looking, before the store is closed; its budget stays as it is. */
  @Override
  public void close() {
    lock.lock();
    try {
      closed = true;
      closing.signalAll();
    } finally {
      lock.unlock();
    }
    if (thread != null) {
      Threads.join(List.of(thread));
    }
  }
}
