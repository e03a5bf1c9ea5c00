package dev.quern.bench.jmh;

import dev.quern.kernels.Workers;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * How many float32 operations this machine does in a second when nothing but arithmetic holds it
 * back: chains of multiply-adds in registers, as many at once as its pipelines need.
 */
public final class MultiplyAddPeak {
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;

  /** Chains at once: two pipelines of four cycles need 8; more hide what the scheduler misses. */
  private static final int CHAINS = 12;

  private static final int STEPS = 1 << 16;

  /** A pass takes a tenth of a millisecond, and fifty before it is compiled. */
  private static final long SETTLED_NANOS = 200_000_000;

  private static final long MIN_NANOS = 500_000_000;

  private MultiplyAddPeak() {}

  /** Bits of the widest vectors that this JVM uses. */
  public static int vectorBits() {
    return FLOATS.vectorBitSize();
  }

  /**
   * @param threads at least 1
   * @return 10^9 operations per second of all threads together; a multiply-add is two
   */
  public static double measure(int threads) {
    float[] results = new float[threads * FLOATS.length()];
    try (Workers workers = Workers.create(threads)) {
      long best = Long.MAX_VALUE;
      long begin = System.nanoTime();
      long lastGain = begin;
      while (System.nanoTime() - begin < MIN_NANOS
          || System.nanoTime() - lastGain < SETTLED_NANOS) {
        long start = System.nanoTime();
        workers.run(threads, (piece, thread) -> chains(results, piece * FLOATS.length()));
        long end = System.nanoTime();
        if (end - start < best) {
          best = end - start;
          lastGain = end;
        }
      }
      for (float result : results) {
        if (!Float.isFinite(result)) {
          throw new IllegalStateException("multiply-adds gave " + result);
        }
      }
      return threads * operations() / best;
    }
  }

  /** Operations of {@link #chains}. */
  public static double operations() {
    return 2.0 * CHAINS * STEPS * FLOATS.length();
  }

  /** Floats that {@link #chains} reads and writes. */
  public static int floats() {
    return FLOATS.length();
  }

  /**
   * Sums of products: the compiler keeps what is added to in its register.
   *
   * @param results where the sums are kept, in [at, at + floats)
   */
  public static void chains(float[] results, int at) {
    FloatVector x = FloatVector.broadcast(FLOATS, 0.5f);
    FloatVector y = FloatVector.broadcast(FLOATS, 0x1p-20f);
    FloatVector a = FloatVector.zero(FLOATS);
    FloatVector b = a.add(1);
    FloatVector c = a.add(2);
    FloatVector d = a.add(3);
    FloatVector e = a.add(4);
    FloatVector f = a.add(5);
    FloatVector g = a.add(6);
    FloatVector h = a.add(7);
    FloatVector i = a.add(8);
    FloatVector j = a.add(9);
    FloatVector k = a.add(10);
    FloatVector l = a.add(11);
    for (int step = 0; step < STEPS; step++) {
      a = x.fma(y, a);
      b = x.fma(y, b);
      c = x.fma(y, c);
      d = x.fma(y, d);
      e = x.fma(y, e);
      f = x.fma(y, f);
      g = x.fma(y, g);
      h = x.fma(y, h);
      i = x.fma(y, i);
      j = x.fma(y, j);
      k = x.fma(y, k);
      l = x.fma(y, l);
    }
    a = a.add(b).add(c).add(d).add(e).add(f);
    a.add(g).add(h).add(i).add(j).add(k).add(l).intoArray(results, at);
  }
}
