package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.BAND_TILES;
import static dev.quern.kernels.TileLayout.TILE_ROWS;

import java.util.Arrays;

/**
 * Cuts every product into pieces: some tiles of a small batch; of a larger one what {@link
 * TableBatch} says, or one tile and at most {@link #PIECE_VECTORS} vectors. What a tile gives does
 * not depend on the cut, so results do not depend on the threads.
 */
final class TiledMatMul implements MatMul {
  /**
   * Up to this many vectors the tile is decoded for each, from cache; beyond, dequantizing it once
   * is cheaper.
   */
  static final int MAX_DECODE_VECTORS = 6;

  /** Columns dequantized at once: a panel of 32 KiB and a group's part beside it fit into L1. */
  private static final int PANEL_COLS = 128;

  /**
   * A multiple of 6 and 8, which groups have at most; bounds the sums of a thread to 66 KiB and
   * leaves pieces enough for many threads.
   */
  static final int PIECE_VECTORS = 264;

  /** Tables are filled once per piece, so pieces are as large as leaves threads this many. */
  private static final int TABLE_PIECES_PER_THREAD = 4;

  /** Of a piece of a small batch: a band or two to read ahead in, little enough to share out. */
  private static final int MIN_PIECE_BYTES = 16 << 10;

  private static final int MAX_PIECE_BYTES = 2560 << 10;

  /** Threads end less than a piece apart, so pieces are no larger than reading ahead asks for. */
  private static final int PIECES_PER_THREAD = 8;

  private final Kernels kernels;
  private final Workers workers;
  private final float[][] panels;
  private final float[][] sums;
  private final DecodedTile[] tiles;
  private final GroupedInputs inputs;
  private final ThreadTables[] tables;
  private final boolean byTable;
  private final Workers.Task runPiece = this::runPiece;

  private Product[] products = {};
  private int[] firstPieces = {};
  private int count;
  private int pieces;
  private long work; // weights times vectors
  private long runs;
  private boolean closed;

  TiledMatMul(Kernels kernels, Workers workers, Activations activations) {
    this.kernels = kernels;
    byTable = activations == Activations.INT;
    this.workers = workers;
    panels = new float[workers.threads()][];
    sums = new float[workers.threads()][];
    tiles = new DecodedTile[workers.threads()];
    inputs = new GroupedInputs(kernels);
    tables = new ThreadTables[workers.threads()];
    Arrays.setAll(tiles, thread -> new DecodedTile());
    Arrays.setAll(tables, thread -> new ThreadTables(kernels));
  }

  /** One product, kept and filled again by later runs. */
  private static final class Product {
    private Matrix w;
    private float[] x;
    private int xOffset;
    private int xStride;
    private int vectors;
    private float[] y;
    private int yOffset;
    private int yStride;
    private GroupedInputs.Input input; // of more than MAX_DECODE_VECTORS, if not by table
    private final TableBatch batch = new TableBatch();
    private boolean batched; // what is above and below is not used then

    private int pieceTiles;

    private int tiles() {
      return Math.ceilDiv(w.rows(), TILE_ROWS);
    }

    private boolean small() {
      return vectors <= MAX_DECODE_VECTORS;
    }

    private int pieces() {
      return batched ? batch.pieces() : Math.ceilDiv(tiles(), pieceTiles) * parts();
    }

    /** Of the vectors. */
    private int parts() {
      return Math.ceilDiv(vectors, PIECE_VECTORS);
    }
  }

  @Override
  public void add(
      Matrix w,
      float[] x,
      int xOffset,
      int xStride,
      int vectors,
      float[] y,
      int yOffset,
      int yStride) {
    if (vectors < 0) {
      throw new IllegalArgumentException("vectors: expected 0 or more, found " + vectors);
    }
    if (vectors == 0) {
      return;
    }
    checkRange("x", x, xOffset, xStride, vectors, w.cols());
    checkRange("y", y, yOffset, yStride, vectors, w.rows());
    work += (long) w.rows() * w.cols() * vectors;
    if (multipliedByTable(w, vectors)) {
      addToBatch((Matrix.Packed) w, x, xOffset, xStride, vectors, y, yOffset, yStride);
      return;
    }
    Product product = nextProduct();
    product.batched = false;
    product.w = w;
    product.x = x;
    product.xOffset = xOffset;
    product.xStride = xStride;
    product.vectors = vectors;
    product.y = y;
    product.yOffset = yOffset;
    product.yStride = yStride;
    if (!product.small()) {
      product.input = inputs.add(x, xOffset, xStride, vectors, w.cols());
    }
    count++;
  }

  /** As a batch: fewer vectors are decoded one by one. */
  private boolean multipliedByTable(Matrix w, int vectors) {
    return byTable
        && vectors > MAX_DECODE_VECTORS
        && vectors <= kernels.maxTableVectors()
        && w instanceof Matrix.Packed packed
        && ProductTable.serves(packed);
  }

  /** Adds to the batch added last, if the vectors are the same. */
  private void addToBatch(
      Matrix.Packed w,
      float[] x,
      int xOffset,
      int xStride,
      int vectors,
      float[] y,
      int yOffset,
      int yStride) {
    if (count == 0
        || !products[count - 1].batched
        || !products[count - 1].batch.takes(w, x, xOffset, xStride, vectors)) {
      Product product = nextProduct();
      product.batched = true;
      product.batch.start(x, xOffset, xStride, vectors);
      count++;
    }
    products[count - 1].batch.add(w, y, yOffset, yStride);
  }

  private static void checkRange(
      String name, float[] array, int offset, int stride, int vectors, int width) {
    long last = offset + (vectors - 1L) * stride;
    if (offset < 0 || last < 0 || Math.max(offset, last) + width > array.length) {
      throw new IllegalArgumentException(
          "%s: %d vectors of %d at offset %d, stride %d do not lie in an array of %d"
              .formatted(name, vectors, width, offset, stride, array.length));
    }
  }

  private Product nextProduct() {
    if (count == products.length) {
      products = Arrays.copyOf(products, Math.max(8, 2 * count));
      firstPieces = Arrays.copyOf(firstPieces, products.length);
    }
    if (products[count] == null) {
      products[count] = new Product();
    }
    return products[count];
  }

  @Override
  public synchronized void run() {
    try {
      if (closed) {
        throw new IllegalStateException("the threads are closed");
      }
      runs++;
      cut();
      inputs.run(workers);
      workers.run(pieces, work, runPiece);
    } finally {
      forget();
    }
  }

  private void cut() {
    long bytes = 0;
    long batchTiles = 0;
    for (int i = 0; i < count; i++) {
      if (products[i].batched) {
        batchTiles += products[i].batch.tilesOfAllParts();
      } else {
        bytes += products[i].w.bytes();
      }
    }
    long share = bytes / ((long) PIECES_PER_THREAD * workers.threads());
    long targetBytes = Math.clamp(share, MIN_PIECE_BYTES, MAX_PIECE_BYTES);
    long batchTarget = batchTiles / ((long) TABLE_PIECES_PER_THREAD * workers.threads());
    for (int i = 0; i < count; i++) {
      Product product = products[i];
      if (product.batched) {
        product.batch.cut(batchTarget);
      } else if (product.small()) {
        long tileBytes = Math.ceilDiv(product.w.bytes(), product.tiles());
        int target = (int) (targetBytes / tileBytes);
        product.pieceTiles =
            Math.max(leastTiles(product.tiles(), tileBytes, bytes), wholeBands(target));
      } else {
        product.pieceTiles = 1;
      }
      firstPieces[i] = pieces;
      pieces = Math.addExact(pieces, product.pieces());
    }
  }

  /**
   * A band, if every thread gets two of such a matrix or as much as four of them of the whole run;
   * else what each thread gets at once.
   */
  private int leastTiles(int tiles, long tileBytes, long runBytes) {
    int threads = workers.threads();
    boolean bands =
        tiles >= 2 * BAND_TILES * threads || runBytes >= 4 * BAND_TILES * tileBytes * threads;
    return bands ? BAND_TILES : Math.ceilDiv(tiles, threads);
  }

  /** At most so many tiles: whole bands, or a half, a quarter or an eighth of one. */
  private static int wholeBands(int tiles) {
    return tiles < BAND_TILES ? Integer.highestOneBit(tiles) : tiles / BAND_TILES * BAND_TILES;
  }

  @Override
  public void forget() {
    for (int i = 0; i < count; i++) {
      products[i].w = null;
      products[i].x = null;
      products[i].y = null;
      products[i].input = null;
      products[i].batch.forget();
    }
    inputs.forget();
    count = 0;
    pieces = 0;
    work = 0;
  }

  private void runPiece(int piece, int thread) {
    int found = Arrays.binarySearch(firstPieces, 0, count, piece);
    int index = found >= 0 ? found : -found - 2;
    Product product = products[index];
    int local = piece - firstPieces[index];
    if (product.batched) {
      product.batch.multiplyPiece(kernels, local);
      return;
    }
    if (product.small()) {
      int first = local * product.pieceTiles;
      decode(product, first, Math.min(first + product.pieceTiles, product.tiles()), thread);
      return;
    }
    int tile = local % product.tiles();
    int part = local / product.tiles();
    switch (product.w) {
      case Matrix.InPlace w -> multiply(product, w, tile, product.yOffset, part, thread);
      case Matrix.Decoded w -> {
        Matrix.Dense rows = tiles[thread].decode(w, tile);
        multiply(product, rows, 0, product.yOffset + tile * TILE_ROWS, part, thread);
      }
    }
  }

  private void decode(Product product, int firstTile, int endTile, int thread) {
    switch (product.w) {
      case Matrix.InPlace w -> decode(product, w, firstTile, endTile, product.yOffset, thread);
      case Matrix.Decoded w -> {
        for (int tile = firstTile; tile < endTile; tile++) {
          Matrix.Dense rows = tiles[thread].decode(w, tile);
          decode(product, rows, 0, 1, product.yOffset + tile * TILE_ROWS, thread);
        }
      }
    }
  }

  /** Tiles of w, whose row 0 goes to y[yOffset]; all vectors but the first from cache. */
  private void decode(
      Product product, Matrix.InPlace w, int firstTile, int endTile, int yOffset, int thread) {
    for (int t = 0; t < product.vectors; t++) {
      int to = yOffset + t * product.yStride;
      int from = product.xOffset + t * product.xStride;
      if (byTable && w instanceof Matrix.Packed packed && ProductTable.serves(packed)) {
        ProductTable table = tables[thread].table(packed, product.x, from, runs);
        kernels.gemv(packed, firstTile, endTile, table, product.y, to);
      } else {
        kernels.gemv(w, firstTile, endTile, product.x, from, product.y, to);
      }
    }
  }

  /** A part of the groups times one tile, some columns after others. */
  private void multiply(
      Product product, Matrix.InPlace w, int tile, int yOffset, int part, int thread) {
    if (panels[thread] == null) {
      panels[thread] = new float[PANEL_COLS * TILE_ROWS];
      sums[thread] = new float[PIECE_VECTORS * TILE_ROWS];
    }
    float[] panel = panels[thread];
    float[] sum = sums[thread];
    GroupedInputs.Input input = product.input;
    int parts = product.parts();
    int firstGroup = VectorGroups.first(part, parts, input.groups());
    int endGroup = VectorGroups.first(part + 1, parts, input.groups());
    int first = input.first(firstGroup);
    int vectors = input.first(endGroup) - first;
    Arrays.fill(sum, 0, vectors * TILE_ROWS, 0);
    int cols = w.cols();
    for (int col = 0; col < cols; col += PANEL_COLS) {
      int count = Math.min(PANEL_COLS, cols - col);
      kernels.dequantize(w, tile, col, col + count, panel);
      for (int group = firstGroup; group < endGroup; group++) {
        int from = input.first(group);
        int size = input.first(group + 1) - from;
        int at = (from - first) * TILE_ROWS;
        kernels.multiplyPanel(panel, count, size, inputs.values(), input.at(group, col), sum, at);
      }
    }
    int rows = Math.min(TILE_ROWS, w.rows() - tile * TILE_ROWS);
    for (int t = 0; t < vectors; t++) {
      int at = yOffset + (first + t) * product.yStride + tile * TILE_ROWS;
      System.arraycopy(sum, t * TILE_ROWS, product.y, at, rows);
    }
  }

  @Override
  public Workers workers() {
    return workers;
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    workers.close();
    for (DecodedTile tile : tiles) {
      tile.close();
    }
  }
}
