package dev.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TilePackingTest {
  private static final long SEED = 11;

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 8})
  void unpackedRunEqualsPackedRun(int bits) {
    byte[] indices = new byte[64 * 16];
    SplittableRandom random = new SplittableRandom(SEED);
    for (int i = 0; i < indices.length; i++) {
      indices[i] = (byte) (bits == 8 ? random.nextInt(-128, 128) : random.nextInt(1 << bits));
    }
    int offset = 64;
    MemorySegment out = MemorySegment.ofArray(new byte[offset + 128 * bits]);
    TilePacking.packRun(indices, bits, out, offset);
    byte[] unpacked = new byte[64 * 16];
    TilePacking.unpackRun(out, offset, bits, unpacked);
    assertArrayEquals(indices, unpacked);
  }

  /** Bytes written down by hand from the Javadoc of TileLayout: row 18 = 16·1 + 2 is byte 9. */
  @Test
  void bytesAreThoseOfTheLayout() {
    byte[] indices = new byte[64 * 16];
    for (int column = 0; column < 16; column++) {
      indices[64 * column + 18] = (byte) (column % 8); // i0..i7 = 0..7
    }
    assertArrayEquals(new int[] {0b10101010, 0b10101010}, columnBytes(mod(indices, 2), 1));
    assertArrayEquals(
        new int[] {0b11100100, 0b11100100, 0b11100100, 0b11100100},
        columnBytes(mod(indices, 4), 2));
    // f0 = 0|1<<3, f1 = 2|3<<3, f2 = 4|5<<3, f3 = 6|7<<3 = 0b111110 -> 2, 3, 3
    int[] half = {0b10_001000, 0b11_011010, 0b11_101100};
    assertArrayEquals(
        new int[] {half[0], half[1], half[2], half[0], half[1], half[2]}, columnBytes(indices, 3));
    assertArrayEquals(
        new int[] {0x10, 0x32, 0x54, 0x76, 0x10, 0x32, 0x54, 0x76}, columnBytes(indices, 4));
  }

  /** 10 tiles are a band of 8 and one of 2, 300 columns a strip of 256 and one of 44. */
  @ParameterizedTest
  @CsvSource({"U4, 16", "F16, 32", "F16, 64", "F16, 128", "NONE, 16"})
  void blocksLieBandByBandStripByStripTileByTile(TileLayout.Scales scales, int groupSize) {
    TileLayout layout = new TileLayout(600, 300, 3, scales, groupSize, false, 1);
    int blocksOfStrip = 256 / layout.blockCols();
    long expected = 0;
    for (int[] band : new int[][] {{0, 8}, {8, 10}}) {
      for (int strip = 0; strip < layout.blocks(); strip += blocksOfStrip) {
        for (int tile = band[0]; tile < band[1]; tile++) {
          for (int block = strip; block < strip + blocksOfStrip; block++) {
            if (block < layout.blocks()) {
              assertEquals(expected, layout.blockOffset(tile, block), tile + ", " + block);
              expected += layout.blockBytes();
            }
          }
        }
      }
    }
    assertEquals(expected, layout.factorOffset());
  }

  private static byte[] mod(byte[] indices, int levels) {
    byte[] out = new byte[indices.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (byte) (indices[i] % levels);
    }
    return out;
  }

  /** Byte 9 of each vector of the packed run. */
  private static int[] columnBytes(byte[] indices, int bits) {
    byte[] out = new byte[128 * bits];
    TilePacking.packRun(indices, bits, MemorySegment.ofArray(out), 0);
    int[] bytes = new int[2 * bits];
    for (int v = 0; v < bytes.length; v++) {
      bytes[v] = out[64 * v + 9] & 0xFF;
    }
    return bytes;
  }

  @Test
  void scaleCodesAreFourBitsOfLittleEndianInts() {
    byte[] codes = new byte[128];
    SplittableRandom random = new SplittableRandom(SEED);
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) random.nextInt(16);
    }
    byte[] out = new byte[64];
    MemorySegment segment = MemorySegment.ofArray(out);
    TilePacking.putScaleCodes(codes, segment, 0);
    for (int run = 0; run < 2; run++) {
      for (int row = 0; row < 64; row++) {
        int m = row % 16;
        int q = row / 16;
        int word =
            out[4 * m] & 0xFF
                | (out[4 * m + 1] & 0xFF) << 8
                | (out[4 * m + 2] & 0xFF) << 16
                | (out[4 * m + 3] & 0xFF) << 24;
        assertEquals(codes[64 * run + row], word >>> 16 * run + 4 * q & 15);
        assertEquals(codes[64 * run + row], TilePacking.scaleCode(segment, 0, row, run));
      }
    }
  }
}
