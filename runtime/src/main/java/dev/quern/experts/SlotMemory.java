package dev.quern.experts;

import dev.quern.system.PageMemory;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Slots for records under one budget. Slots of one size lie in an address range of their own, so
 * memory is never fragmented: a slot that is not needed keeps its pages for the next record of its
 * size, until the bytes are wanted for another size or the budget shrinks. Not for several threads.
 */
final class SlotMemory implements AutoCloseable {
  private final Range[] ranges;
  private long limit;
  private long inUse; // bytes of all slots that have pages, taken or not

  /** The slots of one size. */
  private static final class Range {
    private final long slotBytes;
    private final PageMemory memory; // null where records are used in the mapped file
    private final int[] backed; // free slots that have pages
    private final int[] bare; // free slots that have none
    private int backedCount;
    private int bareCount;

    Range(long slotBytes, int slots, boolean inPlace) {
      this.slotBytes = slotBytes;
      memory = inPlace ? null : PageMemory.reserve(Math.multiplyExact(slotBytes, (long) slots));
      backed = new int[slots];
      bare = new int[slots];
      bareCount = slots;
      Arrays.setAll(bare, i -> slots - 1 - i);
    }
  }

  /**
   * @param slotBytes of each size, whole pages
   * @param most slots of each size that can be wanted
   * @param budget bytes, at least the largest slot
   * @param inPlace counts only, as the records' memory is that of mapped files
   */
  SlotMemory(long[] slotBytes, int[] most, long budget, boolean inPlace) {
    limit = budget;
    ranges = new Range[slotBytes.length];
    try {
      for (int size = 0; size < slotBytes.length; size++) {
        int slots = (int) Math.min(most[size], budget / slotBytes[size]);
        ranges[size] = new Range(slotBytes[size], slots, inPlace);
      }
    } catch (Throwable e) {
      close();
      throw e;
    }
  }

  long inUse() {
    return inUse;
  }

  long limit() {
    return limit;
  }

  /** Slots of one size that the whole budget holds. */
  int capacity(int size) {
    return (int) Math.min(ranges[size].backed.length, limit / ranges[size].slotBytes);
  }

  /** From now on; what is above it leaves with {@link #trim}. */
  void limit(long bytes) {
    limit = bytes;
  }

  /**
   * @return a slot, or −1 if all bytes are in use by slots that are taken
   */
  int take(int size) {
    Range range = ranges[size];
    if (inUse <= limit && range.backedCount > 0) {
      return range.backed[--range.backedCount];
    }
    trimTo(limit - range.slotBytes);
    if (range.bareCount == 0 || inUse + range.slotBytes > limit) {
      return -1;
    }
    inUse += range.slotBytes;
    return range.bare[--range.bareCount];
  }

  /** The record in it is no longer needed. */
  void give(int size, int slot) {
    Range range = ranges[size];
    if (range.memory == null) {
      bare(range, slot);
    } else {
      range.backed[range.backedCount++] = slot;
    }
  }

  /** Gives free slots' pages back to the system while more is in use than allowed. */
  void trim() {
    trimTo(limit);
  }

  private void trimTo(long bytes) {
    for (Range range : ranges) {
      while (inUse > bytes && range.backedCount > 0) {
        int slot = range.backed[--range.backedCount];
        range.memory.release(slot * range.slotBytes, range.slotBytes);
        bare(range, slot);
      }
    }
  }

  private void bare(Range range, int slot) {
    inUse -= range.slotBytes;
    range.bare[range.bareCount++] = slot;
  }

  /** The bytes of a slot; of none where records are used in the mapped file. */
  MemorySegment segment(int size, int slot) {
    Range range = ranges[size];
    return range.memory == null
        ? MemorySegment.NULL
        : range.memory.segment().asSlice(slot * range.slotBytes, range.slotBytes);
  }

  @Override
  public void close() {
    for (Range range : ranges) {
      if (range != null && range.memory != null) {
        range.memory.close();
      }
    }
  }
}
