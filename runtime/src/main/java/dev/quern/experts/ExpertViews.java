package dev.quern.experts;

import dev.quern.experts.ExpertStore.Expert;
import java.lang.foreign.MemorySegment;

/**
 * Makes the matrices of an expert from its record's bytes. Called once per read, by one thread at a
 * time; it must be quick and read none of the bytes.
 */
@FunctionalInterface
public interface ExpertViews {

  /**
   * @param record the bytes of one expert, in memory as in the file, padding excluded; valid until
   *     the expert is evicted
   */
  Expert of(int layer, int expert, MemorySegment record);
}
