package dev.quern.bench.streaming;

import dev.quern.bench.report.Machine;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * What was measured, as it is written to {@code streaming.json}.
 *
 * @param bitsPerWeight of the experts, everything stored counted
 * @param expertBytes all experts in memory
 * @param recordBytes one of them
 * @param experts of all layers
 * @param writtenBytes by this process to the device while it generated; empty if unknown
 */
public record StreamingResults(
    String command,
    String commit,
    Machine machine,
    String pack,
    double bitsPerWeight,
    long expertBytes,
    long recordBytes,
    int experts,
    Reading reading,
    List<Decoding> decoding,
    List<Memory> memory,
    List<Warming> warming,
    List<Prefilling> prefilling,
    Optional<Long> writtenBytes) {

  /**
   * Reads alone, in turns.
   *
   * @param plainBytesPerSecond of a reader that does nothing else, at its best number of readers
   * @param storeBytesPerSecond of the expert store, every record of the pack missing
   * @param ratios of the turns, sorted
   */
  public record Reading(
      double plainBytesPerSecond,
      double storeBytesPerSecond,
      List<Double> ratios,
      int readers,
      OptionalDouble deviceShare) {}

  /**
   * Decoding in one way with some share of the experts in memory.
   *
   * @param way such as {@code naive} or {@code forward, shadow}
   * @param share of the experts in memory; 0 if nothing is kept
   * @param timesNaive as fast as reading each expert when it is used, one after the other, and
   *     keeping nothing: the median of turns
   * @param timesParallel the same against several readers that keep nothing
   * @param predictedTokensPerSecond by {@code quern plan}; 0 if not predicted
   * @param deviceBytes that the kernel read from the device for this process
   */
  public record Decoding(
      String way,
      double share,
      double tokensPerSecond,
      double timesNaive,
      double timesParallel,
      double hitRate,
      double stallMillisPerToken,
      double readsPerToken,
      double bytesPerToken,
      Optional<Long> deviceBytes,
      long storeBytes,
      long prefetchReads,
      long prefetchUseful,
      long prefetchLate,
      long prefetchWasted,
      double predictedTokensPerSecond) {
    Decoding predicted(double tokensPerSecond) {
      return new Decoding(
          way,
          share,
          this.tokensPerSecond,
          timesNaive,
          timesParallel,
          hitRate,
          stallMillisPerToken,
          readsPerToken,
          bytesPerToken,
          deviceBytes,
          storeBytes,
          prefetchReads,
          prefetchUseful,
          prefetchLate,
          prefetchWasted,
          tokensPerSecond);
    }
  }

  /**
   * Memory of a run of {@code quern generate} in a process of its own.
   *
   * @param predictedBytes by {@code quern plan}
   * @param measuredBytes resident at its end, mapped files included
   */
  public record Memory(double share, long predictedBytes, long measuredBytes) {}

  /** Hits of windows of tokens from a start on. */
  public record Warming(String way, double share, int windowTokens, List<Double> hitRates) {}

  /**
   * Reading a prompt.
   *
   * @param usedBytes of the experts that any of its tokens uses, each once
   */
  public record Prefilling(
      String way, int tokens, double seconds, long bytesRead, long usedBytes, double share) {}
}
