package dev.quern.format;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.quern.kernels.TileLayout;
import dev.quern.kernels.TilePacking;
import dev.quern.quant.QuantScheme;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The example of {@code docs/format-expert.md}: what the text says is what the writer writes. */
class ExpertFormatExampleTest {
  private static final int ROWS = 2;
  private static final int COLS = 32;

  @TempDir private Path folder;
  private byte[] bytes;

  @BeforeEach
  void writeExample() throws IOException {
    QuantScheme scheme = new QuantScheme(QuantScheme.Method.LLOYD_U4, 2, 16, false, false);
    float[] scales = new float[16];
    for (int i = 0; i < scales.length; i++) {
      scales[i] = (i + 1) / 8f;
    }
    float[] levels = {-1.5f, -0.5f, 0.5f, 1.5f};
    ExpertMatrix matrix =
        ExpertMatrix.quantized(ExpertMatrix.Role.DOWN, ROWS, COLS, scheme, levels, scales);
    Path file = folder.resolve("layer-00000.qexp");
    try (ExpertFileWriter out = ExpertFileWriter.create(file, 0, 1, List.of(matrix))) {
      out.append(record(scheme.layout(ROWS, COLS)));
      out.finish();
    }
    bytes = Files.readAllBytes(file);
  }

  private static MemorySegment record(TileLayout layout) {
    MemorySegment record = MemorySegment.ofArray(new byte[(int) layout.bytes()]);
    byte[] codes = new byte[2 * TileLayout.TILE_ROWS];
    for (int run = 0; run < 2; run++) {
      byte[] indices = new byte[TileLayout.RUN_COLS * TileLayout.TILE_ROWS];
      for (int row = 0; row < ROWS; row++) {
        codes[TileLayout.TILE_ROWS * run + row] = (byte) (3 + run + row);
        for (int column = 0; column < TileLayout.RUN_COLS; column++) {
          indices[TileLayout.TILE_ROWS * column + row] = (byte) ((row + column) % 4);
        }
      }
      TilePacking.packRun(indices, 2, record, TilePacking.runOffset(layout, 0, run));
    }
    TilePacking.putScaleCodes(codes, record, 0);
    TilePacking.putFactor(layout, 0.5f, 0, record);
    return record;
  }

  @ParameterizedTest
  @CsvSource({
    "0, 51455850 02000000 c0000000 00000000",
    "16, 01000000 01000000 40000000 00000000",
    "32, 50020000 00000000 80020000 00000000",
    "48, c0000000 00000000 02000000 02000000",
    "64, 20000000 00000000 00000000 00000000",
    "80, 50020000 00000000 00021000 00100040",
    "96, 04000000 10000000 0000c0bf 000000bf",
    "192, 03000400 04000500 00000000",
    "256, e4000000 39000000 00000000",
    "516, 39",
    "768, 0038",
  })
  void bytesAreThoseOfTheText(int at, String hex) {
    String expected = hex.replace(" ", "");
    assertEquals(expected, HexFormat.of().formatHex(bytes, at, at + expected.length() / 2));
  }

  @Test
  void theFileHasItsLength() {
    assertEquals(832, bytes.length);
  }
}
