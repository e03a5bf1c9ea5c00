package dev.quern.kernels;

/**
 * A fixed set of platform threads that share the pieces of one task at a time. The caller works
 * too.
 */
public interface Workers extends AutoCloseable {

  int threads();

  /**
   * Calls task.run(piece, thread) once for each piece in [0, pieces), thread in [0, threads());
   * returns when all are done. Which thread gets which piece is not defined: a piece must write
   * only what is its own. An exception in a piece is thrown here after all have ended.
   *
   * @throws IllegalStateException if a piece of a task calls it, or after {@link #close}
   */
  void run(int pieces, Task task);

  @Override
  void close();

  /**
   * @param threads at least 1; the calling thread is one of them
   */
  static Workers create(int threads) {
    return new SpinningWorkers(threads);
  }

  /** One piece of work. */
  @FunctionalInterface
  interface Task {
    void run(int piece, int thread);
  }
}
