package dev.quern.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Resident memory of this process. Weights are mapped files, which the system may drop at any time:
 * what the process itself needs is the anonymous part.
 *
 * @param anonymousBytes heap, KV cache, buffers, code
 * @param fileBytes mapped files
 */
public record MemoryUse(long anonymousBytes, long fileBytes) {
  private static final Path SOURCE = Path.of("/proc/self/smaps_rollup");

  /** Empty where the system does not tell. */
  public static Optional<MemoryUse> now() {
    try {
      long anonymous = -1;
      long file = -1;
      for (String line : Files.readAllLines(SOURCE)) {
        String[] words = line.split("\\s+");
        switch (words[0]) {
          case "Pss_Anon:" -> anonymous = Long.parseLong(words[1]) * 1024;
          case "Pss_File:" -> file = Long.parseLong(words[1]) * 1024;
          default -> {}
        }
      }
      return anonymous < 0 || file < 0
          ? Optional.empty()
          : Optional.of(new MemoryUse(anonymous, file));
    } catch (IOException | NumberFormatException e) {
      return Optional.empty(); // not Linux, or no right to read it
    }
  }
}
