package dev.quern.experts;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** The cache policies, by the names of {@code --cache}. */
public enum CachePolicyKind {
  /** {@link LruPolicy}. */
  LRU("lru"),
  /** {@link LfuPolicy}. */
  LFU("lfu");

  /** What is used unless another is asked for. */
  public static final CachePolicyKind DEFAULT = LRU;

  private final String label;

  CachePolicyKind(String label) {
    this.label = label;
  }

  /** As in {@code --cache}. */
  public String label() {
    return label;
  }

  /** All labels, for help texts: {@code lru, lfu, …}. */
  public static String labels() {
    return Arrays.stream(values()).map(CachePolicyKind::label).collect(Collectors.joining(", "));
  }

  /**
   * @throws IllegalArgumentException if no policy has that label
   */
  public static CachePolicyKind ofLabel(String label) {
    return Arrays.stream(values())
        .filter(kind -> kind.label.equals(label))
        .findFirst()
        .orElseThrow(
            () -> new IllegalArgumentException("no cache policy '" + label + "': " + labels()));
  }

  /**
   * A new policy for an empty cache.
   *
   * @param profile earlier use of the same model's experts
   * @throws IllegalArgumentException if the profile is of another shape
   */
  public CachePolicy create(CacheShape shape, Optional<ExpertProfile> profile) {
    profile.ifPresent(known -> known.check(shape));
    return switch (this) {
      case LRU -> new LruPolicy(shape);
      case LFU -> new LfuPolicy(shape);
    };
  }

  @Override
  public String toString() {
    return label;
  }
}
