package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.experts.ExpertStore;
import dev.quern.experts.ResidentExperts;
import dev.quern.kernels.Activations;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.MatMul;
import dev.quern.kernels.ScalarKernels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Dense MLPs and mixtures of experts against float64. */
class MlpBlockTest {
  private static final int CHUNK = 512;
  private static final int[] ID = {0};
  private static final int HIDDEN = 40;
  private static final int EXPERTS = 7;
  private static final int TOP_K = 3;
  private static final int EXPERT_SIZE = 24;
  private static final int SHARED_SIZE = 56;
  private static final Activation CLAMPED = new Activation.ClampedSwiGlu(0.8f, 1.702f);

  /** Float32 sums over 56 products of values near 1. */
  private static final double TOLERANCE = 1e-5;

  /** Layers 0 and 3 are dense, of different sizes; 1 and 2 have experts. */
  private record Case(boolean biases, int sharedSize, boolean sharedGate, Activation activation) {
    FeedForward.Experts experts() {
      Routing routing =
          new Routing(Routing.Score.SIGMOID, true, true, 1, 1, Routing.GroupScore.BEST, true, 1.5f);
      return new FeedForward.Experts(
          EXPERTS, TOP_K, EXPERT_SIZE, biases, sharedSize, sharedGate, routing);
    }

    ModelConfig config() {
      TokenMixer mixer =
          new TokenMixer.DeltaNet(1, 1, 1, 1, 1, TokenMixer.DeltaNet.HeadOrder.GROUPED);
      List<ModelConfig.Layer> layers =
          Stream.of(new FeedForward.Dense(48), experts(), experts(), new FeedForward.Dense(80))
              .map(f -> new ModelConfig.Layer(mixer, f))
              .toList();
      return new ModelConfig("test", HIDDEN, 10, 10, 1e-6f, true, activation, layers);
    }
  }

  private static Stream<Case> cases() {
    Activation swiGlu = new Activation.SwiGlu();
    return Stream.of(
        new Case(false, 0, false, swiGlu),
        new Case(true, 0, false, CLAMPED),
        new Case(false, SHARED_SIZE, false, swiGlu),
        new Case(true, SHARED_SIZE, true, CLAMPED));
  }

  private record TestExpert(TestLinear gate, TestLinear up, TestLinear down) {
    static TestExpert random(SplittableRandom random, int size) {
      return new TestExpert(
          TestLinear.random(random, size, HIDDEN),
          TestLinear.random(random, size, HIDDEN),
          TestLinear.random(random, HIDDEN, size));
    }

    ExpertStore.Expert expert() {
      return new ExpertStore.Expert(gate.linear(), up.linear(), down.linear());
    }

    double[] apply(double[] x, Activation activation) {
      return apply(x, activation, new double[gate.rows()], new double[gate.rows()]);
    }

    double[] apply(double[] x, Activation activation, double[] gateBias, double[] upBias) {
      double[] g = gate.apply(x);
      double[] u = up.apply(x);
      for (int i = 0; i < g.length; i++) {
        g[i] = join(activation, g[i] + gateBias[i], u[i] + upBias[i]);
      }
      return down.apply(g);
    }

    private static double join(Activation activation, double gate, double up) {
      return switch (activation) {
        case Activation.SwiGlu() -> gate / (1 + Math.exp(-gate)) * up;
        case Activation.ClampedSwiGlu(float limit, float alpha) -> {
          double g = Math.min(gate, limit);
          double u = Math.max(-limit, Math.min(up, limit));
          yield (u + 1) * g / (1 + Math.exp(-alpha * g));
        }
      };
    }
  }

  /** A model's MLPs: the same random numbers for every case. */
  private static final class Fixture {
    private final ModelConfig config;
    private final TestExpert[][] experts = new TestExpert[4][EXPERTS];
    private final TestExpert[] whole = new TestExpert[4]; // dense or shared
    private final TestLinear[] router = new TestLinear[4];
    private final TestLinear[] sharedRouter = new TestLinear[4];
    private final List<Weights.Mlp> mlps = new ArrayList<>();

    Fixture(Case c) {
      config = c.config();
      SplittableRandom random = new SplittableRandom(3);
      for (int layer = 0; layer < 4; layer++) {
        switch (config.layers().get(layer).feedForward()) {
          case FeedForward.Dense(int size) -> {
            whole[layer] = TestExpert.random(random, size);
            mlps.add(new Weights.DenseMlp(whole[layer].expert()));
          }
          case FeedForward.Experts e -> mlps.add(moe(e, layer, random));
        }
      }
    }

    private Weights.MoeMlp moe(FeedForward.Experts e, int layer, SplittableRandom random) {
      router[layer] = TestLinear.random(random, EXPERTS, HIDDEN);
      sharedRouter[layer] = TestLinear.random(random, 1, HIDDEN);
      whole[layer] = TestExpert.random(random, SHARED_SIZE);
      Arrays.setAll(experts[layer], i -> TestExpert.random(random, EXPERT_SIZE));
      int inner = e.biases() ? EXPERTS * EXPERT_SIZE : 0;
      int outer = e.biases() ? EXPERTS * HIDDEN : 0;
      return new Weights.MoeMlp(
          e,
          router[layer].linear(),
          TestLinear.gaussian(random, EXPERTS, 0.5),
          TestLinear.gaussian(random, EXPERTS, 0.5),
          TestLinear.gaussian(random, inner, 0.5),
          TestLinear.gaussian(random, inner, 0.5),
          TestLinear.gaussian(random, outer, 0.5),
          e.sharedSize() == 0
              ? Optional.empty()
              : Optional.of(
                  new Weights.SharedExpert(
                      whole[layer].expert(),
                      e.sharedGate()
                          ? Optional.of(sharedRouter[layer].linear())
                          : Optional.empty())));
    }

    private ExpertStore store() {
      List<List<ExpertStore.Expert>> layers = new ArrayList<>();
      for (TestExpert[] layer : experts) {
        layers.add(
            layer[0] == null ? List.of() : Stream.of(layer).map(TestExpert::expert).toList());
      }
      return new ResidentExperts(layers);
    }

    /** Every layer applied to the same tokens, [layers, tokens, HIDDEN]. */
    float[][] run(float[] x, int tokens, int threads) {
      return run(x, tokens, threads, CHUNK);
    }

    float[][] run(float[] x, int tokens, int threads, int chunk) {
      Kernels kernels = Kernels.best();
      float[][] results = new float[4][];
      try (MatMul matMul = MatMul.create(kernels, threads, Activations.F32)) {
        Products products = new Products(matMul, kernels);
        MlpBlock block =
            new MlpBlock(
                config, kernels, matMul.workers(), products, store(), RunOptions.PLAIN, chunk);
        Rows input = new Rows(matMul.workers(), HIDDEN);
        for (int layer = 0; layer < 4; layer++) {
          System.arraycopy(x, 0, input.start(tokens), 0, tokens * HIDDEN);
          results[layer] = new float[tokens * HIDDEN];
          block.run(mlps.get(layer), layer, input, tokens, 0, new int[tokens], 0, results[layer]);
        }
      }
      return results;
    }

    double[] reference(int layer, double[] x) {
      return switch (mlps.get(layer)) {
        case Weights.DenseMlp dense -> whole[layer].apply(x, config.activation());
        case Weights.MoeMlp moe -> referenceOfExperts(moe, layer, x);
      };
    }

    private double[] referenceOfExperts(Weights.MoeMlp moe, int layer, double[] x) {
      double[] logits = router[layer].apply(x);
      double[] sums = new double[HIDDEN];
      double[] scores = new double[EXPERTS];
      List<Integer> order = new ArrayList<>();
      for (int e = 0; e < EXPERTS; e++) {
        scores[e] = 1 / (1 + Math.exp(-logits[e] - moe.routerBias()[e]));
        order.add(e);
      }
      order.sort((a, b) ->
          Double.compare(scores[b] + moe.selectionBias()[b], scores[a] + moe.selectionBias()[a]));
      List<Integer> chosen = order.subList(0, TOP_K);
      double total = chosen.stream().mapToDouble(e -> scores[e]).sum();
      boolean biases = moe.config().biases();
      for (int e : chosen) {
        double[] gateBias =
            biases ? TestLinear.row(moe.gateBias(), e, EXPERT_SIZE) : new double[EXPERT_SIZE];
        double[] upBias =
            biases ? TestLinear.row(moe.upBias(), e, EXPERT_SIZE) : new double[EXPERT_SIZE];
        double[] downBias = biases ? TestLinear.row(moe.downBias(), e, HIDDEN) : new double[HIDDEN];
        double[] y = experts[layer][e].apply(x, config.activation(), gateBias, upBias);
        for (int i = 0; i < HIDDEN; i++) {
          sums[i] += 1.5 * scores[e] / total * (y[i] + downBias[i]);
        }
      }
      if (moe.shared().isPresent()) {
        double gate = sharedRouter[layer].apply(x)[0];
        double weight = moe.config().sharedGate() ? 1 / (1 + Math.exp(-gate)) : 1;
        double[] y = whole[layer].apply(x, config.activation());
        for (int i = 0; i < HIDDEN; i++) {
          sums[i] += weight * y[i];
        }
      }
      return sums;
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void everyLayerEqualsTheReferenceForEveryBatch(Case c) {
    Fixture fixture = new Fixture(c);
    for (int tokens : new int[] {1, 2, 5, 33}) {
      float[] x = TestLinear.gaussian(new SplittableRandom(tokens), tokens * HIDDEN, 1);
      float[][] results = fixture.run(x, tokens, 1);
      for (int layer = 0; layer < 4; layer++) {
        for (int token = 0; token < tokens; token++) {
          double[] expected = fixture.reference(layer, TestLinear.row(x, token, HIDDEN));
          double[] actual = TestLinear.row(results[layer], token, HIDDEN);
          assertArrayEquals(expected, actual, TOLERANCE, "layer " + layer + ", token " + token);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void resultsDoNotDependOnThreads(Case c) {
    Fixture fixture = new Fixture(c);
    int tokens = 150; // enough work for threads to be woken
    float[] x = TestLinear.gaussian(new SplittableRandom(9), tokens * HIDDEN, 1);
    float[][] one = fixture.run(x, tokens, 1);
    float[][] three = fixture.run(x, tokens, 3);
    for (int layer = 0; layer < 4; layer++) {
      assertArrayEquals(one[layer], three[layer], "layer " + layer);
    }
  }

  /** A batch larger than a chunk is computed in waves, which add to the results in turn. */
  @ParameterizedTest
  @MethodSource("cases")
  void wavesGiveWhatOneBatchGives(Case c) {
    Fixture fixture = new Fixture(c);
    int tokens = 150;
    float[] x = TestLinear.gaussian(new SplittableRandom(9), tokens * HIDDEN, 1);
    float[][] whole = fixture.run(x, tokens, 1, CHUNK);
    for (int chunk : new int[] {149, 64, 32, 10}) {
      float[][] waves = fixture.run(x, tokens, 2, chunk);
      for (int layer = 0; layer < 4; layer++) {
        // Pieces of few rows are multiplied by another kernel: equal up to rounding.
        String where = "chunk " + chunk + ", layer " + layer;
        assertArrayEquals(whole[layer], waves[layer], (float) TOLERANCE, where);
      }
    }
  }

  /** One block serves layers of all kinds, in any order: what one leaves must not reach another. */
  @ParameterizedTest
  @MethodSource("cases")
  void aLargeBatchLeavesNothingBehind(Case c) {
    Fixture fixture = new Fixture(c);
    float[] x = TestLinear.gaussian(new SplittableRandom(5), 20 * HIDDEN, 1);
    Kernels kernels = Kernels.best();
    try (MatMul matMul = MatMul.create(kernels, 1, Activations.F32)) {
      Products products = new Products(matMul, kernels);
      MlpBlock block =
          new MlpBlock(
              fixture.config,
              kernels,
              matMul.workers(),
              products,
              fixture.store(),
              RunOptions.PLAIN,
              CHUNK);
      Rows input = new Rows(matMul.workers(), HIDDEN);
      float[] result = new float[20 * HIDDEN];
      for (int layer : new int[] {3, 2, 1, 0}) {
        System.arraycopy(x, 0, input.start(20), 0, x.length);
        block.run(fixture.mlps.get(layer), layer, input, 20, 0, new int[20], 0, result);
        System.arraycopy(x, 0, input.start(1), 0, HIDDEN);
        block.run(fixture.mlps.get(layer), layer, input, 1, 0, ID, 0, result);
        double[] expected = fixture.reference(layer, TestLinear.row(x, 0, HIDDEN));
        assertArrayEquals(expected, TestLinear.row(result, 0, HIDDEN), TOLERANCE);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void aTokenAllocatesNothing(Case c) {
    Fixture fixture = new Fixture(c);
    Kernels kernels = new ScalarKernels();
    try (MatMul matMul = MatMul.create(kernels, 1, Activations.F32)) {
      Products products = new Products(matMul, kernels);
      MlpBlock block =
          new MlpBlock(
              fixture.config,
              kernels,
              matMul.workers(),
              products,
              fixture.store(),
              RunOptions.PLAIN,
              CHUNK);
      Rows input = new Rows(matMul.workers(), HIDDEN);
      float[] x = TestLinear.gaussian(new SplittableRandom(5), HIDDEN, 1);
      float[] result = new float[HIDDEN];
      long bytes =
          Allocations.bytesPerRun(() -> {
            for (int layer = 0; layer < 4; layer++) {
              System.arraycopy(x, 0, input.start(1), 0, HIDDEN);
              block.run(fixture.mlps.get(layer), layer, input, 1, 0, ID, 0, result);
            }
          });
      assertTrue(bytes < 16, "bytes per token: " + bytes);
    }
  }
}
