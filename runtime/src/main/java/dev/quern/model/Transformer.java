package dev.quern.model;

import dev.quern.experts.ExpertGuesses;
import dev.quern.experts.RoutingObserver;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.MatMul;
import dev.quern.kernels.Workers;
import dev.quern.kv.KvCache;
import java.util.Arrays;

/**
 * The forward pass, once for all families. One code for a batch and for a single token; buffers
 * grow to the largest batch and are kept.
 *
 * <p>A batch passes the layers together, so that each layer is visited once; token mixers and dense
 * MLPs take it in chunks, which bounds their buffers.
 */
final class Transformer {
  /** Tokens that mixers and dense MLPs take at once. */
  static final int CHUNK_TOKENS = 512;

  private final ModelConfig config;
  private final Weights weights;
  private final Kernels kernels;
  private final Workers workers;
  private final Products products;
  private final EmbeddingRows embedding;
  private final KvCache cache;
  private final Ropes ropes;
  private final Attention attention;
  private final LatentAttention latentAttention;
  private final DeltaNetBlock deltaNet;
  private final MlpBlock mlp;
  private RoutingObserver[] observers = {}; // an array: iterating allocates nothing
  private boolean everyToken; // must be routed
  private final Rows input;
  private final Rows headInput;
  private final Workers.Task normRow = this::normRow;
  private float[] hidden = {};
  private float[] delta = {};

  // What the task works on.
  private float[] norm;
  private float[] normed;
  private int firstNormed;

  Transformer(
      ModelConfig config,
      Weights weights,
      Kernels kernels,
      MatMul matMul,
      KvCache cache,
      RunOptions options,
      int maxPositions) {
    this.config = config;
    this.weights = weights;
    this.kernels = kernels;
    this.workers = matMul.workers();
    this.products = new Products(matMul, kernels);
    this.embedding = new EmbeddingRows(weights.embedding(), kernels);
    this.cache = cache;
    this.ropes = new Ropes(config, maxPositions);
    this.attention = new Attention(config, kernels, workers, products, cache, ropes);
    this.latentAttention = new LatentAttention(config, kernels, matMul, products, cache, ropes);
    this.deltaNet = new DeltaNetBlock(config, weights.layers(), kernels, workers, products);
    this.mlp =
        new MlpBlock(config, kernels, workers, products, weights.experts(), options, CHUNK_TOKENS);
    this.input = new Rows(workers, config.hiddenSize());
    this.headInput = new Rows(workers, config.hiddenSize());
  }

  void observe(RoutingObserver observer) {
    observers = Arrays.copyOf(observers, observers.length + 1);
    observers[observers.length - 1] = observer;
    everyToken |= observer.everyToken();
    mlp.observe(observer);
  }

  long expertsChosen() {
    return mlp.chosen();
  }

  /** Experts that routers chose but the selection left out. */
  long leftOut() {
    return mlp.leftOut();
  }

  /** Experts that routers chose and stand-ins answered for. */
  long replaced() {
    return mlp.replaced();
  }

  void speculate(ExpertGuesses guesses) {
    mlp.speculate(guesses);
  }

  /** Makes recurrent layers forget all tokens; the KV cache is overwritten anyway. */
  void clearRecurrentState() {
    deltaNet.clear();
  }

  /**
   * Runs all layers on ids[from .. from + tokens), at positions from start on.
   *
   * <p>Of the last layer, tokens pass only {@link LastLayer their part}, unless an observer must
   * see them routed. Those that nobody asks for are a batch of their own in any case: whoever
   * observes gets the same bits.
   *
   * @param outputs of how many tokens, the last ones, logits may be asked for
   * @param decoding whether the token is read alone, not as the rest of a longer text
   */
  void forward(int[] ids, int from, int tokens, int start, int outputs, boolean decoding) {
    products.forget();
    mlp.decoding(decoding);
    int width = config.hiddenSize();
    hidden = Rows.grown(hidden, tokens, width);
    delta = Rows.grown(delta, tokens, width);
    cache.ensure(start + tokens);
    ropes.ensure(start + tokens);
    for (int token = 0; token < tokens; token++) {
      embedding.read(ids[from + token], hidden, token * width);
    }
    for (int l = 0; l < config.numLayers(); l++) {
      for (RoutingObserver observer : observers) {
        observer.entered(l, start, hidden, tokens);
      }
      int whole = l == config.numLayers() - 1 ? LastLayer.wholeTokens(tokens, outputs) : tokens;
      int unasked = tokens - whole;
      if (everyToken) {
        runLayer(l, 0, unasked, start, ids, from);
      } else {
        remember(l, unasked, start);
      }
      runLayer(l, unasked, whole, start, ids, from);
    }
  }

  /**
   * Runs a layer on rows [first, first + rows) of a batch.
   *
   * @param start position of row 0
   * @param ids of row 0 at from
   */
  private void runLayer(int l, int first, int rows, int start, int[] ids, int from) {
    if (rows == 0) {
      return;
    }
    Weights.Layer layer = weights.layers().get(l);
    int width = config.hiddenSize();
    for (int done = 0; done < rows; done += CHUNK_TOKENS) {
      int count = Math.min(CHUNK_TOKENS, rows - done);
      mix(layer, l, first + done, count, start + first + done);
    }
    norm(layer.mlpNorm(), first, rows, input);
    mlp.run(layer.mlp(), l, input, rows, start + first, ids, from + first, delta);
    kernels.axpy(1, delta, 0, hidden, first * width, rows * width);
  }

  /** Adds the token mixer's part to rows [first, first + rows). */
  private void mix(Weights.Layer layer, int l, int first, int rows, int start) {
    norm(layer.attentionNorm(), first, rows, input);
    switch (layer.mixer()) {
      case Weights.GroupedQuery mixer -> attention.run(mixer, l, input, rows, start, delta);
      case Weights.Latent mixer -> latentAttention.run(mixer, l, input, rows, start, delta);
      case Weights.DeltaNet mixer -> deltaNet.run(l, input, rows, delta);
    }
    int width = config.hiddenSize();
    kernels.axpy(1, delta, 0, hidden, first * width, rows * width);
  }

  /** Of a layer's first rows, only what later tokens read of them. */
  private void remember(int l, int rows, int start) {
    Weights.Layer layer = weights.layers().get(l);
    for (int first = 0; first < rows; first += CHUNK_TOKENS) {
      int count = Math.min(CHUNK_TOKENS, rows - first);
      norm(layer.attentionNorm(), first, count, input);
      switch (layer.mixer()) {
        case Weights.GroupedQuery mixer ->
            attention.remember(mixer, l, input, count, start + first);
        case Weights.Latent mixer ->
            latentAttention.remember(mixer, l, input, count, start + first);
        case Weights.DeltaNet mixer -> deltaNet.run(l, input, count, delta);
      }
    }
  }

  /**
   * Logits of rows [first, first + rows) of the last forward, which were among its outputs.
   *
   * @param logits [rows, vocabSize], written
   */
  void logits(int first, int rows, float[] logits) {
    norm(weights.finalNorm(), first, rows, headInput);
    products.add(weights.head(), headInput, 0, rows, logits, 0);
    products.run();
  }

  private void norm(float[] weight, int first, int rows, Rows target) {
    norm = weight;
    normed = target.start(rows);
    firstNormed = first;
    if (rows == 1) {
      normRow(0, 0);
    } else {
      workers.run(rows, normRow);
    }
  }

  private void normRow(int row, int thread) {
    int width = config.hiddenSize();
    int from = (firstNormed + row) * width;
    kernels.rmsNorm(hidden, from, norm, config.rmsNormEpsilon(), normed, row * width, width);
  }
}
