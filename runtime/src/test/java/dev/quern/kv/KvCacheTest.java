package dev.quern.kv;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.kernels.HalfPanel;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.ScalarKernels;
import dev.quern.kernels.VectorGroups;
import dev.quern.kernels.VectorKernels;
import dev.quern.kv.KvCache.Shape;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Tag("vector-width") // the build runs it at 128 and 256 bits too
class KvCacheTest {
  private static final Kernels KERNELS = new VectorKernels();
  private static final List<Shape> LAYERS =
      List.of(new Shape(2, 2, 70), Shape.NONE, new Shape(1, 3, 0));

  private static KvCache cache(KvType type, int positions) {
    return new KvCache(type, LAYERS, positions);
  }

  @Test
  void bytesAreThoseOfEveryLayerInWholeBlocks() {
    int elements = 2 * 2 + 2 * 70 + 3;
    assertEquals(elements * 4, KvCache.bytesPerPosition(KvType.F32, LAYERS));
    assertEquals(elements * 2, KvCache.bytesPerPosition(KvType.F16, LAYERS));
    assertEquals(256 * elements * 2, KvCache.bytes(KvType.F16, LAYERS, 1));
    assertEquals(256 * elements * 2, KvCache.bytes(KvType.F16, LAYERS, 256));
    assertEquals(512 * elements * 2, KvCache.bytes(KvType.F16, LAYERS, 257));
    assertEquals(0, KvCache.bytes(KvType.F32, LAYERS, 0));
    List<Shape> large = List.of(new Shape(4, 1_000_000, 1_000_000), new Shape(1, 4_000_000, 0));
    assertEquals(48_000_000L * (1 << 30), KvCache.bytes(KvType.F32, large, 1 << 30));
  }

  /** Whole numbers below 2048 are exact in half precision. */
  @ParameterizedTest
  @EnumSource
  void layersOfDifferentShapesKeepTheirRowsAcrossChunks(KvType type) {
    int positions = 4500; // of the last chunk, two blocks
    KvCache cache = cache(type, positions);
    cache.ensure(2);
    cache.ensure(300);
    cache.ensure(positions);
    float[] key = new float[5];
    float[] value = new float[141];
    for (int p = 0; p < positions; p++) {
      for (int i = 0; i < 4; i++) {
        key[1 + i] = p % 601 + 300 * i;
      }
      for (int i = 0; i < 140; i++) {
        value[1 + i] = p % 601 + 10 * i;
      }
      cache.putKey(0, p, key, 1);
      cache.putValue(0, p, value, 1);
      cache.putKey(2, p, new float[] {p % 601, p % 601 + 1, 7}, 0);
    }
    float[] keys = new float[3 * KvCache.TILE];
    float[] low = new float[KvCache.TILE * KvCache.PANEL];
    float[] high = low.clone();
    for (int first = 0; first < positions; first += KvCache.TILE) {
      int count = Math.min(KvCache.TILE, positions - first);
      for (int head = 0; head < 2; head++) {
        cache.loadKeys(KERNELS, 0, head, first, keys);
        cache.loadValues(KERNELS, 0, head, first, count, 0, low);
        cache.loadValues(KERNELS, 0, head, first, count, 64, high);
        for (int i = 0; i < count; i++) {
          int stored = (first + i) % 601;
          assertEquals(stored + 600 * head, keys[i]);
          assertEquals(stored + 600 * head + 300, keys[64 + i]);
          assertEquals(stored + 10 * (70 * head + 63), low[64 * i + 63]);
          assertEquals(stored + 10 * (70 * head + 69), high[64 * i + 5]);
          assertEquals(0, high[64 * i + 6]);
        }
      }
      cache.loadKeys(KERNELS, 2, 0, first, keys);
      for (int i = 0; i < count; i++) {
        assertEquals((first + i) % 601 + 1, keys[64 + i]);
        assertEquals(7, keys[128 + i]);
      }
    }
  }

  /** Of positions that take so much, large chunks have two blocks instead of eight. */
  @Test
  void chunksOfLargePositionsAreShorter() {
    int elements = 20_000;
    KvCache cache = new KvCache(KvType.F16, List.of(new Shape(2, elements / 2, 0)), 1600);
    cache.ensure(1600);
    int[] positions = {0, 255, 256, 511, 512, 1023, 1024, 1535, 1536, 1599};
    float[] key = new float[elements];
    for (int p : positions) {
      for (int i = 0; i < elements; i++) {
        key[i] = (p + i) % 2048;
      }
      cache.putKey(0, p, key, 0);
    }
    float[] tile = new float[elements / 2 * KvCache.TILE];
    for (int p : positions) {
      cache.loadKeys(KERNELS, 0, 1, p / KvCache.TILE * KvCache.TILE, tile);
      for (int i = 0; i < elements / 2; i += 997) {
        assertEquals((p + elements / 2 + i) % 2048, tile[i * KvCache.TILE + p % KvCache.TILE]);
      }
    }
  }

  @Test
  void whatIsStoredIsRoundedToTheNearestHalf() {
    float[] values = {1 + 0x1p-11f, 1 + 0x3p-11f, 65504, 70000, -0x1p-25f, 0x1p-24f};
    Chunks halves = Chunks.create(KvType.F16, 1);
    halves.allocate(0, values.length);
    halves.putRun(0, 0, values, 0, values.length);
    float[] actual = new float[values.length];
    halves.loadRun(0, 0, values.length, actual, 0);
    float[] expected = {1, 1 + 0x1p-9f, 65504, Float.POSITIVE_INFINITY, -0f, 0x1p-24f};
    assertArrayEquals(expected, actual);
  }

  /** 2^-15 is off by no more than 2^-4 + 2^-15 is. */
  @Test
  void besideALargeElementThereAreNoSubnormalOnes() {
    float[] small = {0x1p-14f, 0x1p-15f + 0x1p-24f, 0x1p-15f, -0x1p-15f - 0x1p-24f, -0x1p-24f, 0};
    float[] rounded = {0x1p-14f, 0x1p-14f, 0, -0x1p-14f, -0f, 0};
    for (float other : new float[] {0x1p-4f, -3, Math.nextDown(0x1p-4f)}) {
      float[] row = new float[KvCache.PANEL];
      System.arraycopy(small, 0, row, 3, small.length);
      row[63] = other;
      float[] expected = Math.abs(other) < 0x1p-4f ? small : rounded;
      KvCache cache = new KvCache(KvType.F16, List.of(new Shape(1, 64, 64)), 1);
      cache.ensure(1);
      cache.putKey(0, 0, row, 0);
      cache.putValue(0, 0, row, 0);
      float[] panel = new float[KvCache.TILE * KvCache.PANEL];
      cache.loadValues(KERNELS, 0, 0, 0, 1, 0, panel);
      assertArrayEquals(expected, Arrays.copyOfRange(panel, 3, 3 + small.length));
      cache.loadKeys(KERNELS, 0, 0, 0, panel);
      for (int i = 0; i < small.length; i++) {
        assertEquals(expected[i], panel[(3 + i) * KvCache.TILE]);
      }
    }
  }

  /** The same bits, whether halves are widened first or multiplied as they are. */
  @Test
  void productsOfStoredHalvesEqualThoseOfWidenedOnes() {
    int positions = 300;
    int key = 40;
    int vectors = 11;
    KvCache cache = new KvCache(KvType.F16, List.of(new Shape(2, key, 128)), positions);
    cache.ensure(positions);
    SplittableRandom random = new SplittableRandom(4);
    for (int p = 0; p < positions; p++) {
      cache.putKey(0, p, gaussian(random, 2 * key), 0);
      cache.putValue(0, p, gaussian(random, 2 * 128), 0);
    }
    assertTrue(cache.multipliable(0));
    for (Kernels kernels : List.of(KERNELS, new ScalarKernels())) {
      float[] x = gaussian(random, vectors * KvCache.BLOCK);
      float[] scaled = x.clone();
      kernels.scale(HalfPanel.SCALE, scaled, 0, scaled.length);
      VectorGroups plain = new VectorGroups(kernels);
      VectorGroups large = new VectorGroups(kernels);
      float[] panel = new float[KvCache.TILE * 64];
      float[] expected = gaussian(random, vectors * 64);
      float[] actual = expected.clone();
      plain.set(x, 0, key, vectors, key);
      large.set(scaled, 0, key, vectors, key);
      cache.loadKeys(kernels, 0, 1, 64, panel);
      plain.addProduct(panel, expected, 0);
      cache.addKeyProduct(0, 1, 64, large, actual, 0);
      assertArrayEquals(expected, actual);
      for (int first : new int[] {0, 128, 256}) { // of a whole block, a part, and a few positions
        int end = Math.min(positions, KvCache.BLOCK * (first / KvCache.BLOCK + 1));
        plain.set(x, 0, end - first, vectors, end - first);
        large.set(scaled, 0, end - first, vectors, end - first);
        for (int tile = first; tile < end; tile += KvCache.TILE) {
          int count = Math.min(KvCache.TILE, end - tile);
          cache.loadValues(kernels, 0, 1, tile, count, 64, panel);
          plain.addProduct(panel, tile - first, count, expected, 0);
        }
        cache.addValueProduct(0, 1, first, 64, large, actual, 0);
        if (kernels == KERNELS) {
          assertArrayEquals(expected, actual);
        } else { // sums in double are rounded after each product, here of tiles, there of all
          assertArrayEquals(expected, actual, 1e-4f);
        }
      }
    }
  }

  private static float[] gaussian(SplittableRandom random, int n) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  @Test
  void onlyFiniteHalvesInWholePanelsAreMultipliable() {
    List<Shape> shapes = List.of(new Shape(1, 2, 64), new Shape(1, 2, 70));
    KvCache cache = new KvCache(KvType.F16, shapes, 1);
    cache.ensure(1);
    assertTrue(cache.multipliable(0));
    assertFalse(cache.multipliable(1));
    cache.putKey(0, 0, new float[] {1, 65504}, 0);
    assertTrue(cache.multipliable(0));
    for (float value : new float[] {65520, Float.NEGATIVE_INFINITY, Float.NaN}) {
      cache.clear();
      cache.ensure(1);
      assertTrue(cache.multipliable(0));
      cache.putKey(0, 0, new float[] {1, value}, 0);
      assertFalse(cache.multipliable(0));
    }
    assertFalse(new KvCache(KvType.F32, shapes, 1).multipliable(0));
  }

  @ParameterizedTest
  @EnumSource
  void aLayerIsFiniteUntilSomethingElseIsStored(KvType type) {
    List<Shape> shapes = List.of(new Shape(1, 2, 70), new Shape(1, 2, 70));
    float[] key = {1, Float.NaN};
    for (int element : new int[] {-1, 0, 63, 64, 69}) { // of the value; −1: of the key
      float[] value = new float[70];
      KvCache cache = new KvCache(type, shapes, 1);
      cache.ensure(1);
      cache.putKey(0, 0, new float[2], 0);
      cache.putValue(0, 0, value, 0);
      assertTrue(cache.finite(0));
      if (element < 0) {
        cache.putKey(0, 0, key, 0);
      } else {
        value[element] = Float.NEGATIVE_INFINITY;
        cache.putValue(0, 0, value, 0);
      }
      assertFalse(cache.finite(0));
      assertTrue(cache.finite(1));
      cache.clear();
      assertTrue(cache.finite(0));
    }
  }

  @Test
  void tilesAreCountedFromTheFirstPosition() {
    assertEquals(1, KvCache.tiles(0, 64));
    assertEquals(1, KvCache.tiles(63, 1));
    assertEquals(2, KvCache.tiles(63, 2));
    assertEquals(3, KvCache.tiles(100, 100));
  }

  @Test
  void impossibleSizesAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> cache(KvType.F16, 0));
    assertThrows(IllegalArgumentException.class, () -> new KvCache(KvType.F16, List.of(), 1));
    assertThrows(IllegalArgumentException.class, () -> new Shape(1, -1, 0));
    assertThrows(IllegalArgumentException.class, () -> new Shape(-1, 1, 0));
    assertThrows(ArithmeticException.class, () -> new Shape(2, 1 << 23, 0));
    assertThrows(IndexOutOfBoundsException.class, () -> cache(KvType.F16, 10).ensure(11));
  }

  @Test
  void clearedItMayBeFilledAgain() {
    KvCache cache = cache(KvType.F32, 10);
    cache.ensure(10);
    cache.clear();
    cache.ensure(3);
    cache.putKey(2, 2, new float[] {1, 2, 3}, 0);
    float[] keys = new float[3 * KvCache.TILE];
    cache.loadKeys(KERNELS, 2, 0, 0, keys);
    float[] expected = new float[keys.length];
    expected[2] = 1;
    expected[64 + 2] = 2;
    expected[128 + 2] = 3;
    assertArrayEquals(expected, keys);
  }
}
