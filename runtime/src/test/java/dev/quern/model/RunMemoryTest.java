package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.kv.KvType;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RunMemoryTest {
  private static final RopeConfig ROPE =
      new RopeConfig(10_000, 6, RopePairing.HALVES, new RopeScaling.None());

  private static final TokenMixer GROUPED =
      new TokenMixer.GroupedQuery(
          4, 2, 8, QkNorm.NONE, false, false, false, false, 100, 1, Optional.of(ROPE));

  private static final TokenMixer LATENT = new TokenMixer.Latent(128, 0, 512, 128, 128, 1, ROPE);

  private static ModelConfig model(TokenMixer... mixers) {
    return new ModelConfig(
        "test",
        16,
        10,
        4096,
        1e-6f,
        true,
        new Activation.SwiGlu(),
        List.of(mixers).stream()
            .map(mixer -> new ModelConfig.Layer(mixer, new FeedForward.Dense(8)))
            .toList());
  }

  @Test
  void theCacheIsWhatEachLayerKeepsInWholeBlocks() {
    RunMemory memory = RunMemory.of(model(GROUPED, LATENT, GROUPED), 300, KvType.F16);
    assertEquals((2 * 2 * 16 + 518) * 2, memory.cachePerToken());
    assertEquals(512 * memory.cachePerToken(), memory.cache());
    assertEquals(0, memory.states());
  }

  @Test
  void whatTheJavaHeapCannotHoldIsRefused() {
    RunMemory.of(model(GROUPED), 300, KvType.F16).requireHeap();
    assertEquals(4096, RunMemory.longest(model(GROUPED), 4096, KvType.F16));
    TokenMixer[] many = Collections.nCopies(100_000, GROUPED).toArray(TokenMixer[]::new);
    int longest = RunMemory.longest(model(many), 4096, KvType.F16); // of 6.4 MB per position
    RunMemory.of(model(many), longest, KvType.F16).requireHeap();
    RunMemory more = RunMemory.of(model(many), longest + 1, KvType.F16);
    assertThrows(IllegalArgumentException.class, more::requireHeap);
    long heap = Runtime.getRuntime().maxMemory();
    RunMemory memory = new RunMemory(300, 0, heap - 100, 60, 41);
    String message = assertThrows(IllegalArgumentException.class, memory::requireHeap).getMessage();
    assertTrue(message.startsWith("context: 300 positions take "), message);
  }

  /** 63 tokens of 128 queries of 518 are the most that fit in 4 Mi elements. */
  @Test
  void mappedQueriesOfManyHeadsAreBounded() {
    long one = RunMemory.of(model(LATENT), 1, KvType.F16).buffers();
    long two = RunMemory.of(model(LATENT), 2, KvType.F16).buffers();
    long all = RunMemory.of(model(LATENT), 256, KvType.F16).buffers();
    long mappedPerToken = 4 * 128 * (518 + 512);
    assertEquals(one + 255 * (two - one) - (256 - 63) * mappedPerToken, all);
  }

  /**
   * From the second span of 1024 positions on, 128 heads of a token, or four of 64 tokens, keep
   * maximum, total and whole panels of values for every span.
   */
  @Test
  void sumsOfSpansAreCounted() {
    long sines = 256 * 6 * 4;
    long one = RunMemory.of(model(LATENT), 1024, KvType.F16).buffers();
    long two = RunMemory.of(model(LATENT), 1025, KvType.F16).buffers();
    assertEquals(one + sines + 2 * 128 * (2 + 512) * 4, two);
    one = RunMemory.of(model(GROUPED), 1024, KvType.F16).buffers();
    long four = RunMemory.of(model(GROUPED), 4096, KvType.F16).buffers();
    assertEquals(one + 12 * sines + 4 * 64 * 4 * (2 + 64) * 4, four);
  }

  @Test
  void sinesOfPositionsAreCountedOncePerKind() {
    long grouped = RunMemory.of(model(GROUPED), 512, KvType.F16).buffers();
    assertEquals(grouped, RunMemory.of(model(GROUPED, GROUPED), 512, KvType.F16).buffers());
    long longer = RunMemory.of(model(GROUPED), 513, KvType.F16).buffers();
    assertEquals(grouped + 256 * 6 * 4, longer);
  }

  @Test
  void aContextBeyondTheModelsIsRefused() {
    ModelConfig config = model(GROUPED);
    assertThrows(IllegalArgumentException.class, () -> RunMemory.of(config, 4097, KvType.F16));
    assertThrows(IllegalArgumentException.class, () -> RunMemory.of(config, 0, KvType.F16));
  }
}
