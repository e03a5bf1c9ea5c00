package dev.quern.experts;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** The cache policies, by the names of {@code --cache}. */
public enum CachePolicyKind {
  /** {@link LruPolicy}. */
  LRU("lru"),
  /** {@link LfuPolicy}. */
  LFU("lfu"),
  /** {@link LcpPolicy}. */
  LCP("lcp"),
  /** {@link LeastStalePolicy}. */
  LEAST_STALE("least-stale"),
  /** {@link ArcPolicy}. */
  ARC("arc"),
  /** {@link TinyLfuPolicy}. */
  TINYLFU("tinylfu"),
  /** {@link ForwardPolicy}. */
  FORWARD("forward"),
  /** {@link StaticPolicy}; needs a profile. */
  STATIC("static");

  /** What is used unless another is asked for. */
  public static final CachePolicyKind DEFAULT = FORWARD;

  private final String label;

  CachePolicyKind(String label) {
    this.label = label;
  }

  /** Whether {@link #create} needs a profile. */
  public boolean needsProfile() {
    return this == STATIC;
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
   * @throws IllegalArgumentException if the profile is of another shape, or the policy needs one
   *     and there is none
   */
  public CachePolicy create(CacheShape shape, Optional<ExpertProfile> profile) {
    profile.ifPresent(known -> known.check(shape));
    return switch (this) {
      case LRU -> new LruPolicy(shape);
      case LFU -> new LfuPolicy(shape);
      case LCP -> new LcpPolicy(shape);
      case LEAST_STALE -> new LeastStalePolicy(shape);
      case ARC -> new ArcPolicy(shape);
      case TINYLFU -> new TinyLfuPolicy(shape);
      case FORWARD -> new ForwardPolicy(shape);
      case STATIC ->
          new StaticPolicy(
              shape,
              profile.orElseThrow(
                  () -> new IllegalArgumentException("cache policy 'static' needs a profile")));
    };
  }

  /**
   * Memory that a policy takes beside the experts, for the layers that have some; 0 where it is a
   * few numbers per expert.
   */
  public long stateBytes(int layers, int numExperts) {
    return switch (this) {
      case FORWARD -> ForwardPolicy.stateBytes(layers, numExperts);
      case LRU, LFU, LCP, LEAST_STALE, ARC, TINYLFU, STATIC -> 0;
    };
  }

  @Override
  public String toString() {
    return label;
  }
}
