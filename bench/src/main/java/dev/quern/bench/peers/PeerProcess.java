package dev.quern.bench.peers;

import dev.quern.format.FormatException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Runs somebody else's program to its end. */
final class PeerProcess {
  private static final int MAX_OUTPUT_BYTES = 16 << 20;
  private static final int TAIL_CHARACTERS = 300;
  private static final long GRACE_MILLIS = 10_000;

  private final String name;
  private final Duration limit;

  /**
   * @param name of the peer, for messages
   * @param limit after which the program is ended
   */
  PeerProcess(String name, Duration limit) {
    this.name = name;
    this.limit = limit;
  }

  /**
   * @return what it wrote to its standard output
   * @throws FormatException if it cannot be started, fails, does not end, or writes without end
   */
  String run(List<String> command) throws IOException {
    Process process;
    try {
      process = new ProcessBuilder(command).redirectInput(ProcessBuilder.Redirect.PIPE).start();
    } catch (IOException e) {
      throw new FormatException("%s: cannot be started: %s".formatted(name, e.getMessage()), e);
    }
    try {
      process.getOutputStream().close(); // it shall not wait for input
      CompletableFuture<String> errors = reading(process.getErrorStream());
      CompletableFuture<String> output = reading(process.getInputStream());
      if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
        throw new FormatException(
            "%s: %s has not ended after %d s. Choose a longer --peer-timeout or a smaller test"
                .formatted(name, program(command), limit.toSeconds()));
      }
      if (process.exitValue() != 0) {
        throw new FormatException(
            "%s: %s ended with status %d: %s"
                .formatted(
                    name,
                    program(command),
                    process.exitValue(),
                    tail(errors.join(), output.join())));
      }
      return output.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw (InterruptedIOException)
          new InterruptedIOException(name + ": interrupted").initCause(e);
    } finally {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly();
    }
  }

  private static Path program(List<String> command) {
    return Path.of(command.getFirst()).getFileName();
  }

  /** The first bytes of a stream, read to its end so that its writer never waits. */
  private CompletableFuture<String> reading(InputStream stream) {
    CompletableFuture<String> text = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(() -> {
          try (stream) {
            byte[] first = stream.readNBytes(MAX_OUTPUT_BYTES);
            stream.skip(Long.MAX_VALUE);
            text.complete(new String(first, StandardCharsets.UTF_8));
          } catch (IOException e) { // closed, because the process was ended
            text.complete("");
          }
        });
    // A child of the program may have inherited the pipe and outlive it.
    return text.completeOnTimeout("", limit.toMillis() + GRACE_MILLIS, TimeUnit.MILLISECONDS);
  }

  /** The last of what was said, in one line. */
  private static String tail(String errors, String output) {
    String said = errors.isBlank() ? output : errors;
    String line = said.strip().replaceAll("\\s*\\R\\s*", " | ").replaceAll("\\p{Cntrl}", "?");
    if (line.isEmpty()) {
      return "it said nothing";
    }
    int from = Math.max(0, line.length() - TAIL_CHARACTERS);
    return (from > 0 ? "… " : "") + line.substring(from);
  }
}
