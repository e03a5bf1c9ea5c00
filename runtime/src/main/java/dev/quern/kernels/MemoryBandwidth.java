package dev.quern.kernels;

import static jdk.incubator.vector.VectorOperators.XOR;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.stream.LongStream;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorSpecies;

/** How fast this machine reads memory: what a decode that only moved weights would be bound by. */
public final class MemoryBandwidth {
  private static final VectorSpecies<Long> LONGS = LongVector.SPECIES_PREFERRED;

  /** Far beyond any last-level cache share of a core, and quick to read. */
  private static final long SEGMENT_BYTES = 256L << 20;

  private static final int PIECE_BYTES = 1 << 20;
  private static final int PASSES = 12;

  private MemoryBandwidth() {}

  /**
   * Reads 256 MiB of native memory several times and returns the best rate.
   *
   * @param threads at least 1
   * @return GB/s, 10^9 bytes per second, of all threads together
   */
  public static double measure(int threads) {
    try (Arena arena = Arena.ofShared();
        Workers workers = Workers.create(threads)) {
      MemorySegment data = arena.allocate(SEGMENT_BYTES, TileLayout.ALIGNMENT);
      data.fill((byte) 1); // pages that were never written would all be the same zero page
      long[] parity = new long[Math.toIntExact(SEGMENT_BYTES / PIECE_BYTES)];
      long bestNanos = Long.MAX_VALUE;
      for (int pass = 0; pass < PASSES; pass++) {
        long start = System.nanoTime();
        workers.run(
            parity.length,
            (piece, thread) -> parity[piece] |= read(data, (long) piece * PIECE_BYTES));
        bestNanos = Math.min(bestNanos, System.nanoTime() - start);
      }
      // The result is used, so no read can be left out.
      if (LongStream.of(parity).anyMatch(bits -> bits != 0)) {
        throw new IllegalStateException("memory does not hold what was written");
      }
      return (double) SEGMENT_BYTES / bestNanos;
    }
  }

  /** XOR of all longs of a piece: 0, as all are equal. */
  private static long read(MemorySegment data, long from) {
    LongVector a = LongVector.zero(LONGS);
    LongVector b = a;
    LongVector c = a;
    LongVector d = a;
    int step = LONGS.vectorByteSize();
    for (int i = 0; i < PIECE_BYTES; i += 4 * step) {
      a = a.lanewise(XOR, longs(data, from + i));
      b = b.lanewise(XOR, longs(data, from + i + step));
      c = c.lanewise(XOR, longs(data, from + i + 2 * step));
      d = d.lanewise(XOR, longs(data, from + i + 3 * step));
    }
    return a.lanewise(XOR, b).lanewise(XOR, c.lanewise(XOR, d)).reduceLanes(XOR);
  }

  private static LongVector longs(MemorySegment data, long offset) {
    return LongVector.fromMemorySegment(LONGS, data, offset, ByteOrder.LITTLE_ENDIAN);
  }
}
