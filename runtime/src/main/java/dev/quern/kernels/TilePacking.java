package dev.quern.kernels;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Indices, scales and factors to the bytes that {@link TileLayout} describes, and back. This class
 * and the layout's Javadoc are the whole definition of the packed format.
 */
public final class TilePacking {
  static final ValueLayout.OfShort LE_SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  static final ValueLayout.OfFloat LE_FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final int TILE_ROWS = TileLayout.TILE_ROWS;
  private static final int RUN_COLS = TileLayout.RUN_COLS;
  private static final int QUARTER_ROWS = 16;

  private TilePacking() {}

  /**
   * First byte of the run of 16 columns that begins at column 16·run, within the matrix.
   *
   * @param run in [0, paddedCols / 16)
   */
  public static long runOffset(TileLayout layout, int tile, int run) {
    int runsPerBlock = layout.blockCols() / RUN_COLS;
    return layout.blockOffset(tile, run / runsPerBlock)
        + layout.scaleBytes()
        + (long) (run % runsPerBlock) * layout.runBytes();
  }

  /**
   * Packs one run.
   *
   * @param indices [16 columns, 64 rows]: row r, column c at 64·c + r; signed codes for 8 bits
   * @param out written in [offset, offset + 128·bits)
   */
  public static void packRun(byte[] indices, int bits, MemorySegment out, long offset) {
    for (int vector = 0; vector < 2 * bits; vector++) {
      for (int row = 0; row < TILE_ROWS; row++) {
        long at = offset + (long) vector * TILE_ROWS + byteOf(row);
        out.set(JAVA_BYTE, at, (byte) packedByte(indices, bits, vector, row));
      }
    }
  }

  private static int packedByte(byte[] indices, int bits, int vector, int row) {
    if (bits == 8) {
      return indices[TILE_ROWS * vector + row];
    }
    if (bits == 3) {
      int first = vector / 3 * 8;
      int k = vector % 3;
      int spilled = pair(indices, first + 6, row);
      return pair(indices, first + 2 * k, row) | (spilled >> 2 * k & 3) << 6;
    }
    int perByte = Byte.SIZE / bits;
    int packed = 0;
    for (int field = 0; field < perByte; field++) {
      packed |= indices[TILE_ROWS * (vector * perByte + field) + row] << field * bits;
    }
    return packed;
  }

  private static int pair(byte[] indices, int column, int row) {
    return indices[TILE_ROWS * column + row] | indices[TILE_ROWS * (column + 1) + row] << 3;
  }

  /** Inverse of {@link #packRun}. */
  public static void unpackRun(MemorySegment in, long offset, int bits, byte[] indices) {
    for (int column = 0; column < RUN_COLS; column++) {
      for (int row = 0; row < TILE_ROWS; row++) {
        indices[TILE_ROWS * column + row] = (byte) index(in, offset, bits, row, column);
      }
    }
  }

  /**
   * Index of one weight of a run; sign-extended for 8 bits.
   *
   * @param row in [0, 64)
   * @param column in [0, 16)
   */
  static int index(MemorySegment in, long runOffset, int bits, int row, int column) {
    long base = runOffset + byteOf(row);
    if (bits == 8) {
      return in.get(JAVA_BYTE, base + (long) column * TILE_ROWS);
    }
    if (bits == 3) {
      int half = column / 8;
      int field = column % 8 / 2;
      long first = base + 3L * half * TILE_ROWS;
      int pair =
          field < 3
              ? in.get(JAVA_BYTE, first + (long) field * TILE_ROWS)
              : (in.get(JAVA_BYTE, first) >> 6 & 3)
                  | (in.get(JAVA_BYTE, first + TILE_ROWS) >> 6 & 3) << 2
                  | (in.get(JAVA_BYTE, first + 2L * TILE_ROWS) >> 6 & 3) << 4;
      return pair >> 3 * (column & 1) & 7;
    }
    int perByte = Byte.SIZE / bits;
    int packed = in.get(JAVA_BYTE, base + (long) (column / perByte) * TILE_ROWS);
    return packed >> column % perByte * bits & (1 << bits) - 1;
  }

  /**
   * Writes the 4-bit scale codes of a U4 block.
   *
   * @param codes [2 runs, 64 rows]: run h, row r at 64·h + r, each in [0, 16)
   * @param out written in [blockOffset, blockOffset + 64)
   */
  public static void putScaleCodes(byte[] codes, MemorySegment out, long blockOffset) {
    for (int row = 0; row < TILE_ROWS; row += 2 * QUARTER_ROWS) {
      for (int m = 0; m < QUARTER_ROWS; m++) {
        for (int run = 0; run < 2; run++) {
          int low = codes[TILE_ROWS * run + row + m];
          int high = codes[TILE_ROWS * run + row + QUARTER_ROWS + m];
          out.set(JAVA_BYTE, scaleCodeByte(blockOffset, row + m, run), (byte) (low | high << 4));
        }
      }
    }
  }

  /** Inverse of {@link #putScaleCodes}, for one row and run. */
  static int scaleCode(MemorySegment in, long blockOffset, int row, int run) {
    int packed = in.get(JAVA_BYTE, scaleCodeByte(blockOffset, row, run));
    return packed >> 4 * (row / QUARTER_ROWS & 1) & 15;
  }

  /** Byte with the codes of rows 32·j + m and 32·j + 16 + m. */
  private static long scaleCodeByte(long blockOffset, int row, int run) {
    return blockOffset + 4L * (row % QUARTER_ROWS) + 2L * run + row / (2 * QUARTER_ROWS);
  }

  /**
   * Writes one of the f16 scales of an F16 block, rounding to nearest.
   *
   * @param row in [0, 64)
   */
  public static void putScale(float scale, int row, MemorySegment out, long blockOffset) {
    out.set(LE_SHORT, blockOffset + (long) row * Short.BYTES, Float.floatToFloat16(scale));
  }

  /** Writes one of the f16 offsets of an F16 block with offsets. */
  public static void putOffset(float offset, int row, MemorySegment out, long blockOffset) {
    putScale(offset, TILE_ROWS + row, out, blockOffset);
  }

  static float scale(MemorySegment in, long blockOffset, int row) {
    return half(in, blockOffset + (long) row * Short.BYTES);
  }

  static float offset(MemorySegment in, long blockOffset, int row) {
    return scale(in, blockOffset, TILE_ROWS + row);
  }

  /**
   * Writes a row factor of U4 or NO scales.
   *
   * @param index in [0, factors()): row / factorRows
   */
  public static void putFactor(TileLayout layout, float factor, int index, MemorySegment out) {
    long at = layout.factorOffset() + (long) index * Short.BYTES;
    out.set(LE_SHORT, at, Float.floatToFloat16(factor));
  }

  /** Row factor that applies to a row; 1 where the layout has none. */
  static float factor(TileLayout layout, MemorySegment in, int row) {
    return layout.factors() == 0
        ? 1
        : half(in, layout.factorOffset() + (long) (row / layout.factorRows()) * Short.BYTES);
  }

  /** Index of the weight at (row, 16·run + column). */
  static int index(Matrix.Packed w, int row, int run, int column) {
    TileLayout layout = w.layout();
    long at = runOffset(layout, row / TILE_ROWS, run);
    return index(w.data(), at, layout.bits(), row % TILE_ROWS, column);
  }

  /** Code of the U4 scale of a row in a run. */
  static int scaleCode(Matrix.Packed w, int row, int run) {
    long block = w.layout().blockOffset(row / TILE_ROWS, run / 2);
    return scaleCode(w.data(), block, row % TILE_ROWS, run % 2);
  }

  /** The weight at (row, col) as the kernels see it: the definition of dequantization. */
  static float weight(Matrix.Packed w, int row, int col) {
    TileLayout layout = w.layout();
    MemorySegment data = w.data();
    int r = row % TILE_ROWS;
    int run = col / RUN_COLS;
    int index = index(w, row, run, col % RUN_COLS);
    float level = layout.bits() == 8 ? index : w.codebook()[index];
    long block = layout.blockOffset(row / TILE_ROWS, col / layout.blockCols());
    return switch (layout.scales()) {
      case U4 -> {
        float scale = w.scaleTable()[scaleCode(w, row, run)];
        yield factor(layout, data, row) * (scale * level);
      }
      case F16 -> {
        float scaled = scale(data, block, r) * level;
        yield layout.offsets() ? scaled + offset(data, block, r) : scaled;
      }
      case NONE -> factor(layout, data, row) * level;
    };
  }

  /** Where the byte of a row lies in a vector of 64: see {@link TileLayout}. */
  private static int byteOf(int row) {
    return 4 * (row % QUARTER_ROWS) + row / QUARTER_ROWS;
  }

  private static float half(MemorySegment in, long at) {
    return Float.float16ToFloat(in.get(LE_SHORT, at));
  }
}
