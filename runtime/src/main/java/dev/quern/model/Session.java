package dev.quern.model;

import dev.quern.experts.ExpertGuesses;
import dev.quern.experts.RoutingObserver;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.MatMul;
import dev.quern.kv.KvCache;
import java.util.Arrays;
import java.util.List;

/**
 * One text being read and written: the KV cache and the buffers of the forward pass. Tokens are
 * appended in batches of any size; the logits do not depend on how they were cut, up to rounding.
 *
 * <p>Not for several threads, and sessions of one {@link Model} share its threads: one of them may
 * run at a time.
 */
public final class Session implements AutoCloseable {
  /**
   * What a batch's hidden states may take: plain, normed, rotated and changed. It depends on the
   * model alone, so that the same prompt is cut in the same way wherever its experts lie.
   */
  private static final long MAX_BATCH_BYTES = 256L << 20;

  private static final int HIDDEN_COPIES = 4;

  /** Logits computed at once when all are wanted: 16 MiB. */
  private static final int MAX_LOGITS = 4 << 20;

  private final ModelConfig config;
  private final KvCache cache;
  private final Transformer transformer;
  private final int maxTokens;
  private final int batchTokens;
  private final float[] last;
  private final boolean recurrent;
  private int[] read = {}; // the ids so far, where a recurrent state can only be rebuilt from them
  private float[] all = {};
  private int position;
  private boolean closed;

  /** Whether a pass that failed has left recurrent layers between two positions. */
  private boolean stale;

  Session(
      ModelConfig config,
      Weights weights,
      Kernels kernels,
      MatMul matMul,
      RunOptions options,
      int maxTokens) {
    if (maxTokens < 1 || maxTokens > config.maxPositions()) {
      throw new IllegalArgumentException(
          "session: expected 1 to %d tokens, the model's context, found %d"
              .formatted(config.maxPositions(), maxTokens));
    }
    this.config = config;
    this.maxTokens = maxTokens;
    batchTokens = options.prefill().inChunks() ? options.chunkTokens() : batchTokens(config);
    cache = new KvCache(options.kvType(), cached(config), maxTokens);
    transformer = new Transformer(config, weights, kernels, matMul, cache, options, maxTokens);
    last = new float[config.vocabSize()];
    recurrent = config.hasRecurrentLayers();
  }

  /** Tokens that pass the layers together. */
  static int batchTokens(ModelConfig config) {
    if (config.experts().isEmpty()) {
      return Transformer.CHUNK_TOKENS; // nothing is gained by more
    }
    long bytes = (long) HIDDEN_COPIES * Float.BYTES * config.hiddenSize();
    return (int) Math.max(Transformer.CHUNK_TOKENS, MAX_BATCH_BYTES / bytes);
  }

  /** What the KV cache keeps of one position, per layer. */
  static List<KvCache.Shape> cached(ModelConfig config) {
    return config.layers().stream()
        .map(layer ->
            switch (layer.mixer()) {
              case TokenMixer.GroupedQuery m -> Attention.cached(m);
              case TokenMixer.Latent m -> LatentAttention.cached(m);
              case TokenMixer.DeltaNet m -> KvCache.Shape.NONE;
            })
        .toList();
  }

  /** Tells an observer the experts of every token from now on. */
  public void observe(RoutingObserver observer) {
    transformer.observe(observer);
  }

  /** Computes experts that are guessed before they are chosen; results do not change. */
  void speculate(ExpertGuesses guesses) {
    transformer.speculate(guesses);
  }

  /**
   * Reads tokens and returns the logits for the next one. If it fails, none of them has been read.
   *
   * @param ids at least one
   * @return [vocabSize], valid until the next call
   * @throws IllegalArgumentException if an id is outside the vocabulary or the session is too short
   */
  public float[] append(int[] ids) {
    check(ids);
    int before = position;
    try {
      for (int from = 0; from < ids.length; from += batchTokens) {
        boolean isLast = ids.length - from <= batchTokens;
        int tokens = forward(ids, from, isLast ? 1 : 0);
        if (isLast) {
          transformer.logits(tokens - 1, 1, last);
        }
      }
      return last;
    } catch (Throwable e) {
      goBack(before);
      throw e;
    }
  }

  /**
   * Reads tokens and hands out the logits after each of them. If it or the sink fails, none of them
   * has been read.
   *
   * @throws IllegalArgumentException as {@link #append}
   */
  public void appendAll(int[] ids, LogitsSink sink) {
    check(ids);
    int vocabSize = config.vocabSize();
    int rowsAtOnce = Math.clamp(MAX_LOGITS / vocabSize, 1, Transformer.CHUNK_TOKENS);
    int before = position;
    try {
      for (int from = 0; from < ids.length; from += batchTokens) {
        int start = position;
        int tokens = forward(ids, from, batchTokens);
        for (int first = 0; first < tokens; first += rowsAtOnce) {
          int rows = Math.min(rowsAtOnce, tokens - first);
          all = Rows.grown(all, rows, vocabSize);
          transformer.logits(first, rows, all);
          for (int row = 0; row < rows; row++) {
            sink.accept(start + first + row, all, row * vocabSize);
          }
        }
      }
    } catch (Throwable e) {
      goBack(before);
      throw e;
    }
  }

  /** After a pass that failed, to where it began. */
  private void goBack(int before) {
    position = before;
    stale = recurrent;
  }

  /**
   * @param outputs of how many tokens, the last ones, logits may be asked for
   */
  private int forward(int[] ids, int from, int outputs) {
    int tokens = Math.min(batchTokens, ids.length - from);
    if (stale) {
      replay(position);
    }
    transformer.forward(ids, from, tokens, position, outputs, ids.length == 1);
    if (recurrent) {
      if (read.length < position + tokens) {
        read = Arrays.copyOf(read, Math.clamp(2L * (position + tokens), 0, maxTokens));
      }
      System.arraycopy(ids, from, read, position, tokens);
    }
    position += tokens;
    return tokens;
  }

  private void check(int[] ids) {
    checkOpen();
    if (ids.length == 0) {
      throw new IllegalArgumentException("no tokens: expected at least one");
    }
    if (ids.length > maxTokens - position) {
      throw new IllegalArgumentException(
          "context: %d tokens after %d do not fit in %d"
              .formatted(ids.length, position, maxTokens));
    }
    for (int id : ids) {
      if (id < 0 || id >= config.vocabSize()) {
        throw new IllegalArgumentException(
            "token id: expected 0 to %d, found %d".formatted(config.vocabSize() - 1, id));
      }
    }
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException("the session is closed");
    }
  }

  /** Experts that routers chose so far, for all tokens and layers. */
  public long expertsChosen() {
    return transformer.expertsChosen();
  }

  /** Experts that routers chose but {@link ExpertSelection} left out so far. */
  public long expertsLeftOut() {
    return transformer.leftOut();
  }

  /** Experts that routers chose and stand-ins answered for so far. */
  public long expertsReplaced() {
    return transformer.replaced();
  }

  /** Tokens read so far. */
  public int position() {
    return position;
  }

  public int maxTokens() {
    return maxTokens;
  }

  /**
   * Forgets all but the first tokens. Where the model has recurrent layers it reads those again,
   * unless they are all or none.
   *
   * @throws IllegalArgumentException if there are not so many
   */
  public void truncate(int tokens) {
    checkOpen();
    if (tokens < 0 || tokens > position) {
      throw new IllegalArgumentException(
          "truncate: expected 0 to %d tokens, found %d".formatted(position, tokens));
    }
    if (!recurrent || tokens == position) {
      position = tokens;
      return;
    }
    replay(tokens);
  }

  /** Brings recurrent layers to where they were after the first tokens. */
  private void replay(int tokens) {
    stale = true;
    transformer.clearRecurrentState();
    for (int done = 0; done < tokens; done += batchTokens) {
      transformer.forward(read, done, Math.min(batchTokens, tokens - done), done, 0, false);
    }
    position = tokens; // only now: a replay that fails is repeated whole
    stale = false;
  }

  /** Gives the KV cache back. */
  @Override
  public void close() {
    closed = true;
    cache.clear();
  }
}
