package dev.quern.system;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;

/**
 * The few calls of Linux on memory and files that Java does not offer. Constants are those of
 * {@code <sys/mman.h>} and {@code <fcntl.h>}, equal on x86-64 and AArch64.
 */
final class Posix {
  static final int MADV_DONTNEED = 4;
  static final int MADV_HUGEPAGE = 14;
  static final int MADV_NOHUGEPAGE = 15;

  /** Since Linux 5.14: reads the pages in, and fails instead of raising a signal. */
  static final int MADV_POPULATE_READ = 22;

  static final int EINVAL = 22;

  private static final int POSIX_FADV_DONTNEED = 4;
  private static final int PROT_READ_WRITE = 1 | 2;
  private static final int PROT_READ_EXECUTE = 1 | 4;
  private static final int MAP_PRIVATE = 0x2;
  private static final int MAP_ANONYMOUS = 0x20;
  private static final int MAP_NORESERVE = 0x4000;
  private static final long MAP_FAILED = -1;
  private static final int O_RDONLY = 0;
  private static final int O_CLOEXEC = 0x80000;

  private static final Optional<Posix> CALLS = find();

  private final StructLayout stateLayout = Linker.Option.captureStateLayout();
  private final VarHandle errno =
      stateLayout.varHandle(MemoryLayout.PathElement.groupElement("errno"));
  private final MethodHandle mmap;
  private final MethodHandle munmap;
  private final MethodHandle mprotect;
  private final MethodHandle madvise;
  private final MethodHandle fadvise;
  private final MethodHandle open;
  private final MethodHandle close;
  private final int pageBytes;

  private Posix() {
    ValueLayout.OfInt i = ValueLayout.JAVA_INT;
    ValueLayout.OfLong l = ValueLayout.JAVA_LONG;
    var p = ValueLayout.ADDRESS;
    Linker.Option state = Linker.Option.captureCallState("errno");
    mmap = handle("mmap", FunctionDescriptor.of(p, p, l, i, i, i, l));
    munmap = handle("munmap", FunctionDescriptor.of(i, p, l));
    mprotect = handle("mprotect", FunctionDescriptor.of(i, p, l, i));
    madvise = handle("madvise", FunctionDescriptor.of(i, p, l, i), state);
    fadvise = handle("posix_fadvise", FunctionDescriptor.of(i, i, l, l, i));
    open = handle("open", FunctionDescriptor.of(i, p, i), Linker.Option.firstVariadicArg(2));
    close = handle("close", FunctionDescriptor.of(i, i));
    try {
      pageBytes = (int) handle("getpagesize", FunctionDescriptor.of(i)).invokeExact();
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** Empty on other systems, and where native access is denied. */
  static Optional<Posix> calls() {
    return CALLS;
  }

  private static Optional<Posix> find() {
    if (!System.getProperty("os.name").toLowerCase(Locale.ROOT).startsWith("linux")) {
      return Optional.empty();
    }
    try {
      return Optional.of(new Posix());
    } catch (IllegalCallerException | UnsupportedOperationException e) {
      return Optional.empty();
    }
  }

  private static MethodHandle handle(
      String name, FunctionDescriptor descriptor, Linker.Option... options) {
    Linker linker = Linker.nativeLinker();
    SymbolLookup lookup = linker.defaultLookup();
    MemorySegment symbol =
        lookup.find(name).orElseThrow(() -> new UnsupportedOperationException("no " + name));
    return linker.downcallHandle(symbol, descriptor, options);
  }

  int pageBytes() {
    return pageBytes;
  }

  /** Private anonymous memory, of which pages exist once they are written; empty if refused. */
  Optional<MemorySegment> reserve(long bytes) {
    try {
      MemorySegment start =
          (MemorySegment)
              mmap.invokeExact(
                  MemorySegment.NULL,
                  bytes,
                  PROT_READ_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                  -1,
                  0L);
      return start.address() == MAP_FAILED ? Optional.empty() : Optional.of(start);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  void unmap(MemorySegment start, long bytes) {
    try {
      int _ = (int) munmap.invokeExact(start, bytes);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** From writable to executable; false if refused. */
  boolean makeExecutable(MemorySegment pages) {
    try {
      return 0 == (int) mprotect.invokeExact(pages, pages.byteSize(), PROT_READ_EXECUTE);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /**
   * @return 0, or the error number
   */
  int madvise(MemorySegment pages, int advice) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(stateLayout);
      int result = (int) madvise.invokeExact(state, pages, pages.byteSize(), advice);
      return result == 0 ? 0 : (int) errno.get(state, 0L);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /**
   * @return a file descriptor, or −1
   */
  int open(String path) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocateFrom(path, StandardCharsets.UTF_8);
      return (int) open.invokeExact(name, O_RDONLY | O_CLOEXEC);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  void close(int descriptor) {
    try {
      int _ = (int) close.invokeExact(descriptor);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** The page cache may forget these bytes of a file, where no process has them mapped. */
  void forget(int descriptor, long offset, long length) {
    try {
      int _ = (int) fadvise.invokeExact(descriptor, offset, length, POSIX_FADV_DONTNEED);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  private static IllegalStateException unexpected(Throwable e) {
    return new IllegalStateException("a call into the system library failed", e);
  }
}
