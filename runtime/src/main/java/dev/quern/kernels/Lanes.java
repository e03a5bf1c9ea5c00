package dev.quern.kernels;

import dev.quern.system.Processor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.function.BooleanSupplier;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The vector width of this machine, chosen at class load: 128, 256 or 512 bits, and the few
 * operations that depend on it. All branches on {@link #COUNT} are decided by the JIT compiler.
 */
final class Lanes {
  static final VectorSpecies<Float> FLOATS = species();
  static final VectorSpecies<Integer> INTS = FLOATS.withLanes(int.class);
  static final VectorSpecies<Short> SHORTS =
      VectorSpecies.of(
          short.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2)); // as many lanes

  /** Float lanes of a vector: 4, 8 or 16. */
  static final int COUNT = FLOATS.length();

  static final int TABLE_ENTRIES = 16;

  /** [half, lane]: lane ^ half, the partner of a lane in a butterfly of that distance. */
  private static final int[] PARTNERS = partners();

  /** Lanes of two vectors interleaved: the lower and upper half of the result. */
  private static final int[] ZIP_LOW = zipped(0);

  private static final int[] ZIP_HIGH = zipped(COUNT / 2);

  private static final float MIN_EXPONENT = -104;
  private static final float MAX_EXPONENT = 89;
  private static final float LOG2_E = 1.442695041f;

  /** ln 2 in two parts; the first has 9 bits, so its products with k are exact. */
  private static final float LN2_HIGH = 0.693359375f;

  private static final float LN2_LOW = -2.12194440e-4f;

  /** Adding 1.5 · 2^23 rounds to an integer and leaves it in the low bits. */
  private static final float ROUNDER = 0x1.8p23f;

  private static final float TWO_POW_112 = 0x1p112f;
  private static final int F16_INFINITY = 0x7C00;
  private static final int F32_EXPONENT = 0x7F80_0000;

  private Lanes() {}

  /**
   * Whether the JVM compiles vectors and their fused multiply-add; what it does not compile takes
   * objects and exact arithmetic, a hundred times as slow as a scalar loop.
   */
  static boolean available() {
    return FloatVector.SPECIES_PREFERRED.length() >= FloatVector.SPECIES_128.length()
        && !(Processor.isX86() && Processor.current().lacks("fma"));
  }

  private static VectorSpecies<Float> species() {
    return species(FloatVector.SPECIES_PREFERRED.length(), Lanes::permutesWideBytes);
  }

  /**
   * @param preferred float lanes that the JVM prefers
   * @param permutesWideBytes whether bytes of 512 bits can be permuted; only asked if it matters
   */
  static VectorSpecies<Float> species(int preferred, BooleanSupplier permutesWideBytes) {
    if (preferred >= FloatVector.SPECIES_512.length() && permutesWideBytes.getAsBoolean()) {
      return FloatVector.SPECIES_512;
    }
    return preferred >= FloatVector.SPECIES_256.length()
        ? FloatVector.SPECIES_256
        : FloatVector.SPECIES_128;
  }

  /**
   * Tables of products are looked up by permuting bytes. The first processors with AVX-512 have no
   * instruction for it (VBMI), and C2 does without vectors then, a hundred times as slow; there 256
   * bits are permuted in parts.
   */
  private static boolean permutesWideBytes() {
    return !Processor.isX86() || Processor.current().has("avx512vbmi");
  }

  private static int[] partners() {
    int[] partners = new int[COUNT * COUNT];
    for (int i = 0; i < partners.length; i++) {
      partners[i] = i % COUNT ^ i / COUNT;
    }
    return partners;
  }

  private static int[] zipped(int first) {
    int[] index = new int[COUNT];
    for (int i = 0; i < COUNT; i++) {
      index[i] = first + i / 2 + (i % 2) * COUNT;
    }
    return index;
  }

  /** Interleaves the vectors at a and b into those at out and out + stride. */
  static void zip(float[] in, int a, int b, float[] out, int at, int stride) {
    IntVector first = ints(in, a);
    IntVector second = ints(in, b);
    IntVector low = IntVector.fromArray(INTS, ZIP_LOW, 0);
    IntVector high = IntVector.fromArray(INTS, ZIP_HIGH, 0);
    low.selectFrom(first, second).reinterpretAsFloats().intoArray(out, at);
    high.selectFrom(first, second).reinterpretAsFloats().intoArray(out, at + stride);
  }

  /** Lane i of the result is lane i ^ half. */
  static FloatVector swapped(FloatVector v, int half) {
    return IntVector.fromArray(INTS, PARTNERS, half * COUNT)
        .selectFrom(v.reinterpretAsInts())
        .reinterpretAsFloats();
  }

  /**
   * Sum of all lanes in one defined order. {@code reduceLanes(ADD)} leaves the order open, and
   * interpreted and compiled code were seen to differ in the last bit.
   */
  static float sum(FloatVector v) {
    for (int half = COUNT / 2; half > 0; half /= 2) {
      v = v.add(swapped(v, half));
    }
    return v.lane(0);
  }

  /**
   * e^x within 2 ulp; 0 below −104, infinity above 89, NaN for NaN. {@code lanewise(EXP)} gives
   * other last bits interpreted than compiled, so the same input could give two results.
   *
   * <p>e^x = 2^k e^r with k = round(x / ln 2), |r| ≤ ln 2 / 2, and e^r by its Taylor polynomial of
   * degree 7 (remainder below 2^-27).
   */
  static FloatVector exp(FloatVector x) {
    FloatVector bounded = x.max(MIN_EXPONENT).min(MAX_EXPONENT); // NaN stays
    FloatVector shifted = bounded.fma(broadcast(LOG2_E), broadcast(ROUNDER));
    IntVector k = shifted.reinterpretAsInts().sub(Float.floatToRawIntBits(ROUNDER));
    FloatVector n = shifted.sub(ROUNDER);
    FloatVector r = n.fma(broadcast(-LN2_HIGH), bounded);
    r = n.fma(broadcast(-LN2_LOW), r);
    FloatVector e = r.fma(broadcast(1 / 5040f), broadcast(1 / 720f));
    e = e.fma(r, broadcast(1 / 120f));
    e = e.fma(r, broadcast(1 / 24f));
    e = e.fma(r, broadcast(1 / 6f));
    e = e.fma(r, broadcast(0.5f));
    e = e.fma(r, broadcast(1));
    e = e.fma(r, broadcast(1));
    IntVector half = k.lanewise(VectorOperators.ASHR, 1); // 2^k alone may not be a float
    return e.mul(powerOfTwo(half)).mul(powerOfTwo(k.sub(half)));
  }

  /** One lane of {@link #exp(FloatVector)}. */
  static float exp(float x) {
    float bounded = Math.min(Math.max(x, MIN_EXPONENT), MAX_EXPONENT);
    float shifted = Math.fma(bounded, LOG2_E, ROUNDER);
    int k = Float.floatToRawIntBits(shifted) - Float.floatToRawIntBits(ROUNDER);
    float n = shifted - ROUNDER;
    float r = Math.fma(n, -LN2_HIGH, bounded);
    r = Math.fma(n, -LN2_LOW, r);
    float e = Math.fma(r, 1 / 5040f, 1 / 720f);
    e = Math.fma(e, r, 1 / 120f);
    e = Math.fma(e, r, 1 / 24f);
    e = Math.fma(e, r, 1 / 6f);
    e = Math.fma(e, r, 0.5f);
    e = Math.fma(e, r, 1);
    e = Math.fma(e, r, 1);
    int half = k >> 1;
    return e * powerOfTwo(half) * powerOfTwo(k - half);
  }

  private static float powerOfTwo(int k) {
    return Float.intBitsToFloat(k + 127 << 23);
  }

  private static FloatVector broadcast(float value) {
    return FloatVector.broadcast(FLOATS, value);
  }

  private static FloatVector powerOfTwo(IntVector k) {
    return k.add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
  }

  static IntVector ints(MemorySegment data, long offset) {
    return IntVector.fromMemorySegment(INTS, data, offset, ByteOrder.LITTLE_ENDIAN);
  }

  static FloatVector floats(MemorySegment data, long offset) {
    return FloatVector.fromMemorySegment(FLOATS, data, offset, ByteOrder.LITTLE_ENDIAN);
  }

  static FloatVector floats(float[] from, int offset) {
    return FloatVector.fromArray(FLOATS, from, offset);
  }

  static IntVector ints(float[] table, int offset) {
    return FloatVector.fromArray(FLOATS, table, offset).reinterpretAsInts();
  }

  /**
   * table[index &amp; 15] per lane.
   *
   * @param t0 the first lanes of the table, t1.. the following ones; a vector of 16 lanes needs t0
   *     alone and one of 8 only t0 and t1
   */
  static FloatVector lookup(
      IntVector index, IntVector t0, IntVector t1, IntVector t2, IntVector t3) {
    if (COUNT == 16) {
      return index.selectFrom(t0).reinterpretAsFloats();
    }
    if (COUNT == 8) {
      return index.selectFrom(t0, t1).reinterpretAsFloats();
    }
    VectorMask<Integer> upper = index.lanewise(VectorOperators.LSHL, 28).lt(0);
    return index.selectFrom(t0, t1).blend(index.selectFrom(t2, t3), upper).reinterpretAsFloats();
  }

  /** Part of a table of 16 floats that {@link #lookup} wants as t{part}; anything if unused. */
  static IntVector part(float[] table, int part) {
    return ints(table, Math.min(part * COUNT, TABLE_ENTRIES - COUNT));
  }

  /** BF16 values as floats. */
  static FloatVector bf16(MemorySegment data, long offset) {
    return shorts(data, offset).lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
  }

  /** IEEE half precision as floats, exactly, with subnormals, infinities and NaN. */
  static FloatVector f16(MemorySegment data, long offset) {
    IntVector bits = shorts(data, offset);
    IntVector magnitude = bits.and(0x7FFF);
    IntVector value =
        magnitude
            .lanewise(VectorOperators.LSHL, 13)
            .reinterpretAsFloats()
            .mul(TWO_POW_112) // moves the exponent's bias from 15 to 127
            .reinterpretAsInts();
    IntVector special = value.or(F32_EXPONENT);
    return value
        .blend(special, magnitude.compare(VectorOperators.GE, F16_INFINITY))
        .or(bits.and(0x8000_0000))
        .reinterpretAsFloats();
  }

  private static IntVector shorts(MemorySegment data, long offset) {
    return (IntVector)
        ShortVector.fromMemorySegment(SHORTS, data, offset, ByteOrder.LITTLE_ENDIAN)
            .convertShape(VectorOperators.S2I, INTS, 0);
  }
}
