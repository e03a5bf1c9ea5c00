package dev.quern.system;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What this process has had from and sent to disks since it began, page cache hits excluded.
 *
 * <p>Source: Linux, {@code proc_pid_io(5)}.
 */
public record ProcessIo(long readBytes, long writtenBytes) {
  private static final Path SOURCE = Path.of("/proc/self/io");

  /** Empty where the system does not tell. */
  public static Optional<ProcessIo> now() {
    return read(SOURCE);
  }

  static Optional<ProcessIo> read(Path source) {
    long read = -1;
    long written = -1;
    try {
      for (String line : Files.readAllLines(source)) {
        String[] words = line.split(": ");
        switch (words[0]) {
          case "read_bytes" -> read = Long.parseLong(words[1]);
          case "write_bytes" -> written = Long.parseLong(words[1]);
          default -> {}
        }
      }
    } catch (IOException | NumberFormatException | ArrayIndexOutOfBoundsException e) {
      return Optional.empty(); // not Linux, or no right to read it
    }
    return read < 0 || written < 0 ? Optional.empty() : Optional.of(new ProcessIo(read, written));
  }

  /** What came after an earlier reading. */
  public ProcessIo since(ProcessIo earlier) {
    return new ProcessIo(readBytes - earlier.readBytes, writtenBytes - earlier.writtenBytes);
  }
}
