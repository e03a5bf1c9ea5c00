package dev.quern.kv;

import dev.quern.kernels.HalfPanel;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.VectorGroups;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * Keys and values of the positions so far, float16 or float32. Layers may differ in their shapes,
 * and a layer may have neither.
 *
 * <p>Memory comes in blocks of 256 positions when the first position of a block is reached, so a
 * long limit costs nothing before it is used and nothing is copied. In a block, keys and values lie
 * in the order in which attention multiplies them, those of a head together: keys in tiles of 64
 * positions, [head, tile, element, position], values in panels of 64 elements, [head, panel,
 * position, element]. Halves have an order of their own inside of such a matrix, {@link HalfPanel}.
 * Not for several threads; reading, and storing of different positions, is.
 */
public final class KvCache {
  /** Positions that are read at once. */
  public static final int TILE = 64;

  /** Elements of a value that are read at once. */
  public static final int PANEL = 64;

  /** Positions whose keys and values of a head lie together, a multiple of {@link #TILE}. */
  public static final int BLOCK = 256;

  private final Shape[] shapes;
  private final int maxPositions;
  private final Blocks[] keys;
  private final Blocks[] values;
  private int blocks;

  /**
   * What one position takes in a layer.
   *
   * @param heads of keys and values
   * @param key elements of a head's key, or of the latent and the rotary key of latent attention
   * @param value elements of a head's value; 0 where values are made of what is stored as key
   */
  public record Shape(int heads, int key, int value) {
    /** A layer that looks at no earlier position. */
    public static final Shape NONE = new Shape(0, 0, 0);

    public Shape {
      if (heads < 0 || key < 0 || value < 0) {
        throw new IllegalArgumentException(
            "KV cache: sizes from 0 expected, found %d heads, %d and %d elements"
                .formatted(heads, key, value));
      }
      Math.multiplyExact(BLOCK, Math.multiplyExact(heads, Math.max(key, value)));
    }

    private long elements() {
      return (long) heads * key + (long) heads * value;
    }
  }

  /**
   * @param layers at least one
   * @param maxPositions at least 1
   */
  public KvCache(KvType type, List<Shape> layers, int maxPositions) {
    if (layers.isEmpty() || maxPositions < 1) {
      throw new IllegalArgumentException(
          "KV cache of %d layers, %d positions".formatted(layers.size(), maxPositions));
    }
    this.shapes = layers.toArray(Shape[]::new);
    this.maxPositions = maxPositions;
    int maxBlocks = Math.ceilDiv(maxPositions, BLOCK);
    keys = create(type, maxBlocks);
    values = create(type, maxBlocks);
  }

  private Blocks[] create(KvType type, int maxBlocks) {
    return Stream.generate(() -> Blocks.create(type, maxBlocks))
        .limit(shapes.length)
        .toArray(Blocks[]::new);
  }

  /** Bytes that one position takes in all layers. */
  public static long bytesPerPosition(KvType type, List<Shape> layers) {
    return layers.stream().mapToLong(Shape::elements).sum() * type.bytes();
  }

  /** Bytes that so many positions take, in whole blocks. */
  public static long bytes(KvType type, List<Shape> layers, int positions) {
    long wholeBlocks = Math.ceilDiv(positions, BLOCK);
    return Math.multiplyExact(wholeBlocks * BLOCK, bytesPerPosition(type, layers));
  }

  /** Makes room for positions [0, positions). */
  public void ensure(int positions) {
    Objects.checkIndex(positions - 1, maxPositions);
    for (; blocks <= (positions - 1) / BLOCK; blocks++) {
      for (int layer = 0; layer < shapes.length; layer++) {
        Shape shape = shapes[layer];
        keys[layer].allocate(blocks, BLOCK * shape.heads * shape.key);
        values[layer].allocate(blocks, BLOCK * shape.heads * shape.value);
      }
    }
  }

  /** Stores one position's keys of all heads of a layer, one after the other. */
  public void putKey(int layer, int position, float[] key, int at) {
    Shape shape = shapes[layer];
    int block = position / BLOCK;
    for (int head = 0; head < shape.heads; head++) {
      int to = keyAt(shape, position, head);
      keys[layer].putRow(block, to, shape.key, position % TILE, key, at + head * shape.key);
    }
  }

  /** Stores one position's values of all heads of a layer, one after the other. */
  public void putValue(int layer, int position, float[] value, int at) {
    Shape shape = shapes[layer];
    int block = position / BLOCK;
    for (int head = 0; head < shape.heads; head++) {
      for (int first = 0; first < shape.value; first += PANEL) {
        int n = Math.min(PANEL, shape.value - first);
        int to = valueAt(shape, head, first);
        int from = at + head * shape.value + first;
        if (n == PANEL) {
          values[layer].putColumn(block, to, BLOCK, position % BLOCK, value, from);
        } else {
          values[layer].putRun(block, to + position % BLOCK * n, value, from, n);
        }
      }
    }
  }

  /** Tiles that positions [first, first + count) lie in. */
  public static int tiles(int first, int count) {
    return (first + count - 1) / TILE - first / TILE + 1;
  }

  /** Where the keys of a head and the tile of a position lie in their block. */
  private static int keyAt(Shape shape, int position, int head) {
    return (head * BLOCK + position % BLOCK / TILE * TILE) * shape.key;
  }

  /** Where the panel that begins with element first lies in its block. */
  private static int valueAt(Shape shape, int head, int first) {
    return (head * shape.value + first) * BLOCK;
  }

  /**
   * Reads the keys of a tile: panel[64·c + i] = element c of the key of position first + i, for all
   * elements and i in [0, 64). What belongs to positions that were not stored is undefined.
   *
   * @param first a multiple of {@link #TILE}
   */
  public void loadKeys(Kernels kernels, int layer, int head, int first, float[] panel) {
    Shape shape = shapes[layer];
    int at = keyAt(shape, first, head);
    keys[layer].loadPanel(kernels, first / BLOCK, at, shape.key, 0, shape.key, panel);
  }

  /**
   * Reads a part of the values of a tile: panel[64·i + c] = element firstElement + c of the value
   * of position first + i, for c in [0, 64), 0 beyond the value's elements, and i in [0, count).
   *
   * @param first a multiple of {@link #TILE}
   * @param count positions, at most TILE
   * @param firstElement a multiple of {@link #PANEL}
   */
  public void loadValues(
      Kernels kernels, int layer, int head, int first, int count, int firstElement, float[] panel) {
    Shape shape = shapes[layer];
    int n = Math.min(PANEL, shape.value - firstElement);
    int at = valueAt(shape, head, firstElement);
    int column = first % BLOCK;
    if (n == PANEL) {
      values[layer].loadPanel(kernels, first / BLOCK, at, BLOCK, column, count, panel);
      return;
    }
    for (int i = 0; i < count; i++) {
      values[layer].loadRun(first / BLOCK, at + (column + i) * n, n, panel, i * PANEL);
      Arrays.fill(panel, i * PANEL + n, (i + 1) * PANEL, 0);
    }
  }

  /**
   * Whether a layer's keys and values can be multiplied as they are stored: finite halves, values
   * in whole panels.
   */
  public boolean multipliable(int layer) {
    return keys[layer] instanceof Blocks.Half k
        && values[layer] instanceof Blocks.Half v
        && k.finite()
        && v.finite()
        && shapes[layer].value % PANEL == 0;
  }

  /**
   * Adds the product of the keys of a tile, as {@link #loadKeys} reads them, and vectors of as many
   * elements that are scaled by {@link HalfPanel#SCALE}; of a {@link #multipliable} layer.
   *
   * @param sums [vector, position] from sumsAt on
   */
  public void addKeyProduct(
      int layer, int head, int first, VectorGroups queries, float[] sums, int sumsAt) {
    Shape shape = shapes[layer];
    int at = keyAt(shape, first, head);
    ((Blocks.Half) keys[layer]).addProduct(first / BLOCK, at, shape.key, 0, queries, sums, sumsAt);
  }

  /**
   * Adds the product of a panel of values of positions from first on and vectors that have an
   * element for each of some positions of a block, scaled by {@link HalfPanel#SCALE}; of a {@link
   * #multipliable} layer.
   *
   * @param firstElement a multiple of {@link #PANEL}
   * @param sums [vector, 64 elements] from sumsAt on
   */
  public void addValueProduct(
      int layer,
      int head,
      int first,
      int firstElement,
      VectorGroups weights,
      float[] sums,
      int sumsAt) {
    int at = valueAt(shapes[layer], head, firstElement);
    ((Blocks.Half) values[layer])
        .addProduct(first / BLOCK, at, BLOCK, first % BLOCK, weights, sums, sumsAt);
  }

  /** Gives all memory back. */
  public void clear() {
    blocks = 0;
    for (int layer = 0; layer < shapes.length; layer++) {
      keys[layer].clear();
      values[layer].clear();
    }
  }
}
