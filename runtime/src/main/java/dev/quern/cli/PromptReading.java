package dev.quern.cli;

import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/**
 * A prompt that another thread turns into tokens while this one opens the model: with a tokenizer
 * to open, that takes as long.
 */
final class PromptReading implements AutoCloseable {
  private final FutureTask<Prompt> task;

  /**
   * What was read.
   *
   * @param text of the model that reads the prompt; closed with the reading
   */
  record Prompt(ModelText text, int[] ids) {}

  /** Begins to read. */
  PromptReading(Callable<Prompt> read) {
    task = new FutureTask<>(read);
    Thread thread = new Thread(task, "quern-prompt");
    thread.setDaemon(true);
    thread.start();
  }

  /**
   * Waits for it.
   *
   * @throws IOException as the reading did; so are runtime exceptions
   */
  Prompt get() throws IOException {
    try {
      return task.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while the prompt was read", e);
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case IOException io -> throw io;
        case RuntimeException runtime -> throw runtime;
        case Error error -> throw error;
        default -> throw new IOException(e.getCause());
      }
    }
  }

  /** Waits, too; says nothing of a reading that failed. */
  @Override
  public void close() {
    try {
      task.get().text().close();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException e) {
      // nothing is open
    }
  }
}
