package dev.quern.model;

import dev.quern.kv.KvCache;
import dev.quern.kv.KvType;
import java.util.List;

/**
 * Memory that running a model takes beside its weights, in bytes, predicted before anything is
 * loaded.
 *
 * @param context positions of the one session
 * @param cachePerToken keys and values, or latents, of one position in all layers
 * @param cache of all positions
 * @param states of recurrent layers, which do not grow with the context
 * @param buffers of the forward pass for the largest batch, and the sines of RoPE; what attention
 *     keeps per thread, less than 2 MB, is not counted
 */
public record RunMemory(int context, long cachePerToken, long cache, long states, long buffers) {

  /** Heap, compiled code and threads of the virtual machine, measured with a model of 23 MB. */
  public static final long MACHINE = 180L << 20;

  /**
   * @param context positions, at least 1
   */
  public static RunMemory of(ModelConfig config, int context, KvType kvType) {
    if (context < 1 || context > config.maxPositions()) {
      throw new IllegalArgumentException(
          "context: expected 1 to %d, the model's, found %d"
              .formatted(config.maxPositions(), context));
    }
    List<KvCache.Shape> cached = Session.cached(config);
    long states = 0;
    for (ModelConfig.Layer layer : config.layers()) {
      states += stateElements(layer.mixer());
    }
    long rows = Math.min(context, Transformer.CHUNK_TOKENS);
    long batch = Math.min(context, Session.batchTokens(config));
    long buffers =
        elements(config, rows)
            + Math.multiplyExact(batch, 4L * config.hiddenSize())
            + routingElements(config, batch)
            + mappedElements(config, rows)
            + partialElements(config, rows, context)
            + Ropes.elements(config, context)
            + config.vocabSize();
    return new RunMemory(
        context,
        KvCache.bytesPerPosition(kvType, cached),
        KvCache.bytes(kvType, cached, context),
        states * Float.BYTES,
        Math.multiplyExact(buffers, Float.BYTES));
  }

  private static long mappedElements(ModelConfig config, long rows) {
    long most = 0;
    for (ModelConfig.Layer layer : config.layers()) {
      if (layer.mixer() instanceof TokenMixer.Latent m) {
        most = Math.max(most, LatentAttention.mappedElements(m, rows));
      }
    }
    return most;
  }

  private static long partialElements(ModelConfig config, long rows, int context) {
    long most = 0;
    for (ModelConfig.Layer layer : config.layers()) {
      long elements =
          switch (layer.mixer()) {
            case TokenMixer.GroupedQuery m ->
                CausalAttention.partialElements(Attention.shape(m), rows, context);
            case TokenMixer.Latent m ->
                CausalAttention.partialElements(LatentAttention.shape(m), rows, context);
            case TokenMixer.DeltaNet m -> 0;
          };
      most = Math.max(most, elements);
    }
    return most;
  }

  private static long stateElements(TokenMixer mixer) {
    return switch (mixer) {
      case TokenMixer.GroupedQuery m -> 0;
      case TokenMixer.Latent m -> 0;
      case TokenMixer.DeltaNet m ->
          (long) m.numValueHeads()
                  * m.keyDim()
                  * Math.ceilDiv(m.valueDim(), DeltaState.PANEL)
                  * DeltaState.PANEL
              + (m.kernelSize() - 1L) * m.channels();
    };
  }

  /** Floats that so many tokens of the batch take in the widest layer. */
  private static long elements(ModelConfig config, long rows) {
    long mixers = 0;
    long mlps = 0;
    long grouped = 0;
    for (ModelConfig.Layer layer : config.layers()) {
      mixers = Math.max(mixers, Math.multiplyExact(rows, mixerElements(layer.mixer())));
      mlps = Math.max(mlps, mlpElements(layer.feedForward(), config.hiddenSize(), rows));
      long width = Math.max(config.hiddenSize(), mixerOutput(layer.mixer()));
      grouped = Math.max(grouped, groupedElements(layer.feedForward(), width, rows));
    }
    return mixers + mlps + grouped;
  }

  /** Inputs of a batch of products in groups, which leave up to half of their places empty. */
  private static long groupedElements(FeedForward feedForward, long width, long rows) {
    long elements =
        switch (feedForward) {
          case FeedForward.Dense m -> Math.multiplyExact(rows, Math.max(width, m.size()));
          case FeedForward.Experts m ->
              Math.multiplyExact(
                  Math.max(rows, waveRows(m, rows)),
                  Math.max(width, Math.max(m.expertSize(), m.sharedSize())));
        };
    return 2 * elements;
  }

  /** Rows of experts that are computed together. */
  private static long waveRows(FeedForward.Experts experts, long rows) {
    return Math.min(Transformer.CHUNK_TOKENS, rows * experts.topK());
  }

  private static long mixerOutput(TokenMixer mixer) {
    return switch (mixer) {
      case TokenMixer.GroupedQuery m -> m.querySize();
      case TokenMixer.Latent m -> (long) m.numHeads() * m.valueDim();
      case TokenMixer.DeltaNet m -> m.valueSize();
    };
  }

  /** Scores, chosen experts and where they go, of a whole batch. */
  private static long routingElements(ModelConfig config, long batch) {
    return config.experts().map(m -> batch * (m.numExperts() + 4L * m.topK())).orElse(0L);
  }

  /** Inputs of maps are there plain and rotated. */
  private static long mixerElements(TokenMixer mixer) {
    return switch (mixer) {
      case TokenMixer.GroupedQuery m ->
          (m.gated() ? 5L : 3L) * m.querySize() + 2L * m.keyValueSize();
      case TokenMixer.Latent m ->
          m.querySize() + m.cachedSize() + 2L * m.queryRank() + 2L * m.numHeads() * m.valueDim();
      case TokenMixer.DeltaNet m -> 2L * m.channels() + 4L * m.valueSize();
    };
  }

  private static long mlpElements(FeedForward feedForward, long hidden, long rows) {
    return switch (feedForward) {
      case FeedForward.Dense m -> Math.multiplyExact(rows, 3L * m.size());
      case FeedForward.Experts m ->
          Math.addExact(
              Math.multiplyExact(waveRows(m, rows), 3L * m.expertSize() + 2 * hidden),
              Math.multiplyExact(rows, (m.topK() + 1) * hidden + 3L * m.sharedSize()));
    };
  }

  /**
   * @throws IllegalArgumentException if the Java heap, where all of this lies, cannot hold it
   */
  void requireHeap() {
    if (!fitsHeap()) {
      throw new IllegalArgumentException(
          "context: %,d positions take %,d MB of the Java heap, which has %,d MB for them. Shorten the context, or allow more (QUERN_JAVA_OPTS=-Xmx...)"
              .formatted(context, Math.ceilDiv(onHeap(), 1_000_000), heap() / 1_000_000));
    }
  }

  private boolean fitsHeap() {
    return onHeap() <= heap();
  }

  private long onHeap() {
    return cache + states + buffers;
  }

  /** A sixteenth is for everything else. */
  private static long heap() {
    return Runtime.getRuntime().maxMemory() / 16 * 15;
  }

  /**
   * Positions of the longest context that the Java heap can hold; 0 if it holds none.
   *
   * @param most that are wanted, at least 1
   */
  static int longest(ModelConfig config, int most, KvType kvType) {
    if (of(config, most, kvType).fitsHeap()) {
      return most;
    }
    int fits = 0;
    int tooMany = most;
    while (tooMany - fits > 1) {
      int context = fits + (tooMany - fits) / 2;
      if (of(config, context, kvType).fitsHeap()) {
        fits = context;
      } else {
        tooMany = context;
      }
    }
    return fits;
  }

  /** Everything, the virtual machine included. */
  public long bytes() {
    return MACHINE + cache + states + buffers;
  }
}
