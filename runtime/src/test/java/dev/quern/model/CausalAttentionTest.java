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
 * A few rows multiply halves as they are stored, many widen them first: a token gives the same bits
 * either way.
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
    "1, 0, 1",
    "2, 0, 1",
    "3, 300, 1",
    "4, 0, 1",
    "5, 1, 1",
    "6, 0, 1",
    "7, 77, 1",
    "8, 0, 1",
    "8, 300, 1",
    "16, 0, 1",
    "4, 0, 1e6",
    "4, 0, 1e9",
    "4, 0, 1e30"
  })
  void tokensTogetherGiveTheBitsOfTokensAlone(int group, int window, float queryScale) {
    for (Kernels kernels : List.of(new VectorKernels(), new ScalarKernels())) {
      KvCache cache = cache(1);
      float[] together = attend(kernels, cache, group, window, queryScale, TOKENS);
      assertArrayEquals(together, attend(kernels, cache, group, window, queryScale, 1));
    }
  }

  /** What overflows when it is stored is infinite for a few rows as for many. */
  @ParameterizedTest
  @CsvSource({"1e5, 4", "1e7, 4"})
  void infiniteKeysAndValuesGiveTheSameToo(float cacheScale, int group) {
    Kernels kernels = new VectorKernels();
    KvCache cache = cache(cacheScale);
    float[] together = attend(kernels, cache, group, 0, 1, TOKENS);
    assertArrayEquals(together, attend(kernels, cache, group, 0, 1, 1));
  }

  /** Sums of the vector kernels are rounded after each product, at most 1100 of about 1. */
  @ParameterizedTest
  @CsvSource({"1, 0", "8, 0", "8, 300"})
  void storedHalvesGiveWhatTheDefinitionGives(int group, int window) {
    KvCache cache = cache(1);
    float[] expected = attend(new ScalarKernels(), cache, group, window, 1, 1);
    float[] actual = attend(new VectorKernels(), cache, group, window, 1, 1);
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], actual[i], 2e-5f, "value " + i);
    }
  }

  private static KvCache cache(float scale) {
    KvCache.Shape shape = new KvCache.Shape(KV_HEADS, DIM, DIM);
    KvCache cache = new KvCache(KvType.F16, List.of(shape), POSITIONS);
    cache.ensure(POSITIONS);
    SplittableRandom random = new SplittableRandom(SEED);
    for (int p = 0; p < POSITIONS; p++) {
      cache.putKey(0, p, gaussian(random, KV_HEADS * DIM, scale), 0);
      cache.putValue(0, p, gaussian(random, KV_HEADS * DIM, scale), 0);
    }
    return cache;
  }

  /** Of the last tokens of the cache, so many at once. */
  private static float[] attend(
      Kernels kernels, KvCache cache, int group, int window, float queryScale, int atOnce) {
    CausalAttention.Shape shape =
        new CausalAttention.Shape(group * KV_HEADS, KV_HEADS, DIM, DIM, false, window, 0.125f);
    int width = group * KV_HEADS * DIM;
    float[] queries = gaussian(new SplittableRandom(SEED + 1), TOKENS * width, queryScale);
    float[] result = new float[TOKENS * width];
    try (Workers workers = Workers.create(2)) {
      CausalAttention attention = new CausalAttention(kernels, workers, cache);
      float[] out = new float[atOnce * width];
      for (int t = 0; t < TOKENS; t += atOnce) {
        float[] some = Arrays.copyOfRange(queries, t * width, (t + atOnce) * width);
        attention.run(shape, 0, NO_SINKS, some, out, atOnce, POSITIONS - TOKENS + t);
        System.arraycopy(out, 0, result, t * width, out.length);
      }
    }
    return result;
  }

  private static float[] gaussian(SplittableRandom random, int n, float scale) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian() * scale;
    }
    return values;
  }
}
