package dev.quern.bench.jmh;

import dev.quern.kernels.Kernels;
import dev.quern.kv.KvCache;
import dev.quern.quant.CounterRandom;
import java.util.Arrays;
import java.util.List;

/**
 * Attention of one token in one layer, one thread: the shape of Qwen3-30B-A3B, 32 heads of 128 that
 * share 4 keys and values.
 */
public final class DecodeAttention {
  private static final int KV_HEADS = 4;
  private static final int GROUP = 8;
  private static final int HEAD_DIM = 128;
  private static final int WIDTH = KV_HEADS * HEAD_DIM;

  private final int context;
  private final KvCache cache;
  private final Kernels kernels = Kernels.best();
  private final float[] queries = new float[GROUP * WIDTH];
  private final float[] scores;
  private final float[] sums = new float[GROUP * WIDTH];

  /**
   * @param context positions, at least 1
   */
  public DecodeAttention(int context) {
    this.context = context;
    scores = new float[GROUP * context];
    cache = new KvCache(kernels, List.of(new KvCache.Widths(WIDTH, WIDTH)), context);
    cache.ensure(context);
    long key = CounterRandom.key(2, context);
    for (int i = 0; i < queries.length; i++) {
      queries[i] = (float) CounterRandom.gaussian(key, i);
    }
    float[] row = new float[WIDTH];
    for (int position = 0; position < context; position++) {
      for (int c = 0; c < WIDTH; c++) {
        row[c] = (float) CounterRandom.uniform(key, (long) position * WIDTH + c) - 0.5f;
      }
      cache.putKey(0, position, row, 0);
      cache.putValue(0, position, row, 0);
    }
  }

  /** Scores, softmax and weighted sums of all heads; returns where the sums are. */
  public float[] attend() {
    float scale = (float) (1 / Math.sqrt(HEAD_DIM));
    Arrays.fill(sums, 0);
    for (int head = 0; head < KV_HEADS; head++) {
      int column = head * HEAD_DIM;
      int query = head * GROUP * HEAD_DIM;
      cache.scores(
          0, column, 0, context, queries, query, HEAD_DIM, GROUP, HEAD_DIM, scale, scores, 0,
          context);
      for (int q = 0; q < GROUP; q++) {
        kernels.softmax(scores, q * context, context);
      }
      cache.addValues(
          0, column, 0, context, scores, 0, context, GROUP, HEAD_DIM, sums, query, HEAD_DIM);
    }
    return sums;
  }

  /** Multiplications and additions of queries with keys and of weights with values. */
  public static long operations(int context) {
    return 2L * 2 * GROUP * WIDTH * context;
  }

  /** Bytes of keys and values of all positions. */
  public static long cacheBytes(int context) {
    return KvCache.bytesPerPosition(List.of(new KvCache.Widths(WIDTH, WIDTH))) * context;
  }
}
