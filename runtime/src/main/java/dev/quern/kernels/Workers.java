package dev.quern.kernels;

import java.time.Duration;

/**
 * A fixed set of platform threads that share the pieces of one task at a time. The caller works
 * too.
 */
public interface Workers extends AutoCloseable {
  /** Multiplications that take some microseconds, as long as waking threads. */
  long MIN_SHARED_WORK = 1 << 16;

  int threads();

  /**
   * Calls task.run(piece, thread) once for each piece in [0, pieces), thread in [0, threads());
   * returns when all are done. Which thread gets which piece is not defined: a piece must write
   * only what is its own. An exception in a piece is thrown here after all have ended.
   *
   * @throws IllegalStateException if a piece of a task calls it, or after {@link #close}
   */
  void run(int pieces, Task task);

  /**
   * As {@link #run(int, Task)}, but without other threads where waking them would cost more than
   * they save.
   *
   * @param work of all pieces, in multiplications of a vector loop, about
   */
  default void run(int pieces, long work, Task task) {
    if (work >= MIN_SHARED_WORK) {
      run(pieces, task);
      return;
    }
    for (int piece = 0; piece < pieces; piece++) {
      task.run(piece, 0);
    }
  }

  @Override
  void close();

  /**
   * @param threads at least 1; the calling thread is one of them
   */
  static Workers create(int threads) {
    return create(threads, Duration.ZERO);
  }

  /**
   * The same, where kernels are not compiled yet.
   *
   * @param compilersFirst for so long from now at least one processor is left to the JVM's
   *     compilers: with fewer threads, if these would take all
   */
  static Workers create(int threads, Duration compilersFirst) {
    return new SpinningWorkers(threads, compilersFirst);
  }

  /** One piece of work. */
  @FunctionalInterface
  interface Task {
    void run(int piece, int thread);
  }
}
