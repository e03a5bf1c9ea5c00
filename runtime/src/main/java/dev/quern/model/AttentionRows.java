package dev.quern.model;

import dev.quern.kernels.HalfPanel;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.VectorGroups;
import dev.quern.kv.KvCache;
import java.util.Arrays;

/**
 * Online softmax (arXiv 1805.02867) for some rows that read the same keys and values: a row is a
 * head of a token. Keys come in tiles of 64 positions, read once for all rows; of the scores only
 * those of a step exist at a time: a block of the cache, whose keys and then values are read from
 * one end to the other. Keeps scratch space: one per thread.
 *
 * <p>What a row gives does not depend on the rows beside it.
 */
final class AttentionRows {
  private static final int TILE = KvCache.TILE;

  /**
   * Up to so many rows, keys and values are multiplied as they are stored. More rows repay widening
   * them first, whatever operations on integers cost beside multiplications (AVX-512, 128 rows: no
   * difference measured).
   */
  private static final int MAX_STORED_ROWS = 16;

  /** Σ q² below this, no element of a query overflows when scaled by {@link HalfPanel#SCALE}. */
  private static final float MAX_SQUARES = 0x1p31f;

  private final Kernels kernels;
  private final KvCache cache;
  private final VectorGroups queries;
  private final VectorGroups weights;
  private float[] scaled = {};
  private float[] scores = {}; // [tile of the step, row, position], then weights
  private float[] keys = {}; // [element, position]
  private final float[] transposed = new float[TILE * TILE];
  private final float[] values = new float[TILE * KvCache.PANEL];

  // The rows.
  private CausalAttention.Shape shape;
  private int layer;
  private int kvHead;
  private int rows;
  private int stepPositions;
  private boolean finite; // all keys and values
  private boolean stored; // keys and values are multiplied as they are
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

    /** Floats of a row. */
    static long elements(CausalAttention.Shape shape) {
      return panels(shape) * KvCache.PANEL + 2L;
    }

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
    stepPositions = shape.valuesInKeys() ? TILE : KvCache.BLOCK; // values come of the tile's keys
    scores = Rows.grown(scores, rows, stepPositions);
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
    finite = cache.finite(layer);
    stored =
        rows <= MAX_STORED_ROWS
            && kernels.prefersHalves()
            && cache.multipliable(layer)
            && !shape.valuesInKeys()
            && kernels.dot(scaled, 0, scaled, 0, rows * n) < MAX_SQUARES;
    if (stored) {
      kernels.scale(HalfPanel.SCALE, scaled, 0, rows * n);
    }
    queries.set(scaled, 0, n, rows, n);
  }

  /** Adds what positions [from, to) give, from a multiple of 64. */
  void add(int from, int to, Sums sums) {
    int at = from;
    while (at < to) {
      int next = Math.min((at / stepPositions + 1) * stepPositions, to);
      addStep(at, next, sums);
      at = next;
    }
  }

  /** Adds what positions [from, to) of a step give. */
  private void addStep(int from, int to, Sums sums) {
    int tiles = KvCache.tiles(from, to - from);
    Arrays.fill(scores, 0, tiles * rows * TILE, 0);
    for (int tile = 0; tile < tiles; tile++) {
      score(from + tile * TILE, tile * rows * TILE);
    }
    for (int row = 0; row < rows; row++) {
      weigh(row, from, tiles, sums);
    }
    if (finite) {
      addValues(from, to, sums);
      return;
    }
    for (int tile = from; tile < to; tile += TILE) {
      addSeenValues(tile, (tile - from) * rows, sums);
    }
  }

  /** Adds the values of positions [from, to), those that a row does not see with weight 0. */
  private void addValues(int from, int to, Sums sums) {
    weights.start(rows, to - from);
    for (int column = 0; column < to - from; column += TILE) {
      int n = Math.min(TILE, to - from - column);
      weights.setColumns(scores, column * rows, TILE, column, n);
    }
    for (int panel = 0; panel < panels(shape); panel++) {
      addValues(from, to, panel, sums);
    }
  }

  /** Scores of the positions of a tile. */
  private void score(int tile, int at) {
    if (stored) {
      cache.addKeyProduct(layer, kvHead, tile, queries, scores, at);
      return;
    }
    cache.loadKeys(kernels, layer, kvHead, tile, keys);
    queries.addProduct(keys, scores, at);
  }

  /** Makes weights of a row's scores in some tiles, relative to the greatest so far. */
  private void weigh(int row, int from, int tiles, Sums sums) {
    int firstSeen = first[row] - from;
    int endSeen = end[row] - from;
    for (int tile = 0; tile < tiles; tile++) {
      int at = (tile * rows + row) * TILE;
      hide(at, firstSeen - tile * TILE, endSeen - tile * TILE);
    }
    float max = kernels.maxOfRuns(scores, row * TILE, rows * TILE, tiles);
    if (max > sums.max[row]) {
      rescale(row, (float) Math.exp(sums.max[row] - max), sums);
      sums.max[row] = max;
    }
    boolean seesAny = firstSeen < tiles * TILE && endSeen > 0;
    float relativeTo = seesAny ? sums.max[row] : 0; // which may be −∞ where the row sees nothing
    float scale = stored ? HalfPanel.SCALE : 1;
    sums.total[row] +=
        kernels.exponentials(scores, row * TILE, rows * TILE, tiles, relativeTo, scale);
  }

  /** Scores of a tile outside [from, to) become −∞. */
  private void hide(int at, int from, int to) {
    if (from > 0) {
      Arrays.fill(scores, at, at + Math.min(from, TILE), Float.NEGATIVE_INFINITY);
    }
    if (to < TILE) {
      Arrays.fill(scores, at + Math.max(to, 0), at + TILE, Float.NEGATIVE_INFINITY);
    }
  }

  private void addValues(int from, int to, int panel, Sums sums) {
    int at = panel * rows * KvCache.PANEL;
    if (stored) {
      int element = panel * KvCache.PANEL;
      cache.addValueProduct(layer, kvHead, from, element, weights, sums.values, at);
      return;
    }
    for (int tile = from; tile < to; tile += TILE) {
      int count = Math.min(TILE, to - tile);
      loadValues(tile, count, panel);
      weights.addProduct(values, tile - from, count, sums.values, at);
    }
  }

  /**
   * Adds values of a tile of a layer where some are infinite or NaN: to every row only those that
   * it sees, as 0 times such a value is not 0. The bits are those of all rows together.
   *
   * @param at of the tile's weights
   */
  private void addSeenValues(int tile, int at, Sums sums) {
    for (int row = 0, next; row < rows; row = next) {
      next = endOfAlike(row, tile);
      int from = firstSeen(row, tile);
      int to = endSeen(row, tile);
      if (from >= to) {
        continue;
      }
      weights.set(scores, at + row * TILE, TILE, next - row, to);
      for (int panel = 0; panel < panels(shape); panel++) {
        loadValues(tile, to, panel);
        Arrays.fill(values, 0, from * KvCache.PANEL, 0);
        weights.addProduct(values, sums.values, (panel * rows + row) * KvCache.PANEL);
      }
    }
  }

  /** One beyond the last of the rows from row on that see the same positions of a tile. */
  private int endOfAlike(int row, int tile) {
    int next = row + 1;
    while (next < rows
        && firstSeen(next, tile) == firstSeen(row, tile)
        && endSeen(next, tile) == endSeen(row, tile)) {
      next++;
    }
    return next;
  }

  /** Positions of a tile before the first that a row sees. */
  private int firstSeen(int row, int tile) {
    return Math.clamp(first[row] - tile, 0, TILE);
  }

  /** Positions of a tile up to the last that a row sees. */
  private int endSeen(int row, int tile) {
    return Math.clamp(end[row] - tile, 0, TILE);
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
      cache.loadValues(kernels, layer, kvHead, tile, count, element, values);
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
