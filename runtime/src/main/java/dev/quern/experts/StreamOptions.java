package dev.quern.experts;

import dev.quern.system.IoMode;
import java.util.Objects;
import java.util.function.Function;

/**
 * How experts are streamed.
 *
 * @param budgetBytes for the records in memory, page-rounded; never exceeded
 * @param io how records are read
 * @param policy which experts stay
 * @param verify whether a record is compared with its checksum when it is read for the first time
 * @param readers threads that read at the same time, up to 64; 0: as many as a measurement at the
 *     start finds best
 */
public record StreamOptions(
    long budgetBytes,
    IoMode io,
    Function<CacheShape, CachePolicy> policy,
    boolean verify,
    int readers) {
  public static final int MAX_READERS = 64;

  public StreamOptions {
    Objects.requireNonNull(io);
    Objects.requireNonNull(policy);
    if (budgetBytes < 1) {
      throw new IllegalArgumentException("budget: expected at least 1 byte, found " + budgetBytes);
    }
    if (readers < 0 || readers > MAX_READERS) {
      throw new IllegalArgumentException(
          "readers: expected 0 to %d, found %d".formatted(MAX_READERS, readers));
    }
  }
}
