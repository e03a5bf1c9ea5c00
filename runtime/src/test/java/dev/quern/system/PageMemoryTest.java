package dev.quern.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class PageMemoryTest {
  private static final Path STATUS = Path.of("/proc/self/status");

  /** Anonymous memory of this process that is in use, in bytes. */
  private static long anonymous() throws IOException {
    return Files.readAllLines(STATUS).stream()
        .filter(line -> line.startsWith("RssAnon:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
        .sum();
  }

  @Test
  void pagesTakeMemoryFromTheFirstWriteUntilTheyAreReleased() throws IOException {
    assumeTrue(Files.exists(STATUS), "not Linux");
    long bytes = 128 << 20;
    long page = PageMemory.PAGE_BYTES;
    long tolerance = 24 << 20; // the virtual machine goes on living
    try (PageMemory memory = PageMemory.reserve(1L << 40)) { // far more than there is
      assertTrue(memory.releases());
      long before = anonymous();
      memory.segment().asSlice(page, bytes).fill((byte) 7);
      assertEquals(bytes, anonymous() - before, tolerance);
      memory.release(page, bytes - page);
      assertEquals(0, anonymous() - before, tolerance);
      assertEquals(0, memory.segment().get(ValueLayout.JAVA_BYTE, page));
      assertEquals(7, memory.segment().get(ValueLayout.JAVA_BYTE, bytes));
    }
  }

  @Test
  void beginsWithAPageAndCannotBeUsedAfterItIsClosed() {
    MemorySegment segment;
    try (PageMemory memory = PageMemory.reserve(5000)) {
      segment = memory.segment();
      assertEquals(0, segment.address() % PageMemory.PAGE_BYTES);
      assertEquals(PageMemory.roundUp(5000), segment.byteSize());
      assertThrows(IllegalArgumentException.class, () -> memory.release(1, 4096));
      assertThrows(IndexOutOfBoundsException.class, () -> memory.release(0, 1 << 20));
    }
    assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_BYTE, 0));
    assertThrows(IllegalArgumentException.class, () -> PageMemory.reserve(0));
  }
}
