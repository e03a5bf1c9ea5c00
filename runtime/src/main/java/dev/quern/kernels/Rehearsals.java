package dev.quern.kernels;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * Runs vector kernels in a thread of its own until C2 has compiled them; so long plain loops do the
 * work, see {@link TieredKernels}. Compiled is what takes less time than plain loops do.
 */
final class Rehearsals {
  /** Rounds in a row in which vectors must be faster: threads lose their processor now and then. */
  private static final int FASTER_ROUNDS = 3;

  /** What is not compiled after so many calls perhaps never is: pauses follow. */
  private static final int EAGER_CALLS = 1000;

  private static final long PAUSE_NANOS = 10_000_000;

  private final Kernels plain;
  private final Kernels vectors;
  private final List<Part> missing = new ArrayList<>(); // guarded by this
  private boolean running; // guarded by this
  private volatile long begin = System.nanoTime(); // not before
  private volatile boolean ended;

  Rehearsals(Kernels plain, Kernels vectors) {
    this.plain = plain;
    this.vectors = vectors;
  }

  /**
   * Something that is rehearsed once it is asked for.
   *
   * @param call of a kernel, with arguments that are its own
   */
  Part part(Consumer<Kernels> call) {
    return new Part(call);
  }

  /**
   * From now on so long plain loops, and their compilers, shall have the processors for themselves.
   */
  void beginAfter(Duration headStart) {
    begin = System.nanoTime() + headStart.toNanos();
  }

  /** From now on vectors do everything, compiled or not. */
  void end() {
    ended = true;
  }

  boolean ended() {
    return ended;
  }

  /** What is compiled at once. */
  final class Part {
    private final Consumer<Kernels> call;
    private volatile Kernels kernels; // null until asked for
    private int faster; // times in a row
    private int calls;

    private Part(Consumer<Kernels> call) {
      this.call = call;
    }

    /** Those to call now. */
    Kernels kernels() {
      Kernels now = ended ? vectors : kernels;
      return now != null ? now : want(this);
    }

    /** Returns whether this was the last time. */
    private boolean rehearse() {
      if (calls++ >= EAGER_CALLS) {
        LockSupport.parkNanos(PAUSE_NANOS);
      }
      faster = nanos(vectors) < nanos(plain) ? faster + 1 : 0;
      if (faster < FASTER_ROUNDS) {
        return false;
      }
      kernels = vectors;
      return true;
    }

    private long nanos(Kernels of) {
      long start = System.nanoTime();
      call.accept(of);
      return System.nanoTime() - start;
    }
  }

  private synchronized Kernels want(Part part) {
    if (part.kernels == null) {
      part.kernels = plain;
      missing.add(part);
      if (!running) {
        running = true;
        Thread thread = new Thread(this::run, "quern-rehearsals");
        thread.setDaemon(true);
        thread.start();
      }
    }
    return part.kernels;
  }

  private void run() {
    LockSupport.parkNanos(begin - System.nanoTime());
    for (List<Part> parts = missingParts(); !parts.isEmpty(); parts = missingParts()) {
      for (Part part : parts) {
        if (!ended && part.rehearse()) {
          remove(part);
        }
      }
    }
  }

  private synchronized List<Part> missingParts() {
    if (ended) {
      missing.clear();
    }
    running = !missing.isEmpty();
    return List.copyOf(missing);
  }

  private synchronized void remove(Part part) {
    missing.remove(part);
  }
}
