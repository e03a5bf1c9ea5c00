package dev.quern.converter.work;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.converter.quantize.ErrorReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReceiptTest {
  private static final ErrorReport REPORT =
      new ErrorReport(4096, 0.021, 0.989, 0.17, 0.08, Double.NaN, 1664);

  @TempDir private Path work;

  @Test
  void whatIsWrittenIsRead() throws IOException {
    Receipt receipt = new Receipt("layer-00003", 1L << 40, -7, List.of(REPORT, REPORT));
    receipt.write(work);
    assertEquals(Optional.of(receipt), Receipt.read(work, "layer-00003"));
    assertEquals(Optional.empty(), Receipt.read(work, "layer-00004"));
  }

  @Test
  void damagedReceiptIsNone() throws IOException {
    Receipt receipt = new Receipt("dense", 5, 6, List.of(REPORT));
    receipt.write(work);
    Path file = Receipt.path(work, "dense");
    byte[] intact = Files.readAllBytes(file);
    for (int i = 0; i < intact.length; i++) {
      byte[] flipped = intact.clone();
      flipped[i] ^= 0x10;
      Files.write(file, flipped);
      assertEquals(Optional.empty(), Receipt.read(work, "dense"), "byte " + i + " flipped");
      Files.write(file, Arrays.copyOf(intact, i));
      assertEquals(Optional.empty(), Receipt.read(work, "dense"), "cut to " + i + " bytes");
    }
  }

  @Test
  void receiptDescribesItsFileOnly() throws IOException {
    Path file = work.resolve("file");
    Files.writeString(file, "packed bytes");
    Receipt receipt = Receipt.of("dense", file, List.of());
    assertTrue(receipt.describes(file));
    Files.writeString(file, "packed bytez");
    assertFalse(receipt.describes(file));
    Files.writeString(file, "packed byte");
    assertFalse(receipt.describes(file));
    Files.delete(file);
    assertFalse(receipt.describes(file));
  }
}
