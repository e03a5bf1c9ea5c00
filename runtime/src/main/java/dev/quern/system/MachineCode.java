package dev.quern.system;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/** Instructions that Java has no words for. */
public final class MachineCode {
  private MachineCode() {}

  /**
   * Puts a function where it can be called. It stays there as long as the process lives.
   *
   * @param code of this machine's processor
   * @return where it begins; empty on systems other than Linux, where native access is denied, and
   *     where the system lets no memory be executable that was written
   */
  public static Optional<MemorySegment> load(byte[] code) {
    return Posix.calls().flatMap(calls -> load(calls, code));
  }

  private static Optional<MemorySegment> load(Posix calls, byte[] code) {
    long bytes = PageMemory.roundUp(code.length);
    return calls
        .reserve(bytes)
        .map(start -> start.reinterpret(bytes))
        .flatMap(pages -> {
          MemorySegment.copy(code, 0, pages, ValueLayout.JAVA_BYTE, 0, code.length);
          if (calls.makeExecutable(pages)) {
            return Optional.of(pages);
          }
          calls.unmap(pages, bytes);
          return Optional.empty();
        });
  }
}
