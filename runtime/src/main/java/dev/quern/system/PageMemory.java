package dev.quern.system;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * Address space off the Java heap, aligned to pages. A page takes memory from when it is first
 * written until it is given back with {@link #release}.
 *
 * <p>On systems other than Linux, and where native access is denied, it is an ordinary allocation:
 * all of it takes memory from the beginning, and {@link #release} does nothing.
 */
public final class PageMemory implements AutoCloseable {
  /** Unit in which memory is taken and given back, and the alignment: at least 4096. */
  public static final int PAGE_BYTES =
      Math.max(4096, Posix.calls().map(Posix::pageBytes).orElse(0));

  private final Arena arena = Arena.ofShared();
  private final MemorySegment segment;
  private final boolean releases;

  private PageMemory(long bytes) {
    Optional<MemorySegment> reserved = Posix.calls().flatMap(calls -> calls.reserve(bytes));
    releases = reserved.isPresent();
    if (releases) {
      Posix calls = Posix.calls().orElseThrow();
      segment = reserved.get().reinterpret(bytes, arena, start -> calls.unmap(start, bytes));
      // A huge page would take memory around the bytes that are written.
      calls.madvise(segment, Posix.MADV_NOHUGEPAGE);
    } else {
      segment = arena.allocate(bytes, PAGE_BYTES);
    }
  }

  /**
   * @param bytes rounded up to pages, at least 1
   */
  public static PageMemory reserve(long bytes) {
    if (bytes < 1) {
      throw new IllegalArgumentException("bytes: expected at least 1, found " + bytes);
    }
    return new PageMemory(roundUp(bytes));
  }

  /** The least number of whole pages, in bytes, that holds that many bytes. */
  public static long roundUp(long bytes) {
    return Math.multiplyExact(Math.ceilDiv(bytes, PAGE_BYTES), (long) PAGE_BYTES);
  }

  /** All of it; valid until {@link #close}. */
  public MemorySegment segment() {
    return segment;
  }

  /** Whether {@link #release} gives memory back. */
  public boolean releases() {
    return releases;
  }

  /**
   * Gives pages back; what they held is lost.
   *
   * @param offset a multiple of {@link #PAGE_BYTES}
   * @param length likewise
   */
  public void release(long offset, long length) {
    if (offset % PAGE_BYTES != 0 || length % PAGE_BYTES != 0) {
      throw new IllegalArgumentException("not whole pages: %d + %d".formatted(offset, length));
    }
    if (releases) {
      Posix calls = Posix.calls().orElseThrow();
      int error = calls.madvise(segment.asSlice(offset, length), Posix.MADV_DONTNEED);
      if (error != 0) {
        throw new IllegalStateException("memory was not given back: error " + error);
      }
    }
  }

  /** Gives everything back; the segment becomes invalid. */
  @Override
  public void close() {
    arena.close();
  }
}
