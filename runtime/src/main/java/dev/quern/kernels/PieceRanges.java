package dev.quern.kernels;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Who computes which pieces of a task: each thread has a range of its own, one piece after another,
 * so that what it reads lies in one place and is read ahead across pieces. A thread that has no
 * more takes the last piece of the one that has most left.
 */
final class PieceRanges {
  /** Longs from one range to the next, 128 bytes: no two share a pair of cache lines. */
  private static final int STRIDE = 16;

  private final int threads;

  /** First piece in the upper half, end in the lower. */
  private final AtomicLongArray ranges;

  PieceRanges(int threads) {
    this.threads = threads;
    ranges = new AtomicLongArray((threads + 1) * STRIDE);
  }

  private static int index(int thread) {
    return (thread + 1) * STRIDE;
  }

  private static long range(int first, int end) {
    return (long) first << Integer.SIZE | end;
  }

  private static int first(long range) {
    return (int) (range >>> Integer.SIZE);
  }

  private static int end(long range) {
    return (int) range;
  }

  /**
   * Shares pieces 0 to pieces - 1 out.
   *
   * @param sharers threads that get a range, the first ones; at least 1
   */
  void share(int pieces, int sharers) {
    for (int thread = 0; thread < threads; thread++) {
      int first = (int) ((long) pieces * Math.min(thread, sharers) / sharers);
      int end = (int) ((long) pieces * Math.min(thread + 1, sharers) / sharers);
      ranges.set(index(thread), range(first, end));
    }
  }

  /** Takes all pieces away. */
  void clear() {
    share(0, 1);
  }

  /** The next piece of a thread, -1 if there is none. */
  int take(int thread) {
    long range = ranges.get(index(thread));
    while (first(range) < end(range)) {
      if (ranges.compareAndSet(index(thread), range, range(first(range) + 1, end(range)))) {
        return first(range);
      }
      range = ranges.get(index(thread));
    }
    return steal();
  }

  private int steal() {
    while (true) {
      int victim = -1;
      long most = 0;
      for (int thread = 0; thread < threads; thread++) {
        long range = ranges.get(index(thread));
        if (end(range) - first(range) > end(most) - first(most)) {
          victim = thread;
          most = range;
        }
      }
      if (victim < 0) {
        return -1;
      }
      if (ranges.compareAndSet(index(victim), most, range(first(most), end(most) - 1))) {
        return end(most) - 1;
      }
    }
  }
}
