package dev.quern.bench.peers;

import java.nio.file.Path;
import java.util.List;

/**
 * What is started for every repetition.
 *
 * @param name that tables show
 * @param command of a process, before the options of llama-bench
 * @param warmsUp whether it repeats a test until it gets no faster, before it measures
 */
public record PeerProgram(String name, List<String> command, boolean warmsUp) {
  public PeerProgram {
    command = List.copyOf(command);
  }

  /** A llama-bench, which warms up by a token or a prompt. */
  public static PeerProgram llamaBench(String name, Path program) {
    return new PeerProgram(name, List.of(program.toString()), false);
  }
}
