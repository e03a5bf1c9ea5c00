package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.TILE_ROWS;

import java.util.Arrays;

/**
 * A batch of vectors and the packed matrices that multiply it by table: they share the {@link
 * ProductTable}s of its vectors. Their tiles are counted through, one matrix after another.
 */
final class TableBatch {
  /** Of a piece: what it unpacks and fills serves this many vectors and tiles. */
  private static final int PIECE_VECTORS = 32;

  private static final int MIN_PIECE_TILES = 8;

  private float[] x;
  private int xOffset;
  private int xStride;
  private int vectors;
  private Output[] outputs = {};
  private int count;
  private int tiles;
  private int pieceTiles;

  /** A matrix and where its products go: y[yOffset + t·yStride + row]. */
  private static final class Output {
    private Matrix.Packed w;
    private float[] y;
    private int yOffset;
    private int yStride;
    private int firstTile;
  }

  void start(float[] newX, int offset, int stride, int newVectors) {
    x = newX;
    xOffset = offset;
    xStride = stride;
    vectors = newVectors;
    count = 0;
    tiles = 0;
  }

  /** Whether a product with these vectors can be one of the batch. */
  boolean takes(Matrix.Packed w, float[] otherX, int offset, int stride, int otherVectors) {
    return x == otherX
        && xOffset == offset
        && xStride == stride
        && vectors == otherVectors
        && TableLevels.shared(outputs[0].w, w);
  }

  void add(Matrix.Packed w, float[] y, int yOffset, int yStride) {
    if (count == outputs.length) {
      outputs = Arrays.copyOf(outputs, Math.max(4, 2 * count));
    }
    if (outputs[count] == null) {
      outputs[count] = new Output();
    }
    Output output = outputs[count++];
    output.w = w;
    output.y = y;
    output.yOffset = yOffset;
    output.yStride = yStride;
    output.firstTile = tiles;
    tiles += w.layout().tiles();
  }

  void forget() {
    x = null;
    for (int i = 0; i < count; i++) {
      outputs[i].w = null;
      outputs[i].y = null;
    }
    count = 0;
  }

  /** Of all matrices. */
  int tiles() {
    return tiles;
  }

  long tilesOfAllParts() {
    return (long) tiles * parts();
  }

  /** Of the vectors. */
  private int parts() {
    return Math.ceilDiv(vectors, PIECE_VECTORS);
  }

  /** Cuts the tiles, into about equal pieces of about so many. */
  void cut(long target) {
    int cuts = Math.ceilDiv(tiles, Math.clamp(target, MIN_PIECE_TILES, TableScratch.MAX_TILES));
    pieceTiles = Math.ceilDiv(tiles, cuts);
  }

  int pieces() {
    return Math.ceilDiv(tiles, pieceTiles) * parts();
  }

  void multiplyPiece(Kernels kernels, int piece) {
    int cuts = Math.ceilDiv(tiles, pieceTiles);
    int first = piece % cuts * pieceTiles;
    int end = Math.min(first + pieceTiles, tiles);
    int part = piece / cuts;
    kernels.multiplyByTable(this, first, end, firstVector(part), firstVector(part + 1));
  }

  /** Parts have about as many whole groups. */
  private int firstVector(int part) {
    int groups = Math.ceilDiv(vectors, TableScratch.GROUP_VECTORS);
    int group = VectorGroups.first(part, parts(), groups);
    return Math.min(group * TableScratch.GROUP_VECTORS, vectors);
  }

  /** The matrix of a tile; all have as many columns and the same codebook. */
  Matrix.Packed matrix(int tile) {
    return output(tile).w;
  }

  /** A tile's number in its matrix. */
  int tileOfMatrix(int tile) {
    return tile - output(tile).firstTile;
  }

  float[] x() {
    return x;
  }

  int offset(int vector) {
    return xOffset + vector * xStride;
  }

  /** Whether the vectors have so many columns. */
  boolean hasColumns(int columns) {
    return columns <= matrix(0).cols();
  }

  /** out ← columns [firstCol, firstCol + count) of a vector, 0 beyond the last. */
  void copyColumns(int vector, int firstCol, int count, float[] out) {
    int present = Math.min(count, matrix(0).cols() - firstCol);
    System.arraycopy(x, offset(vector) + firstCol, out, 0, present);
    Arrays.fill(out, present, count, 0);
  }

  /** Writes the products of a tile's rows with a vector. */
  void write(int tile, int vector, float[] sums, int at) {
    Output output = output(tile);
    int row = (tile - output.firstTile) * TILE_ROWS;
    int rows = Math.min(TILE_ROWS, output.w.rows() - row);
    System.arraycopy(sums, at, output.y, output.yOffset + vector * output.yStride + row, rows);
  }

  /** The definition: every vector by itself. */
  void multiplyOneByOne(
      Kernels kernels, ProductTable table, int firstTile, int endTile, int vector) {
    int from = offset(vector);
    kernels.multiplyLevels(matrix(0), x, from, table);
    for (int tile = firstTile; tile < endTile; tile++) {
      Output output = output(tile);
      int to = output.yOffset + vector * output.yStride;
      int local = tile - output.firstTile;
      kernels.gemv(output.w, local, local + 1, table, output.y, to);
    }
  }

  private Output output(int tile) {
    int i = count - 1;
    while (outputs[i].firstTile > tile) {
      i--;
    }
    return outputs[i];
  }
}
