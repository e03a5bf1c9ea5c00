package dev.quern.converter.work;

/**
 * Told how far a conversion or another long work is; called from a thread of its own, a few times a
 * second at most.
 */
@FunctionalInterface
public interface ProgressListener {
  /** Hears and says nothing. */
  ProgressListener SILENT = (phase, doneBytes, totalBytes) -> {};

  /** The parts of long work. */
  enum Phase {
    /** Bytes of the source. */
    QUANTIZING,
    /** Bytes of the pack. */
    WRITING,
    /** Bytes of a trace's rows. */
    COLLECTING
  }

  /**
   * @param doneBytes in this phase and run; what an earlier run left is not counted
   */
  void progress(Phase phase, long doneBytes, long totalBytes);
}
