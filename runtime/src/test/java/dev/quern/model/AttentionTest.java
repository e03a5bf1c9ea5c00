package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.kv.KvType;
import dev.quern.quant.Rotation;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every kind of attention against {@link AttentionReference}. */
class AttentionTest {
  /** More than a block of the cache, many pieces and windows. */
  private static final int TOKENS = 270;

  /** Float32 against double, sums over at most 270 values; what a bug changes is of order 0.1. */
  private static final double TOLERANCE = 3e-5;

  private static final Optional<RopeConfig> WHOLE_HEAD = rope(8, RopePairing.HALVES);

  enum Kind {
    PLAIN(2, QkNorm.NONE, false, false, false, 0, WHOLE_HEAD),
    ADJACENT_PAIRS(2, QkNorm.NONE, false, false, false, 0, rope(8, RopePairing.ADJACENT)),
    NO_POSITIONS(4, QkNorm.NONE, false, false, false, 0, Optional.empty()),
    BIASES(2, QkNorm.NONE, true, false, false, 0, WHOLE_HEAD),
    NORM_PER_HEAD(2, QkNorm.PER_HEAD, false, false, false, 0, WHOLE_HEAD),
    NORM_OF_ALL_HEADS(1, QkNorm.WHOLE, false, false, false, 0, WHOLE_HEAD),
    PART_OF_HEAD_TURNED(2, QkNorm.NONE, true, false, false, 0, rope(4, RopePairing.HALVES)),
    PAIRS_OF_PART_TURNED(2, QkNorm.NONE, false, false, false, 0, rope(4, RopePairing.ADJACENT)),
    WINDOW(2, QkNorm.NONE, false, false, false, 32, WHOLE_HEAD),
    WINDOW_OF_ONE(2, QkNorm.NONE, false, false, false, 1, WHOLE_HEAD),
    SINKS(2, QkNorm.NONE, true, true, false, 0, WHOLE_HEAD),
    SINKS_AND_WINDOW(2, QkNorm.NONE, true, true, false, 20, WHOLE_HEAD),
    GATED(2, QkNorm.PER_HEAD, true, false, true, 0, rope(4, RopePairing.HALVES)),
    GATED_WITH_NORM_OF_ALL_HEADS(2, QkNorm.WHOLE, false, false, true, 0, WHOLE_HEAD);

    private final RandomMixer mixer;

    Kind(
        int numKvHeads,
        QkNorm qkNorm,
        boolean biases,
        boolean sinks,
        boolean gated,
        int window,
        Optional<RopeConfig> rope) {
      mixer =
          new RandomMixer(
              new TokenMixer.GroupedQuery(
                  4, numKvHeads, 8, qkNorm, biases, biases, sinks, gated, window, 0.3f, rope),
              Rotation.none(1),
              ordinal() + 1);
    }
  }

  /** The query's latent from the input, from a latent of its own, and that latent rotated. */
  enum LatentKind {
    QUERY_OF_INPUT(0, 20, Rotation.none(1)),
    QUERY_OF_LATENT(12, 20, Rotation.none(12)),
    QUERY_OF_ROTATED_LATENT(12, 20, Rotation.hadamard(5, 0, Rotation.Input.QUERY_LATENT, 12)),
    LATENT_OF_THREE_PANELS(0, 130, Rotation.none(1));

    private final RandomMixer mixer;

    LatentKind(int queryRank, int latentSize, Rotation rotation) {
      RopeConfig rope = rope(6, RopePairing.ADJACENT).orElseThrow();
      mixer =
          new RandomMixer(
              new TokenMixer.Latent(3, queryRank, latentSize, 10, 7, 0.2f, rope),
              rotation,
              100 + ordinal());
    }
  }

  private static Optional<RopeConfig> rope(int rotaryDim, RopePairing pairing) {
    return Optional.of(new RopeConfig(1000, rotaryDim, pairing, new RopeScaling.None()));
  }

  @ParameterizedTest
  @EnumSource
  void equalsTheReferenceHoweverTheTokensAreCut(Kind kind) {
    checkEveryCut(kind.mixer);
  }

  @ParameterizedTest
  @EnumSource
  void latentAttentionEqualsExpandedKeysHoweverTheTokensAreCut(LatentKind kind) {
    checkEveryCut(kind.mixer);
  }

  private static void checkEveryCut(RandomMixer mixer) {
    float[] x = RandomMixer.inputs(TOKENS, 7);
    double[] expected = AttentionReference.of(mixer, x);
    for (int chunk : new int[] {1, 3, 50, TOKENS}) {
      float[] actual = RandomMixer.run(List.of(mixer), x, chunk, 1).getFirst();
      for (int i = 0; i < expected.length; i++) {
        assertEquals(expected[i], actual[i], TOLERANCE, "chunks of " + chunk + ", value " + i);
      }
    }
  }

  /** A token's mapped queries are numHeads · (latentSize + rotaryDim) elements. */
  @ParameterizedTest
  @EnumSource(names = {"QUERY_OF_LATENT", "LATENT_OF_THREE_PANELS"})
  void howManyQueriesAreMappedAtOnceDoesNotChangeABit(LatentKind kind) {
    TokenMixer.Latent config = (TokenMixer.Latent) kind.mixer.config();
    int perToken = config.numHeads() * config.cachedSize();
    float[] x = RandomMixer.inputs(112, 14);
    List<RandomMixer> mixers = List.of(kind.mixer);
    float[] whole = RandomMixer.run(mixers, x, 56, 2, KvType.F32).getFirst();
    for (int tokens : new int[] {7, 8, 14, 15}) { // all multiplied as batches, 15 with a rest of 11
      int maxMapped = (tokens + 1) * perToken - 1;
      float[] cut = RandomMixer.run(mixers, x, 56, 2, KvType.F32, maxMapped).getFirst();
      assertArrayEquals(whole, cut, tokens + " tokens");
    }
    float[] one = RandomMixer.run(mixers, x, 56, 2, KvType.F32, 1).getFirst();
    for (int i = 0; i < whole.length; i++) {
      assertEquals(whole[i], one[i], TOLERANCE, "value " + i);
    }
  }

  /** Batches that are all multiplied as such: what is left to differ is attention. */
  @ParameterizedTest
  @EnumSource(names = {"PLAIN", "WINDOW", "SINKS_AND_WINDOW"})
  void theCutOfABatchDoesNotChangeABit(Kind kind) {
    float[] x = RandomMixer.inputs(1100, 11); // more than a span
    float[] whole = RandomMixer.run(List.of(kind.mixer), x, 1100, 2).getFirst();
    for (int chunk : new int[] {20, 110}) {
      assertArrayEquals(whole, RandomMixer.run(List.of(kind.mixer), x, chunk, 2).getFirst());
    }
  }

  /** Several spans, which few tokens share among threads and many do not. */
  @Test
  void longContextsEqualTheReference() {
    int tokens = 2200;
    float[] x = RandomMixer.inputs(tokens, 12);
    for (RandomMixer mixer : List.of(Kind.SINKS.mixer, LatentKind.LATENT_OF_THREE_PANELS.mixer)) {
      double[] expected = AttentionReference.of(mixer, x);
      for (int chunk : new int[] {10, tokens}) {
        float[] one = RandomMixer.run(List.of(mixer), x, chunk, 1).getFirst();
        for (int i = 0; i < expected.length; i++) {
          assertEquals(expected[i], one[i], TOLERANCE, "chunks of " + chunk + ", value " + i);
        }
        assertArrayEquals(one, RandomMixer.run(List.of(mixer), x, chunk, 3).getFirst());
      }
    }
  }

  /** A half has 11 significant bits; results are about 1 and mix many of them. */
  @ParameterizedTest
  @EnumSource
  void halfPrecisionKeysAndValuesChangeLittle(Kind kind) {
    float[] x = RandomMixer.inputs(TOKENS, 13);
    float[] single = RandomMixer.run(List.of(kind.mixer), x, 50, 1, KvType.F32).getFirst();
    float[] half = RandomMixer.run(List.of(kind.mixer), x, 50, 1, KvType.F16).getFirst();
    double error = 0;
    double energy = 0;
    for (int i = 0; i < single.length; i++) {
      error += Math.pow(half[i] - single[i], 2);
      energy += Math.pow(single[i], 2);
    }
    double relative = Math.sqrt(error / energy);
    assertTrue(relative > 0 && relative < 0x1p-10, kind + ": " + relative);
  }

  @Test
  void layersOfDifferentKindsShareBuffers() {
    List<RandomMixer> layers =
        List.of(
            new RandomMixer(
                new TokenMixer.GroupedQuery(
                    6, 3, 16, QkNorm.NONE, false, false, false, false, 9, 0.2f, WHOLE_HEAD),
                Rotation.none(1),
                50),
            Kind.GATED.mixer,
            LatentKind.QUERY_OF_LATENT.mixer,
            Kind.SINKS_AND_WINDOW.mixer,
            LatentKind.QUERY_OF_INPUT.mixer);
    float[] x = RandomMixer.inputs(60, 8);
    List<float[]> together = RandomMixer.run(layers, x, 17, 1);
    for (int layer = 0; layer < layers.size(); layer++) {
      float[] alone = RandomMixer.run(List.of(layers.get(layer)), x, 17, 1).getFirst();
      assertArrayEquals(alone, together.get(layer), "layer " + layer);
    }
  }

  @Test
  void threadsDoNotChangeABit() {
    List<RandomMixer> layers =
        List.of(
            Kind.PLAIN.mixer,
            Kind.SINKS_AND_WINDOW.mixer,
            Kind.GATED.mixer,
            LatentKind.QUERY_OF_ROTATED_LATENT.mixer);
    float[] x = RandomMixer.inputs(TOKENS, 9);
    for (int chunk : new int[] {1, TOKENS}) {
      List<float[]> expected = RandomMixer.run(layers, x, chunk, 1);
      for (int threads = 2; threads <= 3; threads++) {
        List<float[]> actual = RandomMixer.run(layers, x, chunk, threads);
        for (int layer = 0; layer < layers.size(); layer++) {
          assertArrayEquals(expected.get(layer), actual.get(layer), "layer " + layer);
        }
      }
    }
  }
}
