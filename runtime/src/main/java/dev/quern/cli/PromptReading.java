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
   * @param text of the model that reads the prompt
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

  @Override
  public void close() {
    try {
      get().text().close();
    } catch (IOException | RuntimeException e) {
      // told by get, unless opening the model failed before
    }
  }
}
