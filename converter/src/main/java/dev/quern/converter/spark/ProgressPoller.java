package dev.quern.converter.spark;

import dev.quern.converter.work.ProgressListener;
import dev.quern.converter.work.ProgressListener.Phase;
import org.apache.spark.util.LongAccumulator;

/** Tells a listener how far an accumulator is, until closed. */
final class ProgressPoller implements AutoCloseable {
  private static final long POLL_MILLIS = 200;

  private final ProgressListener listener;
  private final Phase phase;
  private final LongAccumulator done;
  private final long total;
  private final Thread thread;

  private ProgressPoller(ProgressListener listener, Phase phase, LongAccumulator done, long total) {
    this.listener = listener;
    this.phase = phase;
    this.done = done;
    this.total = total;
    this.thread = Thread.ofPlatform().daemon().name("quern-progress").unstarted(this::poll);
  }

  static ProgressPoller start(
      ProgressListener listener, Phase phase, LongAccumulator done, long total) {
    ProgressPoller poller = new ProgressPoller(listener, phase, done, total);
    poller.thread.start();
    return poller;
  }

  private void poll() {
    try {
      while (true) {
        // A task that is run twice counts twice.
        listener.progress(phase, Math.min(done.value(), total), total);
        Thread.sleep(POLL_MILLIS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  void finish() {
    close();
    listener.progress(phase, total, total);
  }

  @Override
  public void close() {
    thread.interrupt();
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
