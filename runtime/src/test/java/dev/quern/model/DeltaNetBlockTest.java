package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.experts.ExpertStore;
import dev.quern.kernels.Activations;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.MatMul;
import dev.quern.kernels.ScalarKernels;
import dev.quern.model.TokenMixer.DeltaNet.HeadOrder;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Gated DeltaNet against its definition, token by token in float64. */
class DeltaNetBlockTest {
  private static final int HIDDEN = 48;
  private static final float EPSILON = 1e-6f;

  /** Float32 against float64; the recurrence carries the rounding of 130 tokens. */
  private static final double TOLERANCE = 5e-5;

  private static TokenMixer.DeltaNet shape(
      int keyHeads, int valueHeads, int keyDim, int valueDim, int kernel, HeadOrder order) {
    return new TokenMixer.DeltaNet(keyHeads, valueHeads, keyDim, valueDim, kernel, order);
  }

  private static Stream<TokenMixer.DeltaNet> shapes() {
    return Stream.of(
        shape(2, 4, 16, 16, 4, HeadOrder.GROUPED),
        shape(2, 4, 16, 16, 4, HeadOrder.TILED),
        shape(2, 6, 24, 10, 2, HeadOrder.TILED),
        shape(3, 3, 8, 64, 4, HeadOrder.GROUPED),
        shape(1, 2, 20, 70, 1, HeadOrder.GROUPED)); // two panels, the second of 6 columns
  }

  private static final class Fixture {
    private final TokenMixer.DeltaNet config;
    private final TestLinear query;
    private final TestLinear key;
    private final TestLinear value;
    private final TestLinear gate;
    private final TestLinear beta;
    private final TestLinear alpha;
    private final TestLinear output;
    private final Weights.DeltaNet weights;

    Fixture(TokenMixer.DeltaNet config) {
      this.config = config;
      SplittableRandom random = new SplittableRandom(21);
      query = TestLinear.random(random, config.keySize(), HIDDEN);
      key = TestLinear.random(random, config.keySize(), HIDDEN);
      value = TestLinear.random(random, config.valueSize(), HIDDEN);
      gate = TestLinear.random(random, config.valueSize(), HIDDEN);
      beta = TestLinear.random(random, config.numValueHeads(), HIDDEN);
      alpha = TestLinear.random(random, config.numValueHeads(), HIDDEN);
      output = TestLinear.random(random, HIDDEN, config.valueSize());
      float[] decay = new float[config.numValueHeads()];
      for (int head = 0; head < decay.length; head++) { // from long memory to almost none
        decay[head] = (float) -Math.exp(5.0 * head / decay.length - 3);
      }
      weights =
          new Weights.DeltaNet(
              config,
              query.linear(),
              key.linear(),
              value.linear(),
              gate.linear(),
              beta.linear(),
              alpha.linear(),
              TestLinear.gaussian(random, config.channels() * config.kernelSize(), 0.7),
              decay,
              TestLinear.gaussian(random, config.numValueHeads(), 1),
              TestLinear.gaussian(random, config.valueDim(), 1),
              output.linear());
    }

    ModelConfig model() {
      ModelConfig.Layer layer = new ModelConfig.Layer(config, new FeedForward.Dense(1));
      return new ModelConfig(
          "test", HIDDEN, 10, 10, EPSILON, true, new Activation.SwiGlu(), List.of(layer));
    }

    /** The tokens in batches of at most the given sizes, in turn. */
    float[] run(float[] x, int threads, int... batches) {
      Kernels kernels = Kernels.best();
      try (MatMul matMul = MatMul.create(kernels, threads, Activations.F32)) {
        return run(block(kernels, matMul), matMul, x, batches);
      }
    }

    DeltaNetBlock block(Kernels kernels, MatMul matMul) {
      float[] none = {};
      TestLinear one = new TestLinear(1, 1, new float[1]); // an MLP that nothing here runs
      ExpertStore.Expert mlp = new ExpertStore.Expert(one.linear(), one.linear(), one.linear());
      List<Weights.Layer> layers =
          List.of(new Weights.Layer(none, weights, none, new Weights.DenseMlp(mlp)));
      Products products = new Products(matMul, kernels);
      return new DeltaNetBlock(model(), layers, kernels, matMul.workers(), products);
    }

    float[] run(DeltaNetBlock block, MatMul matMul, float[] x, int... batches) {
      Rows input = new Rows(matMul.workers(), HIDDEN);
      float[] all = new float[x.length];
      int tokens = x.length / HIDDEN;
      for (int first = 0, i = 0; first < tokens; i++) {
        int count = Math.min(batches[i % batches.length], tokens - first);
        System.arraycopy(x, first * HIDDEN, input.start(count), 0, count * HIDDEN);
        float[] result = new float[count * HIDDEN];
        block.run(0, input, count, result);
        System.arraycopy(result, 0, all, first * HIDDEN, result.length);
        first += count;
      }
      return all;
    }

    double[][] reference(float[] x) {
      int tokens = x.length / HIDDEN;
      double[][] inputs = new double[tokens][];
      double[][] results = new double[tokens][];
      double[][][] states = new double[config.numValueHeads()][config.keyDim()][config.valueDim()];
      for (int t = 0; t < tokens; t++) {
        double[] hidden = TestLinear.row(x, t, HIDDEN);
        inputs[t] = concat(query.apply(hidden), key.apply(hidden), value.apply(hidden));
        double[] mixed = convolve(inputs, t);
        double[] gates = gate.apply(hidden);
        double[] betas = beta.apply(hidden);
        double[] alphas = alpha.apply(hidden);
        double[] heads = new double[config.valueSize()];
        for (int head = 0; head < config.numValueHeads(); head++) {
          int keyHead =
              config.headOrder() == HeadOrder.TILED
                  ? head % config.numKeyHeads()
                  : head / (config.numValueHeads() / config.numKeyHeads());
          double time = Math.log1p(Math.exp(alphas[head] + weights.timeBias()[head]));
          double[] out =
              step(
                  states[head],
                  normalised(mixed, keyHead * config.keyDim()),
                  normalised(mixed, config.keySize() + keyHead * config.keyDim()),
                  Arrays.copyOfRange(
                      mixed,
                      2 * config.keySize() + head * config.valueDim(),
                      2 * config.keySize() + (head + 1) * config.valueDim()),
                  Math.exp(weights.decay()[head] * time),
                  1 / (1 + Math.exp(-betas[head])));
          double squares = Arrays.stream(out).map(v -> v * v).sum();
          for (int j = 0; j < out.length; j++) {
            double z = gates[head * config.valueDim() + j];
            heads[head * config.valueDim() + j] =
                out[j]
                    / Math.sqrt(squares / out.length + EPSILON)
                    * weights.norm()[j]
                    * (z / (1 + Math.exp(-z)));
          }
        }
        results[t] = output.apply(heads);
      }
      return results;
    }

    private static double[] concat(double[]... parts) {
      return Stream.of(parts).flatMapToDouble(Arrays::stream).toArray();
    }

    private double[] convolve(double[][] inputs, int t) {
      double[] mixed = new double[config.channels()];
      for (int c = 0; c < mixed.length; c++) {
        for (int back = 0; back < config.kernelSize() && back <= t; back++) {
          int tap = config.kernelSize() - 1 - back;
          mixed[c] += weights.convolution()[c * config.kernelSize() + tap] * inputs[t - back][c];
        }
        mixed[c] /= 1 + Math.exp(-mixed[c]);
      }
      return mixed;
    }

    private double[] normalised(double[] mixed, int at) {
      double[] x = Arrays.copyOfRange(mixed, at, at + config.keyDim());
      double squares = Arrays.stream(x).map(v -> v * v).sum();
      return Arrays.stream(x).map(v -> v / Math.sqrt(squares + 1e-6)).toArray();
    }

    private double[] step(
        double[][] state, double[] q, double[] k, double[] v, double decay, double beta) {
      double[] out = new double[v.length];
      for (int j = 0; j < v.length; j++) {
        double recalled = 0;
        for (int i = 0; i < k.length; i++) {
          state[i][j] *= decay;
          recalled += state[i][j] * k[i];
        }
        double delta = (v[j] - recalled) * beta;
        for (int i = 0; i < k.length; i++) {
          state[i][j] += k[i] * delta;
          out[j] += state[i][j] * q[i] / Math.sqrt(k.length);
        }
      }
      return out;
    }
  }

  private static float[] input(int tokens) {
    return TestLinear.gaussian(new SplittableRandom(77), tokens * HIDDEN, 1);
  }

  private static void assertClose(double[][] expected, float[] actual) {
    for (int t = 0; t < expected.length; t++) {
      double[] row = TestLinear.row(actual, t, HIDDEN);
      assertArrayEquals(expected[t], row, TOLERANCE, "token " + t);
    }
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void everyCutEqualsTheDefinition(TokenMixer.DeltaNet shape) {
    Fixture fixture = new Fixture(shape);
    float[] x = input(130);
    double[][] expected = fixture.reference(x);
    for (int batch : new int[] {1, 3, 50, 64, 65, 130}) {
      assertClose(expected, fixture.run(x, 1, batch));
    }
    assertClose(expected, fixture.run(x, 1, 2, 7, 1, 64, 1, 4));
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void resultsDoNotDependOnThreads(TokenMixer.DeltaNet shape) {
    Fixture fixture = new Fixture(shape);
    float[] x = input(130);
    assertArrayEquals(fixture.run(x, 1, 90, 1), fixture.run(x, 3, 90, 1));
  }

  @Test
  void aClearedStateIsThatOfANewBlock() {
    Fixture fixture = new Fixture(shape(2, 4, 16, 16, 4, HeadOrder.GROUPED));
    float[] x = input(20);
    Kernels kernels = Kernels.best();
    try (MatMul matMul = MatMul.create(kernels, 1, Activations.F32)) {
      DeltaNetBlock block = fixture.block(kernels, matMul);
      float[] first = fixture.run(block, matMul, x, 6);
      float[] next = fixture.run(block, matMul, x, 6);
      block.clear();
      assertArrayEquals(first, fixture.run(block, matMul, x, 6));
      assertFalse(Arrays.equals(first, next), "the state had no effect");
    }
  }

  @Test
  void aTokenAllocatesNothing() {
    Fixture fixture = new Fixture(shape(2, 4, 16, 16, 4, HeadOrder.GROUPED));
    Kernels kernels = new ScalarKernels();
    try (MatMul matMul = MatMul.create(kernels, 1, Activations.F32)) {
      DeltaNetBlock block = fixture.block(kernels, matMul);
      Rows input = new Rows(matMul.workers(), HIDDEN);
      float[] x = input(1);
      float[] result = new float[HIDDEN];
      long bytes =
          Allocations.bytesPerRun(() -> {
            System.arraycopy(x, 0, input.start(1), 0, HIDDEN);
            block.run(0, input, 1, result);
          });
      assertTrue(bytes < 16, "bytes per token: " + bytes);
    }
  }
}
