package dev.quern.model;

import dev.quern.kernels.Kernels;
import dev.quern.kernels.VectorGroups;
import dev.quern.kv.KvCache;
import java.util.Arrays;

/**
 * Online softmax (arXiv 1805.02867) for some rows that read the same keys and values: a row is a
 * head of a token. Keys come in tiles of 64 positions, read once for all rows; of the scores only
 * those of a tile exist at a time. Keeps scratch space: one per thread.
 *
 * <p>What a row gives does not depend on the rows beside it.
 */
final class AttentionRows {
  private static final int TILE = KvCache.TILE;

  private final Kernels kernels;
  private final KvCache cache;
  private final VectorGroups queries;
  private final VectorGroups weights;
  private float[] scaled = {};
  private float[] scores = {}; // [row, position of the tile], then weights
  private float[] keys = {}; // [element, position]
  private final float[] transposed = new float[TILE * TILE];
  private final float[] values = new float[TILE * KvCache.PANEL];

  // The rows.
  private CausalAttention.Shape shape;
  private int layer;
  private int kvHead;
  private int rows;
  private int[] first = {}; // position that a row sees
  private int[] end = {};

  AttentionRows(Kernels kernels, KvCache cache) {
    this.kernels = kernels;
    this.cache = cache;
    queries = new VectorGroups(kernels);
    weights = new VectorGroups(kernels);
  }

  /**
   * What some keys give: of every row the maximum of its scores, the sum of their exponentials and
   * the values weighted with them.
   */
  static final class Sums {
    private float[] max = {};
    private float[] total = {};
    private float[] values = {}; // [panel of 64 elements, row, element]

    /** Of no keys. */
    void clear(int rows, int panels) {
      if (max.length < rows) {
        max = new float[rows];
        total = new float[rows];
      }
      int elements = Math.multiplyExact(rows, panels * KvCache.PANEL);
      if (values.length < elements) {
        values = new float[elements];
      }
      Arrays.fill(max, 0, rows, Float.NEGATIVE_INFINITY);
      Arrays.fill(total, 0, rows, 0);
      Arrays.fill(values, 0, elements, 0);
    }
  }

  static int panels(CausalAttention.Shape shape) {
    return Math.ceilDiv(shape.valueDim(), KvCache.PANEL);
  }

  /** Begins with rows, each to be set by {@link #setRow}. */
  void start(CausalAttention.Shape newShape, int newLayer, int newKvHead, int newRows) {
    shape = newShape;
    layer = newLayer;
    kvHead = newKvHead;
    rows = newRows;
    scaled = Rows.grown(scaled, rows, shape.keyDim());
    scores = Rows.grown(scores, rows, TILE);
    keys = Rows.grown(keys, shape.keyDim(), TILE);
    if (first.length < rows) {
      first = new int[rows];
      end = new int[rows];
    }
  }

  /**
   * @param firstPosition that the row sees
   * @param endPosition one beyond the last
   */
  void setRow(int row, float[] query, int at, int firstPosition, int endPosition) {
    int n = shape.keyDim();
    System.arraycopy(query, at, scaled, row * n, n);
    first[row] = firstPosition;
    end[row] = endPosition;
  }

  /** To be called when all rows are set. */
  void group() {
    int n = shape.keyDim();
    kernels.scale(shape.scale(), scaled, 0, rows * n);
    queries.set(scaled, 0, n, rows, n);
  }

  /** Adds what positions [from, to) give, from a multiple of 64. */
  void add(int from, int to, Sums sums) {
    for (int tile = from; tile < to; tile += TILE) {
      addTile(tile, Math.min(TILE, to - tile), sums);
    }
  }

  private void addTile(int tile, int count, Sums sums) {
    cache.loadKeys(layer, kvHead, tile, keys);
    Arrays.fill(scores, 0, rows * TILE, 0);
    queries.addProduct(keys, scores, 0);
    for (int row = 0; row < rows; row++) {
      weigh(row, tile, sums);
    }
    weights.set(scores, 0, TILE, rows, count);
    for (int panel = 0; panel < panels(shape); panel++) {
      loadValues(tile, count, panel);
      weights.addProduct(values, sums.values, panel * rows * KvCache.PANEL);
    }
  }

  /** Makes weights of a row's scores, relative to the greatest so far. */
  private void weigh(int row, int tile, Sums sums) {
    int at = row * TILE;
    int from = Math.clamp(first[row] - tile, 0, TILE);
    int to = Math.clamp(end[row] - tile, 0, TILE);
    if (from >= to) {
      Arrays.fill(scores, at, at + TILE, 0);
      return;
    }
    Arrays.fill(scores, at, at + from, Float.NEGATIVE_INFINITY);
    Arrays.fill(scores, at + to, at + TILE, Float.NEGATIVE_INFINITY);
    float max = kernels.max(scores, at, TILE);
    if (max > sums.max[row]) {
      rescale(row, (float) Math.exp(sums.max[row] - max), sums);
      sums.max[row] = max;
    }
    sums.total[row] += kernels.exponentials(scores, at, TILE, sums.max[row]);
  }

  private void rescale(int row, float by, Sums sums) {
    sums.total[row] *= by;
    for (int panel = 0; panel < panels(shape); panel++) {
      kernels.scale(by, sums.values, (panel * rows + row) * KvCache.PANEL, KvCache.PANEL);
    }
  }

  private void loadValues(int tile, int count, int panel) {
    int element = panel * KvCache.PANEL;
    if (!shape.valuesInKeys()) {
      cache.loadValues(layer, kvHead, tile, count, element, values);
      return;
    }
    int n = Math.min(KvCache.PANEL, shape.valueDim() - element);
    if (n == KvCache.PANEL) {
      kernels.transpose(keys, element * TILE, values, 0);
      return;
    }
    System.arraycopy(keys, element * TILE, transposed, 0, n * TILE);
    Arrays.fill(transposed, n * TILE, TILE * TILE, 0);
    kernels.transpose(transposed, 0, values, 0);
  }

  /** Adds what other keys gave. */
  void merge(Sums other, Sums sums) {
    for (int row = 0; row < rows; row++) {
      float max = Math.max(sums.max[row], other.max[row]);
      if (max == Float.NEGATIVE_INFINITY) {
        continue; // a row that has seen nothing yet
      }
      rescale(row, (float) Math.exp(sums.max[row] - max), sums);
      float weight = (float) Math.exp(other.max[row] - max);
      sums.max[row] = max;
      sums.total[row] += weight * other.total[row];
      for (int panel = 0; panel < panels(shape); panel++) {
        int at = (panel * rows + row) * KvCache.PANEL;
        kernels.axpy(weight, other.values, at, sums.values, at, KvCache.PANEL);
      }
    }
  }

  /**
   * Writes a row's weighted mean of values; the row's sums are used up.
   *
   * @param sink a score without a value, −∞ for none
   */
  void finish(int row, float sink, Sums sums, float[] out, int at) {
    float max = Math.max(sums.max[row], sink);
    float ofKeys = (float) Math.exp(sums.max[row] - max);
    float total = ofKeys * sums.total[row] + (float) Math.exp(sink - max);
    rescale(row, ofKeys / total, sums);
    for (int panel = 0; panel < panels(shape); panel++) {
      int from = panel * KvCache.PANEL;
      int n = Math.min(KvCache.PANEL, shape.valueDim() - from);
      System.arraycopy(sums.values, (panel * rows + row) * KvCache.PANEL, out, at + from, n);
    }
  }
}
