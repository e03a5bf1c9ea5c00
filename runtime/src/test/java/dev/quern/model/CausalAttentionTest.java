package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.quern.kernels.Kernels;
import dev.quern.kernels.ScalarKernels;
import dev.quern.kernels.VectorKernels;
import dev.quern.kernels.Workers;
import dev.quern.kv.KvCache;
import dev.quern.kv.KvType;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Against the definition in double precision, and against itself: a few rows multiply halves as
 * they are stored, many widen them first, and a token gives the same bits either way.
 */
@Tag("vector-width") // the build runs it at 128 and 256 bits too
class CausalAttentionTest {
  private static final long SEED = 5;
  private static final int POSITIONS = 1100; // more than a span, blocks in part
  private static final int TOKENS = 30;
  private static final int KV_HEADS = 2;
  private static final int DIM = 64;
  private static final float[] NO_SINKS = {};

  @ParameterizedTest
  @CsvSource({
    "64, 1, 0, 1",
    "64, 2, 0, 1",
    "64, 3, 300, 1",
    "64, 4, 0, 1",
    "64, 5, 1, 1",
    "64, 6, 0, 1",
    "64, 7, 77, 1",
    "64, 8, 0, 1",
    "64, 8, 300, 1",
    "64, 16, 0, 1",
    "64, 4, 0, 1e6",
    "64, 4, 0, 1e9",
    "64, 4, 0, 1e30",
    "128, 8, 0, 1",
    "128, 3, 100, 1",
    "70, 4, 0, 1"
  })
  void tokensTogetherGiveTheBitsOfTokensAlone(int dim, int group, int window, float queryScale) {
    CausalAttention.Shape shape = shape(dim, group, window);
    for (Kernels kernels : List.of(new VectorKernels(), new ScalarKernels())) {
      KvCache cache = cache(KvType.F16, shape);
      float[] together = attend(kernels, cache, shape, queryScale, TOKENS);
      assertArrayEquals(together, attend(kernels, cache, shape, queryScale, 1));
    }
  }

  /**
   * Who does not see the position of an infinite element gives the bits of a cache without it. The
   * tile of positions 1024 to 1087 holds some that tokens do not see yet and some that they see no
   * longer.
   */
  @ParameterizedTest
  @CsvSource({
    "F16, 1099, 1, 0",
    "F16, 1099, 8, 0",
    "F16, 1085, 1, 0",
    "F16, 1085, 8, 0",
    "F16, 1060, 1, 20",
    "F16, 1060, 8, 20",
    "F32, 1099, 1, 0",
    "F32, 1085, 8, 0",
    "F32, 1060, 1, 20",
    "F32, 1060, 8, 20"
  })
  void anInfiniteValueReachesOnlyTokensThatSeeIt(KvType type, int position, int group, int window) {
    CausalAttention.Shape shape = shape(DIM, group, window);
    KvCache cache = cache(type, shape);
    cache.putValue(0, position, infiniteAt3(type, KV_HEADS * DIM), 0);
    for (Kernels kernels : List.of(new VectorKernels(), new ScalarKernels())) {
      float[] together = checkTokensThatDoNotSee(position, kernels, cache, type, shape);
      for (int i = 0; i < together.length; i++) {
        if (sees(shape, i, position) && headOf(shape, i) < group && i % DIM == 3) {
          assertEquals(Float.POSITIVE_INFINITY, together[i], "value " + i);
        }
      }
    }
  }

  /** The same of a key, also where it is the value, too. */
  @ParameterizedTest
  @CsvSource({
    "F16, 1085, 1, false", "F16, 1085, 8, false", "F16, 1085, 8, true",
    "F32, 1085, 1, true", "F32, 1085, 8, false", "F32, 1085, 8, true"
  })
  void anInfiniteKeyReachesOnlyTokensThatSeeIt(
      KvType type, int position, int group, boolean latent) {
    CausalAttention.Shape shape = latent ? latentShape(group) : shape(DIM, group, 0);
    KvCache cache = cache(type, shape);
    cache.putKey(0, position, infiniteAt3(type, KV_HEADS * shape.keyDim()), 0);
    for (Kernels kernels : List.of(new VectorKernels(), new ScalarKernels())) {
      checkTokensThatDoNotSee(position, kernels, cache, type, shape);
    }
  }

  /** As a half, 1e5 is infinite. */
  private static float[] infiniteAt3(KvType type, int elements) {
    float[] values = new float[elements];
    values[3] = type == KvType.F16 ? 1e5f : Float.POSITIVE_INFINITY;
    return values;
  }

  private static float[] checkTokensThatDoNotSee(
      int position, Kernels kernels, KvCache cache, KvType type, CausalAttention.Shape shape) {
    float[] expected = attend(kernels, cache(type, shape), shape, 1, TOKENS);
    float[] together = attend(kernels, cache, shape, 1, TOKENS);
    assertArrayEquals(together, attend(kernels, cache, shape, 1, 1));
    for (int i = 0; i < together.length; i++) {
      if (!sees(shape, i, position)) {
        assertEquals(expected[i], together[i], "value " + i);
      }
    }
    return together;
  }

  /** Whether the token of a value of the result sees a position. */
  private static boolean sees(CausalAttention.Shape shape, int value, int position) {
    int token = POSITIONS - TOKENS + value / (shape.numHeads() * shape.valueDim());
    return position <= token && (shape.window() == 0 || position > token - shape.window());
  }

  private static int headOf(CausalAttention.Shape shape, int value) {
    return value / shape.valueDim() % shape.numHeads();
  }

  /**
   * Values in one panel and in several; spans added by one thread and by several. Float sums of at
   * most 1100 values of about 1; a panel that is passed over changes results by about 0.1.
   */
  @ParameterizedTest
  @CsvSource({"64, 1, 0", "64, 8, 300", "128, 8, 0", "128, 1, 300", "70, 1, 0", "70, 4, 300"})
  void attentionIsWhatItsDefinitionSays(int dim, int group, int window) {
    CausalAttention.Shape shape = shape(dim, group, window);
    double[] expected = definition(shape);
    for (KvType type : KvType.values()) {
      KvCache cache = cache(type, shape);
      for (Kernels kernels : List.of(new VectorKernels(), new ScalarKernels())) {
        for (int atOnce : new int[] {1, TOKENS}) {
          float[] actual = attend(kernels, cache, shape, 1, atOnce);
          for (int i = 0; i < expected.length; i++) {
            assertEquals(expected[i], actual[i], 2e-5, type + ", value " + i);
          }
        }
      }
    }
  }

  /** softmax(scale · q · keys) · values of each token and head in double precision. */
  private static double[] definition(CausalAttention.Shape shape) {
    float[][] keys = new float[POSITIONS][];
    float[][] values = new float[POSITIONS][];
    fill(shape, keys, values);
    float[] queries = queries(shape, 1);
    double[] out = new double[TOKENS * shape.numHeads() * shape.valueDim()];
    for (int row = 0; row < TOKENS * shape.numHeads(); row++) {
      int at = row * shape.valueDim();
      int kvHead = row % shape.numHeads() / shape.group();
      double total = 0;
      for (int p = 0; p < POSITIONS; p++) {
        if (sees(shape, at, p)) {
          int n = shape.keyDim();
          double weight = Math.exp(shape.scale() * dot(queries, row * n, keys[p], kvHead * n, n));
          total += weight;
          for (int c = 0; c < shape.valueDim(); c++) {
            out[at + c] += weight * values[p][kvHead * shape.valueDim() + c];
          }
        }
      }
      for (int c = 0; c < shape.valueDim(); c++) {
        out[at + c] /= total;
      }
    }
    return out;
  }

  private static double dot(float[] a, int aAt, float[] b, int bAt, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += (double) a[aAt + i] * b[bAt + i];
    }
    return sum;
  }

  private static CausalAttention.Shape shape(int dim, int group, int window) {
    return new CausalAttention.Shape(
        group * KV_HEADS, KV_HEADS, dim, dim, false, window, 1 / (float) Math.sqrt(dim));
  }

  private static CausalAttention.Shape latentShape(int group) {
    return new CausalAttention.Shape(group * KV_HEADS, KV_HEADS, 72, 66, true, 0, 0.125f);
  }

  private static KvCache cache(KvType type, CausalAttention.Shape shape) {
    int valueDim = shape.valuesInKeys() ? 0 : shape.valueDim();
    KvCache.Shape cached = new KvCache.Shape(KV_HEADS, shape.keyDim(), valueDim);
    KvCache cache = new KvCache(type, List.of(cached), POSITIONS);
    cache.ensure(POSITIONS);
    float[][] keys = new float[POSITIONS][];
    float[][] values = new float[POSITIONS][];
    fill(shape, keys, values);
    for (int p = 0; p < POSITIONS; p++) {
      cache.putKey(0, p, keys[p], 0);
      cache.putValue(0, p, values[p], 0);
    }
    return cache;
  }

  /** Keys and values of all heads of each position: multiples of 2^-8, exact as halves. */
  private static void fill(CausalAttention.Shape shape, float[][] keys, float[][] values) {
    int valueDim = shape.valuesInKeys() ? 0 : shape.valueDim();
    SplittableRandom random = new SplittableRandom(SEED);
    for (int p = 0; p < POSITIONS; p++) {
      keys[p] = rounded(gaussian(random, KV_HEADS * shape.keyDim(), 1));
      values[p] = rounded(gaussian(random, KV_HEADS * valueDim, 1));
    }
  }

  private static float[] rounded(float[] values) {
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) Math.rint(values[i] * 256) / 256;
    }
    return values;
  }

  /** Of the last tokens of the cache, so many at once. */
  private static float[] attend(
      Kernels kernels, KvCache cache, CausalAttention.Shape shape, float queryScale, int atOnce) {
    int width = shape.numHeads() * shape.keyDim();
    int outWidth = shape.numHeads() * shape.valueDim();
    float[] queries = queries(shape, queryScale);
    float[] result = new float[TOKENS * outWidth];
    try (Workers workers = Workers.create(2)) {
      CausalAttention attention = new CausalAttention(kernels, workers, cache);
      float[] out = new float[atOnce * outWidth];
      for (int t = 0; t < TOKENS; t += atOnce) {
        float[] some = Arrays.copyOfRange(queries, t * width, (t + atOnce) * width);
        attention.run(shape, 0, NO_SINKS, some, out, atOnce, POSITIONS - TOKENS + t);
        System.arraycopy(out, 0, result, t * outWidth, out.length);
      }
    }
    return result;
  }

  private static float[] queries(CausalAttention.Shape shape, float scale) {
    int n = TOKENS * shape.numHeads() * shape.keyDim();
    return gaussian(new SplittableRandom(SEED + 1), n, scale);
  }

  private static float[] gaussian(SplittableRandom random, int n, float scale) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian() * scale;
    }
    return values;
  }
}
