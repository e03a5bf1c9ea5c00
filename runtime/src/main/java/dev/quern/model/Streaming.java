package dev.quern.model;

import dev.quern.experts.CachePolicyKind;
import dev.quern.experts.ExpertProfile;
import dev.quern.system.IoMode;
import java.util.Optional;

/**
 * How the experts of a pack are read from disk. None of it changes a result.
 *
 * @param budget what experts may take
 * @param policy which of them stay in memory
 * @param profile use recorded earlier: the cache is filled with its hottest experts
 * @param verify whether a record is compared with its checksum when it is first read
 * @param readers that read at the same time; 0 to measure what suits the disk
 * @param prediction by which experts are read before they are needed
 * @param speculate whether predicted experts are computed beside the router, before it has chosen
 * @param watch whether the cache shrinks when the system gets short of memory
 */
public record Streaming(
    Budget budget,
    IoMode io,
    CachePolicyKind policy,
    Optional<ExpertProfile> profile,
    boolean verify,
    int readers,
    Prediction prediction,
    boolean speculate,
    boolean watch) {

  /** What the memory is for. */
  public sealed interface Budget {}

  /**
   * Everything together: weights, KV cache and buffers of one session, the virtual machine.
   *
   * @param context positions of the session
   */
  public record Total(long bytes, int context) implements Budget {}

  /** The records of experts alone. */
  public record Experts(long bytes) implements Budget {}

  /** Who says which experts come next. */
  public enum Prediction {
    /** Nobody: experts are read when they are needed. */
    NONE,
    /** The next layers' own routers, applied to what the present one reads. */
    NEXT_ROUTER,
    /** What {@code train-shadow} has written into the pack. */
    SHADOW,
    /** The pack's shadow if it has one, else the next routers. */
    BEST
  }

  /** Direct reads, the default policy, checksums, predictions, an eye on the system's memory. */
  public static Streaming of(Budget budget) {
    return new Streaming(
        budget,
        IoMode.DIRECT,
        CachePolicyKind.DEFAULT,
        Optional.empty(),
        true,
        0,
        Prediction.BEST,
        false,
        true);
  }
}
