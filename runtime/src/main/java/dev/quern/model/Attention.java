package dev.quern.model;

import dev.quern.kernels.Kernels;
import dev.quern.kernels.Workers;
import dev.quern.kv.KvCache;
import java.util.HashMap;
import java.util.Map;

/**
 * Causal attention with grouped queries (GQA): numHeads / numKvHeads queries share a key and value
 * head. Layers may differ in all of {@link TokenMixer.GroupedQuery}. Sources: arXiv 1706.03762,
 * 2305.13245; sinks: arXiv 2309.17453 and gpt-oss; output gate: arXiv 2505.06708.
 */
final class Attention {
  private final float epsilon;
  private final Kernels kernels;
  private final Workers workers;
  private final Products products;
  private final KvCache cache;
  private final Ropes ropes;
  private final Rows[] outputs; // per layer; layers of one width share theirs
  private final CausalAttention causal;
  private final CausalAttention.Shape[] shapes; // per layer with grouped queries
  private final Workers.Task prepareToken = this::prepareToken;
  private final Workers.Task prepareKey = this::prepareKey;
  private final Workers.Task storeTile = this::storeTile;
  private final Workers.Task gateToken = this::gateToken;
  private float[] queries = {};
  private float[] gatedQueries = {}; // [token, head, {query, gate}]
  private float[] keys = {};
  private float[] values = {};

  // What the tasks work on.
  private Weights.GroupedQuery layer;
  private TokenMixer.GroupedQuery config;
  private int layerIndex;
  private int tokens;
  private int start;
  private float[] out;

  Attention(
      ModelConfig model,
      Kernels kernels,
      Workers workers,
      Products products,
      KvCache cache,
      Ropes ropes) {
    epsilon = model.rmsNormEpsilon();
    this.kernels = kernels;
    this.workers = workers;
    this.products = products;
    this.cache = cache;
    this.ropes = ropes;
    causal = new CausalAttention(kernels, workers, cache);
    Map<Integer, Rows> ofWidth = new HashMap<>();
    outputs = new Rows[model.numLayers()];
    shapes = new CausalAttention.Shape[model.numLayers()];
    for (int l = 0; l < outputs.length; l++) {
      if (model.layers().get(l).mixer() instanceof TokenMixer.GroupedQuery m) {
        outputs[l] = ofWidth.computeIfAbsent(m.querySize(), w -> new Rows(workers, w));
        shapes[l] = shape(m);
      }
    }
  }

  static CausalAttention.Shape shape(TokenMixer.GroupedQuery m) {
    return new CausalAttention.Shape(
        m.numHeads(), m.numKvHeads(), m.headDim(), m.headDim(), false, m.window(), m.scale());
  }

  /** What a layer caches per position. */
  static KvCache.Shape cached(TokenMixer.GroupedQuery config) {
    return new KvCache.Shape(config.numKvHeads(), config.headDim(), config.headDim());
  }

  /**
   * Computes attention of newTokens tokens from position newStart on and stores their keys and
   * values.
   *
   * @param input normed hidden states, a row per token
   * @param result [tokens, hiddenSize], written
   */
  void run(
      Weights.GroupedQuery newLayer,
      int index,
      Rows input,
      int newTokens,
      int newStart,
      float[] result) {
    layer = newLayer;
    config = newLayer.config();
    tokens = newTokens;
    queries = Rows.grown(queries, tokens, config.querySize());
    out = outputs[index].start(tokens);
    if (config.gated()) {
      gatedQueries = Rows.grown(gatedQueries, tokens, 2 * config.querySize());
    }
    float[] projected = config.gated() ? gatedQueries : queries;
    products.add(layer.query(), input, 0, tokens, projected, 0);
    storeKeysAndValues(index, input, newStart, prepareToken);
    causal.run(shapes[index], index, layer.sinks(), queries, out, tokens, start);
    if (config.gated()) {
      workers.run(tokens, (long) tokens * config.querySize(), gateToken);
    }
    products.add(layer.output(), outputs[index], 0, tokens, result, 0);
    products.run();
    int hidden = layer.outputBias().length;
    for (int token = 0; hidden > 0 && token < tokens; token++) {
      kernels.axpy(1, layer.outputBias(), 0, result, token * hidden, hidden);
    }
  }

  /**
   * Stores keys and values of tokens whose attention nobody asks for.
   *
   * @param input normed hidden states, a row per token
   */
  void remember(Weights.GroupedQuery newLayer, int index, Rows input, int newTokens, int newStart) {
    layer = newLayer;
    config = newLayer.config();
    tokens = newTokens;
    storeKeysAndValues(index, input, newStart, prepareKey);
  }

  /**
   * Also runs products that were added before.
   *
   * @param prepare what is done to each token after the products
   */
  private void storeKeysAndValues(int index, Rows input, int newStart, Workers.Task prepare) {
    layerIndex = index;
    start = newStart;
    keys = Rows.grown(keys, tokens, config.keyValueSize());
    values = Rows.grown(values, tokens, config.keyValueSize());
    products.add(layer.key(), input, 0, tokens, keys, 0);
    products.add(layer.value(), input, 0, tokens, values, 0);
    products.run();
    workers.run(tokens, (long) tokens * config.querySize(), prepare);
    workers.run(KvCache.tiles(start, tokens), (long) tokens * config.keyValueSize(), storeTile);
  }

  /** Adds biases, norms and turns queries and keys of a token. */
  private void prepareToken(int token, int thread) {
    int query = token * config.querySize();
    if (config.gated()) {
      addBias(layer.queryBias(), gatedQueries, 2 * query);
      takeQueries(2 * query, query);
    } else {
      addBias(layer.queryBias(), queries, query);
    }
    prepareHeads(queries, query, config.numHeads(), layer.queryNorm(), start + token);
    prepareKey(token, thread);
  }

  private void prepareKey(int token, int thread) {
    int key = token * config.keyValueSize();
    addBias(layer.keyBias(), keys, key);
    addBias(layer.valueBias(), values, key);
    prepareHeads(keys, key, config.numKvHeads(), layer.keyNorm(), start + token);
  }

  /** The tokens of one tile of the cache: their keys share cache lines. */
  private void storeTile(int tile, int thread) {
    int first = (start / KvCache.TILE + tile) * KvCache.TILE;
    int end = Math.min(first + KvCache.TILE, start + tokens);
    for (int position = Math.max(first, start); position < end; position++) {
      int at = (position - start) * config.keyValueSize();
      cache.putKey(layerIndex, position, keys, at);
      cache.putValue(layerIndex, position, values, at);
    }
  }

  private void addBias(float[] bias, float[] x, int offset) {
    if (bias.length > 0) {
      kernels.axpy(1, bias, 0, x, offset, bias.length);
    }
  }

  /** The queries of a token without the gates between them. */
  private void takeQueries(int from, int to) {
    int headDim = config.headDim();
    for (int head = 0; head < config.numHeads(); head++) {
      int gated = from + 2 * head * headDim;
      System.arraycopy(gatedQueries, gated, queries, to + head * headDim, headDim);
    }
  }

  private void prepareHeads(float[] x, int offset, int heads, float[] norm, int position) {
    int headDim = config.headDim();
    if (config.qkNorm() == QkNorm.WHOLE) {
      kernels.rmsNorm(x, offset, norm, epsilon, x, offset, heads * headDim);
    }
    Rope rope = ropes.of(layerIndex);
    for (int head = 0; head < heads; head++) {
      int at = offset + head * headDim;
      if (config.qkNorm() == QkNorm.PER_HEAD) {
        kernels.rmsNorm(x, at, norm, epsilon, x, at, headDim);
      }
      rope.apply(x, at, position);
    }
  }

  private void gateToken(int token, int thread) {
    int headDim = config.headDim();
    for (int head = 0; head < config.numHeads(); head++) {
      int at = token * config.querySize() + head * headDim;
      kernels.sigmoidGate(gatedQueries, 2 * at + headDim, out, at, headDim);
    }
  }
}
