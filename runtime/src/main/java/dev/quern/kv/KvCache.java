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
 * <p>Memory comes in chunks when the first position of a chunk is reached, so a long limit costs
 * nothing before it is used and nothing is copied: chunks of 256, 256, 512 and 1024 positions, then
 * of 2048 (fewer where a position takes very much). A chunk is [head, block of 256 positions], and
 * in a block keys and values lie in the order in which attention multiplies them: keys in tiles of
 * 64 positions, [tile, element, position], then values in panels of 64 elements, [panel, position,
 * element]. So a thread reads a head's part of a chunk from one end to the other: memory is fast
 * for those who read on (docs/decisions.md). Halves have an order of their own inside of such a
 * matrix, {@link HalfPanel}. Not for several threads; reading, and storing of different positions,
 * is.
 */
public final class KvCache {
  /** Positions that are read at once. */
  public static final int TILE = 64;

  /** Elements of a value that are read at once. */
  public static final int PANEL = 64;

  /** Positions whose keys and values of a head lie together, a multiple of {@link #TILE}. */
  public static final int BLOCK = 256;

  /** log2 of the blocks of a large chunk: 1 MB of a head of 128 elements in float16. */
  private static final int LARGE_CHUNK = 3;

  /** Of a layer: 32 MB in float16. */
  private static final long MAX_CHUNK_ELEMENTS = 1 << 24;

  private final Shape[] shapes;
  private final int maxPositions;
  private final int maxBlocks;
  private final int largeChunk;
  private final Chunks[] chunksOfLayer;
  private int chunks;

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
      Math.multiplyExact(BLOCK, Math.multiplyExact(heads, Math.addExact(key, value)));
    }

    private long elements() {
      return (long) heads * (key + value);
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
    maxBlocks = Math.ceilDiv(maxPositions, BLOCK);
    largeChunk = largeChunk(layers);
    int maxChunks = chunk(maxPositions - 1) + 1;
    chunksOfLayer =
        Stream.generate(() -> Chunks.create(type, maxChunks))
            .limit(shapes.length)
            .toArray(Chunks[]::new);
  }

  private static int largeChunk(List<Shape> layers) {
    long most = layers.stream().mapToLong(Shape::elements).max().orElseThrow();
    int chunk = LARGE_CHUNK;
    while (chunk > 0 && most * BLOCK << chunk > MAX_CHUNK_ELEMENTS) {
      chunk--;
    }
    return chunk;
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
    for (; chunks <= chunk(positions - 1); chunks++) {
      for (int layer = 0; layer < shapes.length; layer++) {
        Shape shape = shapes[layer];
        chunksOfLayer[layer].allocate(chunks, shape.heads * blocks(chunks) * blockElements(shape));
      }
    }
  }

  /** The chunk that a position lies in. */
  private int chunk(int position) {
    int block = position / BLOCK;
    return block >> largeChunk == 0
        ? Integer.SIZE - Integer.numberOfLeadingZeros(block)
        : (block >> largeChunk) + largeChunk;
  }

  private int firstBlock(int chunk) {
    return chunk <= largeChunk ? 1 << chunk >> 1 : chunk - largeChunk << largeChunk;
  }

  private int blocks(int chunk) {
    return Math.min(firstBlock(chunk + 1), maxBlocks) - firstBlock(chunk);
  }

  /** Elements of a head's block. */
  private static int blockElements(Shape shape) {
    return BLOCK * (shape.key + shape.value);
  }

  /** Where the keys of a head and the tile of a position lie in their chunk. */
  private int keyAt(Shape shape, int position, int head) {
    return blockAt(shape, position, head) + position % BLOCK / TILE * TILE * shape.key;
  }

  /** Where the panel of a head that begins with element first lies in a position's chunk. */
  private int valueAt(Shape shape, int position, int head, int first) {
    return blockAt(shape, position, head) + BLOCK * (shape.key + first);
  }

  private int blockAt(Shape shape, int position, int head) {
    int chunk = chunk(position);
    int block = position / BLOCK - firstBlock(chunk);
    return (head * blocks(chunk) + block) * blockElements(shape);
  }

  /** Stores one position's keys of all heads of a layer, one after the other. */
  public void putKey(int layer, int position, float[] key, int at) {
    Shape shape = shapes[layer];
    int chunk = chunk(position);
    for (int head = 0; head < shape.heads; head++) {
      int to = keyAt(shape, position, head);
      int from = at + head * shape.key;
      chunksOfLayer[layer].putRow(chunk, to, shape.key, position % TILE, key, from);
    }
  }

  /** Stores one position's values of all heads of a layer, one after the other. */
  public void putValue(int layer, int position, float[] value, int at) {
    Shape shape = shapes[layer];
    int chunk = chunk(position);
    for (int head = 0; head < shape.heads; head++) {
      for (int first = 0; first < shape.value; first += PANEL) {
        int n = Math.min(PANEL, shape.value - first);
        int to = valueAt(shape, position, head, first);
        int from = at + head * shape.value + first;
        if (n == PANEL) {
          chunksOfLayer[layer].putColumn(chunk, to, BLOCK, position % BLOCK, value, from);
        } else {
          chunksOfLayer[layer].putRun(chunk, to + position % BLOCK * n, value, from, n);
        }
      }
    }
  }

  /** Tiles that positions [first, first + count) lie in. */
  public static int tiles(int first, int count) {
    return (first + count - 1) / TILE - first / TILE + 1;
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
    chunksOfLayer[layer].loadPanel(kernels, chunk(first), at, shape.key, 0, shape.key, panel);
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
    int at = valueAt(shape, first, head, firstElement);
    int chunk = chunk(first);
    int column = first % BLOCK;
    if (n == PANEL) {
      chunksOfLayer[layer].loadPanel(kernels, chunk, at, BLOCK, column, count, panel);
      return;
    }
    for (int i = 0; i < count; i++) {
      chunksOfLayer[layer].loadRun(chunk, at + (column + i) * n, n, panel, i * PANEL);
      Arrays.fill(panel, i * PANEL + n, (i + 1) * PANEL, 0);
    }
  }

  /** Whether all that was stored in a layer is finite, after rounding. */
  public boolean finite(int layer) {
    return chunksOfLayer[layer].finite();
  }

  /**
   * Whether a layer's keys and values can be multiplied as they are stored: finite halves, values
   * in whole panels.
   */
  public boolean multipliable(int layer) {
    return finite(layer)
        && chunksOfLayer[layer] instanceof Chunks.Half
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
    halves(layer).addProduct(chunk(first), at, shape.key, 0, queries, sums, sumsAt);
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
    int at = valueAt(shapes[layer], first, head, firstElement);
    halves(layer).addProduct(chunk(first), at, BLOCK, first % BLOCK, weights, sums, sumsAt);
  }

  private Chunks.Half halves(int layer) {
    return (Chunks.Half) chunksOfLayer[layer];
  }

  /** Gives all memory back. */
  public void clear() {
    chunks = 0;
    for (Chunks layer : chunksOfLayer) {
      layer.clear();
    }
  }
}
