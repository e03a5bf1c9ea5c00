package dev.quern.quant;

/**
 * Counter-based random bits: word n of a stream is a function of key and n alone, so that any part
 * of it can be computed anywhere, in any order.
 *
 * <p>word(key, n) = mix(key + (n + 1)·0x9E3779B97F4A7C15) with the finalizer mix of SplitMix64 (G.
 * Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014;
 * constants of variant 13 by D. Stafford).
 */
public final class CounterRandom {
  private static final long GOLDEN_RATIO = 0x9E3779B97F4A7C15L;

  private CounterRandom() {}

  public static long word(long key, long n) {
    return mix(key + (n + 1) * GOLDEN_RATIO);
  }

  /** A key for the stream that these parts name; order matters. */
  public static long key(long seed, long... parts) {
    long key = mix(seed + GOLDEN_RATIO);
    for (long part : parts) {
      key = word(key, part);
    }
    return key;
  }

  /** Uniform in (0, 1], 53 bits. */
  public static double uniform(long key, long n) {
    return ((word(key, n) >>> 11) + 1) * 0x1p-53;
  }

  /** Normal variable n of a stream, by Box and Muller from uniforms 2n and 2n + 1. */
  public static double gaussian(long key, long n) {
    double radius = StrictMath.sqrt(-2 * StrictMath.log(uniform(key, 2 * n)));
    return radius * StrictMath.cos(2 * StrictMath.PI * uniform(key, 2 * n + 1));
  }

  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
