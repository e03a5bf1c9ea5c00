package dev.quern.system;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** Brings pages of mapped files into memory and lets them go. */
public final class MappedPages {
  /** Smaller files are read fast enough, and a short run need not look up system calls. */
  private static final long MIN_HUGE_BYTES = 32 << 20;

  private MappedPages() {}

  /**
   * Asks Linux to read a mapped file in pieces of 2 MiB and to map each as one page. Where its file
   * system can, processors look up addresses so much less that two threads read an eighth faster
   * from memory, one thread a quarter. Pieces that are in memory stay as they are.
   */
  public static void preferHuge(MemorySegment mapped) {
    if (mapped.byteSize() >= MIN_HUGE_BYTES) {
      Posix.calls().ifPresent(calls -> calls.madvise(whole(mapped), Posix.MADV_HUGEPAGE));
    }
  }

  /**
   * Reads the pages of a mapped range in and waits for them.
   *
   * @throws EOFException if the file no longer reaches that far
   * @throws IOException if the disk fails
   */
  public static void populate(MemorySegment mapped) throws IOException {
    Optional<Posix> calls = Posix.calls();
    if (calls.isPresent()) {
      MemorySegment pages = whole(mapped);
      int error = calls.get().madvise(pages, Posix.MADV_POPULATE_READ);
      if (error == 0) {
        return;
      }
      if (error
          != Posix.EINVAL) { // which an older kernel says; EFAULT: no such page of the file, or it
        // cannot be read
        throw new EOFException("its pages cannot be read (error %d)".formatted(error));
      }
    }
    try {
      mapped.load(); // reads a byte of every page
    } catch (InternalError e) { // what becomes of the signal for a page beyond the file's end
      throw (IOException) new EOFException("its pages cannot be read").initCause(e);
    }
  }

  /** Lets the pages of a read-only mapping leave this process; they are read again when touched. */
  public static void drop(MemorySegment mapped) {
    Posix.calls().ifPresent(calls -> calls.madvise(whole(mapped), Posix.MADV_DONTNEED));
  }

  /** Mappings begin and end with pages. */
  private static MemorySegment whole(MemorySegment mapped) {
    long start = mapped.address() / PageMemory.PAGE_BYTES * PageMemory.PAGE_BYTES;
    long end = PageMemory.roundUp(mapped.address() + mapped.byteSize());
    return MemorySegment.ofAddress(start).reinterpret(end - start);
  }
}
