package dev.quern.model;

import dev.quern.kernels.Kernels;
import dev.quern.kernels.MatMul;
import dev.quern.kernels.Workers;
import dev.quern.kv.KvCache;
import java.util.HashMap;
import java.util.Map;

/**
 * Multi-head latent attention (MLA): one latent vector and one rotary key per token are cached for
 * all heads, and keys and values are never expanded. Source: DeepSeek-V2, arXiv 2405.04434, 2.1 and
 * appendix C.
 *
 * <p>A head's key is K c of the latent c, so that q · K c = (Kᵀ q) · c: each query is mapped to the
 * size of the latent once and meets the cached vectors as they are. Its output is V Σ p c: the map
 * V is applied once, to the weighted sum.
 *
 * <p>The norms of the latents add the model's {@code rms_norm_eps}, as llama.cpp does. Deviation
 * where that is not 1e-6: Hugging Face transformers, modeling_deepseek_v3, adds 1e-6 to these
 * whatever the configuration says.
 */
final class LatentAttention {
  /** Elements of mapped queries at once; bounds the buffers where heads and latents are many. */
  static final int MAX_MAPPED = 4 << 20;

  private static final float[] NO_SINKS = {};

  private final float epsilon;
  private final Kernels kernels;
  private final MatMul matMul;
  private final Workers workers;
  private final Products products;
  private final KvCache cache;
  private final Ropes ropes;
  private final Rows[] queryLatents; // per layer; layers of one width share theirs
  private final Rows[] outputs; // as queryLatents
  private final CausalAttention causal;
  private final CausalAttention.Shape[] shapes; // per layer with latent attention
  private final int maxMapped;
  private final Workers.Task normQueryLatent = this::normQueryLatent;
  private final Workers.Task prepareToken = this::prepareToken;
  private final Workers.Task prepareKey = this::prepareKey;
  private final Workers.Task storeTile = this::storeTile;
  private final Workers.Task placeRotary = this::placeRotary;
  private float[] queryLatent = {};
  private float[] queries = {}; // [token, head, {headDim, rotaryDim}]
  private float[] keys = {}; // [token, {latentSize, rotaryDim}]
  private float[] mapped = {}; // [token − chunk, head, {latentSize, rotaryDim}]
  private float[] context = {}; // [token − chunk, head, latentSize]

  // What the tasks work on.
  private Weights.Latent layer;
  private TokenMixer.Latent config;
  private int layerIndex;
  private int start;
  private int tokens;
  private int chunk; // first token of those whose queries are mapped

  LatentAttention(
      ModelConfig model,
      Kernels kernels,
      MatMul matMul,
      Products products,
      KvCache cache,
      Ropes ropes) {
    this(model, kernels, matMul, products, cache, ropes, MAX_MAPPED);
  }

  /**
   * @param maxMapped elements of mapped queries at once; one token's are mapped together in any
   *     case
   */
  LatentAttention(
      ModelConfig model,
      Kernels kernels,
      MatMul matMul,
      Products products,
      KvCache cache,
      Ropes ropes,
      int maxMapped) {
    this.maxMapped = maxMapped;
    epsilon = model.rmsNormEpsilon();
    this.kernels = kernels;
    this.matMul = matMul;
    workers = matMul.workers();
    this.products = products;
    this.cache = cache;
    this.ropes = ropes;
    causal = new CausalAttention(kernels, workers, cache);
    shapes = new CausalAttention.Shape[model.numLayers()];
    queryLatents = new Rows[model.numLayers()];
    outputs = new Rows[model.numLayers()];
    Map<Integer, Rows> latentOfWidth = new HashMap<>();
    Map<Integer, Rows> outputOfWidth = new HashMap<>();
    for (int l = 0; l < outputs.length; l++) {
      if (model.layers().get(l).mixer() instanceof TokenMixer.Latent m) {
        queryLatents[l] = latentOfWidth.computeIfAbsent(m.queryRank(), w -> new Rows(workers, w));
        outputs[l] = outputOfWidth.computeIfAbsent(outputSize(m), w -> new Rows(workers, w));
        shapes[l] = shape(m);
      }
    }
  }

  /** All heads read one key, whose latent is the value too. */
  static CausalAttention.Shape shape(TokenMixer.Latent m) {
    return new CausalAttention.Shape(
        m.numHeads(), 1, m.cachedSize(), m.latentSize(), true, 0, m.scale());
  }

  /** What a layer caches per position. */
  static KvCache.Shape cached(TokenMixer.Latent config) {
    return new KvCache.Shape(1, config.cachedSize(), 0);
  }

  /** Floats that mapped queries and sums of latents take for a batch of tokens. */
  static long mappedElements(TokenMixer.Latent config, long tokens) {
    long perToken = (long) mappedSize(config) + (long) config.numHeads() * config.latentSize();
    return atOnce(config, tokens, MAX_MAPPED) * perToken;
  }

  private static int atOnce(TokenMixer.Latent config, long tokens, int maxMapped) {
    return Math.toIntExact(Math.clamp(maxMapped / mappedSize(config), 1, tokens));
  }

  private static int mappedSize(TokenMixer.Latent config) {
    return Math.multiplyExact(config.numHeads(), config.cachedSize());
  }

  private static int outputSize(TokenMixer.Latent config) {
    return Math.multiplyExact(config.numHeads(), config.valueDim());
  }

  /**
   * Computes attention of tokens from position newStart on and stores what is cached of them.
   *
   * @param input normed hidden states, a row per token
   * @param result [tokens, hiddenSize], written
   */
  void run(
      Weights.Latent newLayer, int index, Rows input, int newTokens, int newStart, float[] result) {
    begin(newLayer, index, input, newTokens, newStart);
    queries = Rows.grown(queries, tokens, config.querySize());
    if (layer.queryDown().isPresent()) {
      products.add(layer.queryDown().get().map(), input, 0, tokens, latentQueries(tokens), 0);
      products.run();
      workers.run(tokens, (long) tokens * config.queryRank(), normQueryLatent);
      products.add(layer.query(), queryLatents[index], 0, tokens, queries, 0);
    } else {
      products.add(layer.query(), input, 0, tokens, queries, 0);
    }
    store(prepareToken);

    float[] out = outputs[index].start(tokens);
    int atOnce = atOnce(config, tokens, maxMapped);
    mapped = Rows.grown(mapped, atOnce, mappedSize(config));
    context = Rows.grown(context, atOnce, config.numHeads() * config.latentSize());
    for (chunk = 0; chunk < tokens; chunk += atOnce) {
      attendChunk(Math.min(atOnce, tokens - chunk), out);
    }
    products.add(layer.output(), outputs[index], 0, tokens, result, 0);
    products.run();
  }

  /**
   * Stores what is cached of tokens whose attention nobody asks for.
   *
   * @param input normed hidden states, a row per token
   */
  void remember(Weights.Latent newLayer, int index, Rows input, int newTokens, int newStart) {
    begin(newLayer, index, input, newTokens, newStart);
    store(prepareKey);
  }

  private void begin(Weights.Latent newLayer, int index, Rows input, int newTokens, int newStart) {
    tokens = newTokens;
    layer = newLayer;
    config = newLayer.config();
    layerIndex = index;
    start = newStart;
    keys = Rows.grown(keys, tokens, config.cachedSize());
    products.add(layer.latent(), input, 0, tokens, keys, 0);
  }

  /**
   * Runs the products that were added.
   *
   * @param prepare what is done to each token after them
   */
  private void store(Workers.Task prepare) {
    products.run();
    workers.run(tokens, (long) tokens * config.querySize(), prepare);
    workers.run(KvCache.tiles(start, tokens), (long) tokens * config.cachedSize(), storeTile);
  }

  private float[] latentQueries(int tokens) {
    queryLatent = queryLatents[layerIndex].start(tokens);
    return queryLatent;
  }

  private void normQueryLatent(int token, int thread) {
    float[] norm = layer.queryDown().orElseThrow().norm();
    int at = token * config.queryRank();
    kernels.rmsNorm(queryLatent, at, norm, epsilon, queryLatent, at, config.queryRank());
  }

  /** Norms the latent, turns the rotary parts. */
  private void prepareToken(int token, int thread) {
    prepareKey(token, thread);
    Rope rope = ropes.of(layerIndex);
    int headSize = config.querySize() / config.numHeads();
    for (int head = 0; head < config.numHeads(); head++) {
      int query = token * config.querySize() + head * headSize;
      rope.apply(queries, query + config.headDim(), start + token);
    }
  }

  private void prepareKey(int token, int thread) {
    int key = token * config.cachedSize();
    int latentSize = config.latentSize();
    kernels.rmsNorm(keys, key, layer.latentNorm(), epsilon, keys, key, latentSize);
    ropes.of(layerIndex).apply(keys, key + latentSize, start + token);
  }

  /** The tokens of one tile of the cache: what is stored of them shares cache lines. */
  private void storeTile(int tile, int thread) {
    int first = (start / KvCache.TILE + tile) * KvCache.TILE;
    int end = Math.min(first + KvCache.TILE, start + tokens);
    for (int position = Math.max(first, start); position < end; position++) {
      cache.putKey(layerIndex, position, keys, (position - start) * config.cachedSize());
    }
  }

  /** Attention of tokens [chunk, chunk + count), whose keys are all cached. */
  private void attendChunk(int count, float[] out) {
    int querySize = config.querySize();
    int headSize = querySize / config.numHeads();
    for (int head = 0; head < config.numHeads(); head++) {
      int from = chunk * querySize + head * headSize;
      int to = head * config.cachedSize();
      matMul.add(
          layer.keyUp().get(head), queries, from, querySize, count, mapped, to, mappedSize(config));
    }
    matMul.run();
    workers.run(count, (long) count * mappedSize(config), placeRotary);
    causal.run(shapes[layerIndex], layerIndex, NO_SINKS, mapped, context, count, start + chunk);
    int contextSize = config.numHeads() * config.latentSize();
    int outputSize = outputSize(config);
    for (int head = 0; head < config.numHeads(); head++) {
      int from = head * config.latentSize();
      int to = chunk * outputSize + head * config.valueDim();
      matMul.add(layer.valueUp().get(head), context, from, contextSize, count, out, to, outputSize);
    }
    matMul.run();
  }

  /** Puts the rotary part of a token's queries behind their mapped parts. */
  private void placeRotary(int token, int thread) {
    int rotaryDim = config.rope().rotaryDim();
    int headSize = config.querySize() / config.numHeads();
    for (int head = 0; head < config.numHeads(); head++) {
      int from = (chunk + token) * config.querySize() + head * headSize + config.headDim();
      int to = token * mappedSize(config) + head * config.cachedSize() + config.latentSize();
      System.arraycopy(queries, from, mapped, to, rotaryDim);
    }
  }
}
