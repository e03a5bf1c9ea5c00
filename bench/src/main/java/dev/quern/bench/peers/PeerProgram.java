package dev.quern.bench.peers;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
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

  /** Whether a path is an executable file, or a plain name that of one in a folder of PATH. */
  public static boolean canBeStarted(Path program) {
    if (program.isAbsolute() || program.getNameCount() > 1) {
      return isExecutable(program);
    }
    String folders = System.getenv().getOrDefault("PATH", "");
    return Arrays.stream(folders.split(File.pathSeparator))
        .anyMatch(folder -> isExecutable(Path.of(folder).resolve(program)));
  }

  private static boolean isExecutable(Path file) {
    return Files.isRegularFile(file) && Files.isExecutable(file);
  }

  /** A llama-bench, which warms up by a token or a prompt. */
  public static PeerProgram llamaBench(String name, Path program) {
    return new PeerProgram(name, List.of(program.toString()), false);
  }
}
