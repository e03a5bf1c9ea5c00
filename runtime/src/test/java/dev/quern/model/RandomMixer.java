package dev.quern.model;

import dev.quern.kernels.Activations;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.MatMul;
import dev.quern.kernels.Matrix;
import dev.quern.kv.KvCache;
import dev.quern.kv.KvType;
import dev.quern.quant.Linear;
import dev.quern.quant.Rotation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;

/** Token mixers of random weights, run as the forward pass runs them. */
final class RandomMixer {
  static final int HIDDEN = 40;
  static final float EPSILON = 1e-5f;

  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int MAX_POSITIONS = 2400;

  private final TokenMixer config;
  private final Map<TensorRole, float[]> values = new EnumMap<>(TensorRole.class);
  private final Map<TensorRole, Integer> cols = new EnumMap<>(TensorRole.class);
  private final Rotation rotation;

  /**
   * @param rotation of the input of {@link TensorRole#QUERY_UP}; no other map is rotated
   */
  RandomMixer(TokenMixer config, Rotation rotation, long seed) {
    this.config = config;
    this.rotation = rotation;
    SplittableRandom random = new SplittableRandom(seed);
    ModelConfig model = model(List.of(config));
    for (TensorRole role : TensorShapes.rolesOf(model.layers().getFirst())) {
      List<Long> shape = model.shape(new TensorKey(role, 0, -1));
      int width = Math.toIntExact(shape.getLast());
      float[] weights = new float[shape.size() == 1 ? width : shape.getFirst().intValue() * width];
      boolean isNorm = role.label().startsWith("norm");
      double mean = isNorm ? 1 : 0;
      double deviation = isNorm ? 0.3 : shape.size() == 1 ? 1 : 1.5 / Math.sqrt(width);
      for (int i = 0; i < weights.length; i++) {
        weights[i] = (float) (mean + deviation * random.nextGaussian());
      }
      values.put(role, weights);
      cols.put(role, width);
    }
  }

  static float[] inputs(int tokens, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] x = new float[tokens * HIDDEN];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) random.nextGaussian();
    }
    return x;
  }

  private static ModelConfig model(List<TokenMixer> mixers) {
    return new ModelConfig(
        "test",
        HIDDEN,
        10,
        MAX_POSITIONS,
        EPSILON,
        true,
        new Activation.SwiGlu(),
        mixers.stream()
            .map(mixer -> new ModelConfig.Layer(mixer, new FeedForward.Dense(8)))
            .toList());
  }

  TokenMixer config() {
    return config;
  }

  /** The tensor of a role; empty where there is none. */
  float[] values(TensorRole role) {
    return values.getOrDefault(role, new float[0]);
  }

  /** W x in double precision. */
  double[] apply(TensorRole role, double[] x) {
    float[] w = values(role);
    double[] y = new double[w.length / x.length];
    for (int i = 0; i < w.length; i++) {
      y[i / x.length] += w[i] * x[i % x.length];
    }
    return y;
  }

  /** The query's latent as the stored map reads it. */
  double[] rotated(double[] x) {
    float[] values = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      values[i] = (float) x[i];
    }
    rotation.apply(values, 0);
    double[] result = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      result[i] = values[i];
    }
    return result;
  }

  /**
   * What each mixer makes of the same inputs.
   *
   * @param x [tokens, HIDDEN]
   * @param chunk tokens that pass together
   * @return per mixer [tokens, HIDDEN]
   */
  static List<float[]> run(List<RandomMixer> mixers, float[] x, int chunk, int threads) {
    return run(mixers, x, chunk, threads, KvType.F32);
  }

  static List<float[]> run(
      List<RandomMixer> mixers, float[] x, int chunk, int threads, KvType kvType) {
    return run(mixers, x, chunk, threads, kvType, LatentAttention.MAX_MAPPED);
  }

  /**
   * @param maxMapped elements of queries that latent attention maps at once
   */
  static List<float[]> run(
      List<RandomMixer> mixers, float[] x, int chunk, int threads, KvType kvType, int maxMapped) {
    ModelConfig model = model(mixers.stream().map(RandomMixer::config).toList());
    Kernels kernels = Kernels.best();
    List<float[]> results = new ArrayList<>();
    try (MatMul matMul = MatMul.create(kernels, threads, Activations.F32);
        Arena arena = Arena.ofShared()) {
      Products products = new Products(matMul, kernels);
      KvCache cache = new KvCache(kvType, Session.cached(model), MAX_POSITIONS);
      Ropes ropes = new Ropes(model, MAX_POSITIONS);
      Attention attention = new Attention(model, kernels, matMul.workers(), products, cache, ropes);
      LatentAttention latent =
          new LatentAttention(model, kernels, matMul, products, cache, ropes, maxMapped);
      List<Weights.Mixer> weights = mixers.stream().map(mixer -> mixer.weights(arena)).toList();
      weights.forEach(w -> results.add(new float[x.length]));
      int tokens = x.length / HIDDEN;
      float[] result = new float[chunk * HIDDEN];
      Rows input = new Rows(matMul.workers(), HIDDEN);
      for (int start = 0; start < tokens; start += chunk) {
        int count = Math.min(chunk, tokens - start);
        cache.ensure(start + count);
        ropes.ensure(start + count);
        System.arraycopy(x, start * HIDDEN, input.start(count), 0, count * HIDDEN);
        for (int layer = 0; layer < weights.size(); layer++) {
          switch (weights.get(layer)) {
            case Weights.GroupedQuery w -> attention.run(w, layer, input, count, start, result);
            case Weights.Latent w -> latent.run(w, layer, input, count, start, result);
            case Weights.DeltaNet w -> throw new AssertionError("not attention");
          }
          float[] all = results.get(layer);
          System.arraycopy(result, 0, all, start * HIDDEN, count * HIDDEN);
        }
      }
    }
    return results;
  }

  private Weights.Mixer weights(Arena arena) {
    return switch (config) {
      case TokenMixer.GroupedQuery m ->
          new Weights.GroupedQuery(
              m,
              linear(TensorRole.QUERY, arena),
              linear(TensorRole.KEY, arena),
              linear(TensorRole.VALUE, arena),
              linear(TensorRole.ATTENTION_OUTPUT, arena),
              values(TensorRole.QUERY_BIAS),
              values(TensorRole.KEY_BIAS),
              values(TensorRole.VALUE_BIAS),
              values(TensorRole.ATTENTION_OUTPUT_BIAS),
              values(TensorRole.QUERY_NORM),
              values(TensorRole.KEY_NORM),
              values(TensorRole.SINKS));
      case TokenMixer.Latent m ->
          new Weights.Latent(
              m,
              m.queryRank() == 0
                  ? Optional.empty()
                  : Optional.of(
                      new Weights.QueryDown(
                          linear(TensorRole.QUERY_DOWN, arena),
                          values(TensorRole.QUERY_DOWN_NORM))),
              m.queryRank() == 0
                  ? linear(TensorRole.QUERY, arena)
                  : new Linear(
                      matrix(TensorRole.QUERY_UP, 0, m.querySize(), arena),
                      rotation,
                      Optional.empty()),
              linear(TensorRole.LATENT, arena),
              values(TensorRole.LATENT_NORM),
              perHead(TensorRole.KEY_UP, m.numHeads(), arena),
              perHead(TensorRole.VALUE_UP, m.numHeads(), arena),
              linear(TensorRole.ATTENTION_OUTPUT, arena));
      case TokenMixer.DeltaNet m -> throw new AssertionError("not attention");
    };
  }

  private List<Matrix> perHead(TensorRole role, int heads, Arena arena) {
    int rows = values(role).length / cols.get(role) / heads;
    List<Matrix> matrices = new ArrayList<>();
    for (int head = 0; head < heads; head++) {
      matrices.add(matrix(role, head * rows, rows, arena));
    }
    return matrices;
  }

  private Linear linear(TensorRole role, Arena arena) {
    return Linear.plain(matrix(role, 0, values(role).length / cols.get(role), arena));
  }

  private Matrix matrix(TensorRole role, int firstRow, int rows, Arena arena) {
    int width = cols.get(role);
    MemorySegment data = arena.allocate((long) rows * width * Float.BYTES);
    MemorySegment.copy(values(role), firstRow * width, data, FLOAT, 0, rows * width);
    return new Matrix.Dense(Matrix.Element.F32, rows, width, data);
  }
}
