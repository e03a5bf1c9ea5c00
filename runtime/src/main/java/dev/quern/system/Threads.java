package dev.quern.system;

import java.util.List;

/** Waiting for threads. */
public final class Threads {
  private Threads() {}

  /** Waits until all have ended; an interrupt meanwhile is kept for the caller. */
  public static void join(List<Thread> threads) {
    boolean interrupted = false;
    for (Thread thread : threads) {
      while (thread.isAlive()) {
        try {
          thread.join();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
