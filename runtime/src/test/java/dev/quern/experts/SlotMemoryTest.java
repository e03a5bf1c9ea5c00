package dev.quern.experts;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.quern.system.PageMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SlotMemoryTest {
  private static final long PAGE = PageMemory.PAGE_BYTES;

  @Test
  void oneSizeTakesWhatAnotherGivesBack() {
    long[] sizes = {PAGE, 3 * PAGE};
    try (SlotMemory memory = new SlotMemory(sizes, new int[] {10, 10}, 7 * PAGE, false)) {
      assertEquals(7, memory.capacity(0));
      assertEquals(2, memory.capacity(1));
      int large = memory.take(1);
      assertNotEquals(large, memory.take(1));
      assertEquals(-1, memory.take(1));
      assertEquals(0, memory.take(0));
      assertEquals(-1, memory.take(0));
      memory.give(1, large);
      assertEquals(
          7 * PAGE, memory.inUse(), "a free slot keeps its pages for the next of its size");
      for (int i = 1; i <= 3; i++) {
        assertEquals(i, memory.take(0));
      }
      assertEquals(-1, memory.take(0));
      assertEquals(7 * PAGE, memory.inUse());
    }
  }

  @Test
  void theLimitHoldsWhateverIsTakenAndGiven() {
    long[] sizes = {PAGE, 2 * PAGE, 5 * PAGE};
    Random random = new Random(4);
    try (SlotMemory memory = new SlotMemory(sizes, new int[] {30, 9, 4}, 23 * PAGE, false)) {
      List<int[]> taken = new ArrayList<>();
      long takenBytes = 0;
      for (int i = 0; i < 20_000; i++) {
        int size = random.nextInt(3);
        if (random.nextInt(40) == 0) {
          memory.limit(PAGE * random.nextInt(5, 24));
          memory.trim();
        } else if (random.nextBoolean() && !taken.isEmpty()) {
          int[] slot = taken.remove(random.nextInt(taken.size()));
          takenBytes -= sizes[slot[0]];
          memory.give(slot[0], slot[1]);
          memory.trim();
        } else {
          int slot = memory.take(size);
          // A slot is refused only if its bytes are taken, or all of its size are.
          long ofSize = taken.stream().filter(other -> other[0] == size).count();
          boolean room = takenBytes + sizes[size] <= memory.limit();
          assertEquals(room && ofSize < new int[] {23, 9, 4}[size], slot >= 0);
          if (slot >= 0) {
            assertTrue(
                taken.stream().noneMatch(other -> other[0] == size && other[1] == slot),
                "taken twice");
            taken.add(new int[] {size, slot});
            takenBytes += sizes[size];
          }
        }
        assertTrue(memory.inUse() >= takenBytes);
        assertTrue(memory.inUse() <= Math.max(memory.limit(), takenBytes));
      }
    }
  }

  @Test
  void trimmedSlotsGiveTheirPagesBackToTheSystem() throws IOException {
    Path status = Path.of("/proc/self/status");
    assumeTrue(Files.exists(status), "not Linux");
    long slotBytes = 8 << 20;
    try (SlotMemory memory =
        new SlotMemory(new long[] {slotBytes}, new int[] {16}, 16 * slotBytes, false)) {
      long before = anonymous(status);
      for (int i = 0; i < 16; i++) {
        memory.segment(0, memory.take(0)).fill((byte) 1);
      }
      long tolerance = 24 << 20; // the virtual machine goes on living
      assertEquals(16 * slotBytes, anonymous(status) - before, tolerance);
      for (int i = 0; i < 16; i++) {
        memory.give(0, i);
      }
      memory.limit(2 * slotBytes);
      memory.trim();
      assertEquals(2 * slotBytes, memory.inUse());
      assertEquals(2 * slotBytes, anonymous(status) - before, tolerance);
    }
  }

  private static long anonymous(Path status) throws IOException {
    return Files.readAllLines(status).stream()
        .filter(line -> line.startsWith("RssAnon:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
        .sum();
  }
}
