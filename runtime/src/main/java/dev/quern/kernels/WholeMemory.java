package dev.quern.kernels;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Vectors at addresses, for loops that are bound by instructions. Of a constant segment the
 * compiler knows that masked addresses lie within: nothing is checked, where checks of bounds and
 * of the kind of a segment are a third to a half of such a loop's time. What is read or written
 * must have been checked before the loop, and its owner must outlive it.
 */
final class WholeMemory {
  static final MemorySegment MEMORY = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

  /** What an address is masked with. */
  static final long ADDRESSES = (1L << 56) - 1;

  private static final VectorSpecies<Byte> BYTES = Lanes.INTS.withLanes(byte.class);
  private static final VectorSpecies<Short> SHORTS = Lanes.INTS.withLanes(short.class);

  private WholeMemory() {}

  static ByteVector bytes(long address) {
    return ByteVector.fromMemorySegment(
        BYTES, MEMORY, address & ADDRESSES, ByteOrder.LITTLE_ENDIAN);
  }

  static IntVector ints(long address) {
    return IntVector.fromMemorySegment(
        Lanes.INTS, MEMORY, address & ADDRESSES, ByteOrder.LITTLE_ENDIAN);
  }

  static ShortVector shorts(long address) {
    return ShortVector.fromMemorySegment(
        SHORTS, MEMORY, address & ADDRESSES, ByteOrder.LITTLE_ENDIAN);
  }
}
