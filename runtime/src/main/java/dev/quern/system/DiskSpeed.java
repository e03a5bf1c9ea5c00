package dev.quern.system;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/**
 * How fast records come from given files, and how many reads at the same time that takes.
 *
 * @param bytesPerSecond the best rate, of all readers together
 * @param readers the least number of readers whose rate is close to the best
 * @param bytesRead by the measurement
 */
public record DiskSpeed(double bytesPerSecond, int readers, long bytesRead) {
  /** At least two: between two reads of one reader the disk has nothing to do. */
  private static final int[] READERS = {2, 4, 8};

  /** More readers must be worth it: they take time from the kernels. */
  private static final double WORTH = 1.1;

  /** Longer reads are no faster. */
  private static final long MAX_READ_BYTES = 4 << 20;

  /** Steps of this fraction of all files hit no place twice and no neighbours soon. */
  private static final double GOLDEN = 0.6180339887498949;

  /** A file, mapped where that is the mode. */
  private record Part(DataFile file, MemorySegment mapped, long bytes) {}

  /**
   * Reads here and there in the files; those in the page cache are as fast as the page cache,
   * unless the mode is {@link IoMode#DIRECT}.
   *
   * @param recordBytes of one read, up to 4 MiB
   * @param maxMillis for all of it, but each number of readers reads at least once
   * @throws IOException if a file cannot be read
   */
  public static DiskSpeed measure(List<Path> files, IoMode mode, long recordBytes, long maxMillis)
      throws IOException {
    if (files.isEmpty() || recordBytes < 1 || maxMillis < 1) {
      throw new IllegalArgumentException(
          "%d files, records of %d bytes, %d ms".formatted(files.size(), recordBytes, maxMillis));
    }
    List<Part> parts = new ArrayList<>();
    long readBytes = PageMemory.roundUp(Math.min(recordBytes, MAX_READ_BYTES));
    try (Arena arena = Arena.ofShared();
        PageMemory memory = PageMemory.reserve(READERS[READERS.length - 1] * readBytes)) {
      try {
        for (Path path : files) {
          parts.add(part(path, mode, arena));
        }
        return new Measurement(parts, mode, readBytes, memory).run(maxMillis);
      } finally {
        parts.forEach(part -> part.file.close());
      }
    }
  }

  private static Part part(Path path, IoMode mode, Arena arena) throws IOException {
    DataFile file = DataFile.open(path, mode);
    try {
      MemorySegment mapped = MemorySegment.NULL;
      if (mode == IoMode.MMAP) {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
          mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, file.bytes(), arena);
        }
      }
      return new Part(file, mapped, file.bytes());
    } catch (Throwable e) {
      file.close();
      throw e;
    }
  }

  /** One run over all numbers of readers. */
  private static final class Measurement {
    private final List<Part> parts;
    private final IoMode mode;
    private final long readBytes;
    private final PageMemory memory;
    private final AtomicInteger places = new AtomicInteger();
    private final AtomicReference<IOException> failure = new AtomicReference<>();

    Measurement(List<Part> parts, IoMode mode, long readBytes, PageMemory memory) {
      this.parts = parts;
      this.mode = mode;
      this.readBytes = readBytes;
      this.memory = memory;
    }

    DiskSpeed run(long maxMillis) throws IOException {
      double best = 0;
      double chosenRate = 0;
      int chosen = READERS[0];
      long all = 0;
      for (int readers : READERS) {
        long start = System.nanoTime();
        long bytes = read(readers, start + maxMillis * 1_000_000 / READERS.length);
        double rate = bytes * 1e9 / Math.max(1, System.nanoTime() - start);
        all += bytes;
        best = Math.max(best, rate);
        if (chosenRate == 0 || rate > WORTH * chosenRate) {
          chosen = readers;
          chosenRate = rate;
        }
      }
      return new DiskSpeed(best, chosen, all);
    }

    /**
     * @return bytes that these readers have read until the deadline
     */
    private long read(int readers, long deadline) throws IOException {
      AtomicLong bytes = new AtomicLong();
      List<Thread> threads = new ArrayList<>();
      for (int i = 0; i < readers; i++) {
        MemorySegment into = memory.segment().asSlice(i * readBytes, readBytes);
        threads.add(Thread.ofPlatform().daemon().start(() -> readUntil(deadline, into, bytes)));
      }
      Threads.join(threads);
      if (failure.get() != null) {
        throw failure.get();
      }
      return bytes.get();
    }

    private void readUntil(long deadline, MemorySegment into, AtomicLong bytes) {
      try {
        do {
          bytes.addAndGet(readOne(into));
        } while (System.nanoTime() < deadline);
      } catch (IOException e) {
        failure.compareAndSet(null, e);
      }
    }

    private long readOne(MemorySegment into) throws IOException {
      long total = parts.stream().mapToLong(Part::bytes).sum();
      double fraction = (places.incrementAndGet() * GOLDEN) % 1;
      long at = (long) (fraction * total);
      int index = 0;
      while (index < parts.size() - 1 && at >= parts.get(index).bytes) {
        at -= parts.get(index++).bytes;
      }
      Part part = parts.get(index);
      long last = Math.max(0, part.bytes - readBytes);
      long position = Math.min(at, last) / PageMemory.PAGE_BYTES * PageMemory.PAGE_BYTES;
      if (mode != IoMode.MMAP) {
        return part.file.read(into, position);
      }
      MemorySegment pages =
          part.mapped.asSlice(position, Math.min(readBytes, part.bytes - position));
      MappedPages.populate(pages);
      MappedPages.drop(pages);
      return pages.byteSize();
    }
  }
}
