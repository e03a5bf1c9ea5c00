package dev.quern.kernels;

/**
 * Where the bytes of a packed matrix [rows, cols] lie. The decode kernel reads them in place.
 *
 * <p>A matrix is cut into tiles of 64 rows, a tile into blocks of {@link #blockCols()} columns.
 * Eight tiles are a band, 256 columns of a band a strip: what a kernel multiplies with the same 256
 * elements of its input lies together, so that it meets them in the nearest cache while it reads
 * the weights of a band from one end to the other. A block holds the scales of its groups, then the
 * indices of its runs of 16 columns:
 *
 * <pre>
 * matrix: bands; band: strips; strip: of each of its tiles the blocks (fewer in the last band and strip)
 *
 * block, U4 scales  (32 columns): 64 bytes of scale codes, then 2 runs of 128·bits bytes
 * block, F16 scales (groupSize columns): 64 f16 scales in row order, with offsets 64 more f16, then groupSize/16 runs
 * block, NO scales  (32 columns): 2 runs
 *
 * scale codes: 16 little-endian ints; int m, bits 16h + 4q .. +3 = code of row 16q + m in run h (m 0..15, q 0..3, h 0..1)
 * run of 16 columns, 64 rows: 2·bits vectors of 64 bytes; byte 4m + q of every vector belongs to row 16q + m; i[c] is the
 *   index of that row in column c of the run
 *   1 bit,  vector v = 0..1 : i[8v] | i[8v+1]&lt;&lt;1 | … | i[8v+7]&lt;&lt;7
 *   2 bits, vector v = 0..3 : i[4v] | i[4v+1]&lt;&lt;2 | i[4v+2]&lt;&lt;4 | i[4v+3]&lt;&lt;6
 *   3 bits, half t = 0..1 (8 columns, 3 vectors): f[k] = i[8t+2k] | i[8t+2k+1]&lt;&lt;3 for k = 0..3;
 *                             vector k = 0..2 of the half: f[k] | ((f[3] &gt;&gt; 2k) &amp; 3) &lt;&lt; 6
 *   4 bits, vector v = 0..7 : i[2v] | i[2v+1]&lt;&lt;4
 *   8 bits, vector v = 0..15: the signed code of column v
 * after the last tile: row factors, f16, one per {@link #factorRows} rows (U4 and NO scales only), in row order
 * </pre>
 *
 * Rows are padded to a multiple of 64 and columns to a multiple of blockCols; what is padded
 * dequantizes to anything and is multiplied by an activation of 0 or not stored. A weight is
 *
 * <pre>
 * U4:   factor[row / factorRows] · scaleTable[code] · codebook[index]
 * F16:  scale · codebook[index] (+ offset)          8 bits: scale · (signed code)
 * NONE: factor[row / factorRows] · codebook[index]
 * </pre>
 *
 * @param rows output width, at least 1
 * @param cols input width, at least 1
 * @param bits 1, 2, 3, 4 or 8 per index
 * @param groupSize weights of a row that share a scale: 16 for U4; 32, 64 or 128 for F16; 16 for
 *     NONE (unused)
 * @param offsets whether each group also has an f16 offset (affine); F16 only
 * @param factorRows rows that share a factor: 1, or 64 where a factor per row would cost too much;
 *     U4 and NONE
 */
public record TileLayout(
    int rows, int cols, int bits, Scales scales, int groupSize, boolean offsets, int factorRows) {
  public static final int TILE_ROWS = 64;

  /** Columns whose indices lie together. */
  public static final int RUN_COLS = 16;

  /** Tiles whose strips lie together. */
  public static final int BAND_TILES = 8;

  /** Columns of a strip, a multiple of those of a block. */
  public static final int STRIP_COLS = 256;

  /**
   * A matrix ends at a multiple of this many bytes. Tiles are multiples of 64, and so is a matrix
   * with a factor for each of 32·n rows: those of real models keep every vector within a cache
   * line. Only narrow matrices, whose tiles have a factor of 2 bytes each, end elsewhere; padding
   * those to 64 would cost 0.03 bits per weight.
   */
  public static final int ALIGNMENT = 16;

  /** How the scale of a group is stored. */
  public enum Scales {
    U4,
    F16,
    NONE
  }

  public TileLayout {
    check(rows >= 1 && cols >= 1, "rows and cols", rows + " x " + cols);
    check(bits >= 1 && bits <= 4 || bits == 8, "bits", bits);
    boolean groupFits =
        switch (scales) {
          case U4, NONE -> groupSize == RUN_COLS;
          case F16 -> groupSize == 32 || groupSize == 64 || groupSize == 128;
        };
    check(groupFits, "group size for " + scales, groupSize);
    check(!offsets || scales == Scales.F16, "offsets with scales", scales);
    check(factorRows == 1 || factorRows == TILE_ROWS, "factorRows", factorRows);
    check(bits != 8 || scales == Scales.F16, "scales of 8-bit codes", scales);
  }

  private static void check(boolean holds, String what, Object value) {
    if (!holds) {
      throw new IllegalArgumentException("tile layout: " + what + ": " + value);
    }
  }

  public int tiles() {
    return Math.ceilDiv(rows, TILE_ROWS);
  }

  /** Columns of one block: as many as its scales serve. */
  public int blockCols() {
    return scales == Scales.F16 ? groupSize : 2 * RUN_COLS;
  }

  public int blocks() {
    return Math.ceilDiv(cols, blockCols());
  }

  public int paddedCols() {
    return blocks() * blockCols();
  }

  /** Bytes before the first run of a block. */
  public int scaleBytes() {
    return switch (scales) {
      case U4 -> TILE_ROWS;
      case F16 -> (offsets ? 2 : 1) * TILE_ROWS * Short.BYTES;
      case NONE -> 0;
    };
  }

  /** Bytes of the indices of 64 rows x 16 columns. */
  public int runBytes() {
    return TILE_ROWS * RUN_COLS / Byte.SIZE * bits;
  }

  public int blockBytes() {
    return scaleBytes() + blockCols() / RUN_COLS * runBytes();
  }

  /** Bytes of a tile; they lie together within a strip. */
  public long tileBytes() {
    return (long) blocks() * blockBytes();
  }

  /** First byte of the block of a tile, within the matrix. */
  public long blockOffset(int tile, int block) {
    int band = tile / BAND_TILES * BAND_TILES;
    int bandTiles = Math.min(BAND_TILES, tiles() - band);
    int strip = block - block % stripBlocks();
    int blocksOfStrip = Math.min(stripBlocks(), blocks() - strip);
    long before = (long) band * blocks() + (long) strip * bandTiles;
    return (before + (tile - band) * blocksOfStrip + block - strip) * blockBytes();
  }

  private int stripBlocks() {
    return STRIP_COLS / blockCols();
  }

  public long factorOffset() {
    return tiles() * tileBytes();
  }

  public int factors() {
    return scales == Scales.F16 ? 0 : Math.ceilDiv(rows, factorRows);
  }

  /** All bytes of the matrix, a multiple of {@link #ALIGNMENT}. */
  public long bytes() {
    long end = factorOffset() + (long) factors() * Short.BYTES;
    return Math.ceilDiv(end, ALIGNMENT) * ALIGNMENT;
  }

  /**
   * Everything stored per weight, padding included; codebook and scale table are stored once per
   * file.
   */
  public double bitsPerWeight() {
    return (double) bytes() * Byte.SIZE / ((double) rows * cols);
  }
}
