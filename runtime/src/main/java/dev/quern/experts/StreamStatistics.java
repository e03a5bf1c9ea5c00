package dev.quern.experts;

/**
 * What a store has done since it was opened.
 *
 * @param visits visits of a layer, by a token or a batch
 * @param hits experts in memory when a visit announced them
 * @param misses the others
 * @param reads records read, of misses and ahead
 * @param bytesRead from the file, with the padding to pages
 * @param prefetchReads records read ahead
 * @param prefetchUseful of them, in memory when announced
 * @param prefetchLate of them, still being read when announced: counted as misses
 * @param prefetchWasted of them, evicted before anyone used them
 * @param prefetchUnused of them, in memory and not used so far
 * @param prefetchCancelled predictions given up before they were read
 * @param stallNanos that the model's thread has waited for records, by wall clock
 * @param residentExperts in memory now
 * @param bytesInUse by slots now
 * @param budgetBytes that they may use now
 */
public record StreamStatistics(
    long visits,
    long hits,
    long misses,
    long reads,
    long bytesRead,
    long prefetchReads,
    long prefetchUseful,
    long prefetchLate,
    long prefetchWasted,
    long prefetchUnused,
    long prefetchCancelled,
    long stallNanos,
    int residentExperts,
    long bytesInUse,
    long budgetBytes) {

  /** Of announced experts, those that were in memory; 1 if none were announced. */
  public double hitRate() {
    return hits + misses == 0 ? 1 : (double) hits / (hits + misses);
  }

  /** What was done after an earlier look; what is in memory is as it is now. */
  public StreamStatistics since(StreamStatistics earlier) {
    return new StreamStatistics(
        visits - earlier.visits,
        hits - earlier.hits,
        misses - earlier.misses,
        reads - earlier.reads,
        bytesRead - earlier.bytesRead,
        prefetchReads - earlier.prefetchReads,
        prefetchUseful - earlier.prefetchUseful,
        prefetchLate - earlier.prefetchLate,
        prefetchWasted - earlier.prefetchWasted,
        prefetchUnused,
        prefetchCancelled - earlier.prefetchCancelled,
        stallNanos - earlier.stallNanos,
        residentExperts,
        bytesInUse,
        budgetBytes);
  }
}
