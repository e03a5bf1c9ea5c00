package dev.quern.bench.jmh;

import dev.quern.kernels.Kernels;
import dev.quern.kernels.Workers;
import dev.quern.kv.KvCache;
import dev.quern.kv.KvType;
import dev.quern.model.CausalAttention;
import dev.quern.quant.CounterRandom;
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

  private static final float[] NO_SINKS = {};
  private static final KvCache.Shape CACHED = new KvCache.Shape(KV_HEADS, HEAD_DIM, HEAD_DIM);
  private static final CausalAttention.Shape SHAPE =
      new CausalAttention.Shape(
          GROUP * KV_HEADS,
          KV_HEADS,
          HEAD_DIM,
          HEAD_DIM,
          false,
          0,
          (float) (1 / Math.sqrt(HEAD_DIM)));

  private final int context;
  private final CausalAttention attention;
  private final float[] queries = new float[GROUP * WIDTH];
  private final float[] out = new float[GROUP * WIDTH];

  /**
   * @param context positions, at least 1
   */
  public DecodeAttention(int context) {
    this.context = context;
    KvCache cache = new KvCache(KvType.F16, List.of(CACHED), context);
    cache.ensure(context);
    attention = new CausalAttention(Kernels.best(), Workers.create(1), cache);
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
    attention.run(SHAPE, 0, NO_SINKS, queries, out, 1, context - 1);
    return out;
  }

  /** Multiplications and additions of queries with keys and of weights with values. */
  public static long operations(int context) {
    return 2L * 2 * GROUP * WIDTH * context;
  }

  /** Bytes of keys and values of all positions. */
  public static long cacheBytes(int context) {
    return KvCache.bytesPerPosition(KvType.F16, List.of(CACHED)) * context;
  }
}
