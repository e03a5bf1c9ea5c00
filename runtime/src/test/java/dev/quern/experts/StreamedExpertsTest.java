package dev.quern.experts;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.experts.ExpertStore.Order;
import dev.quern.system.IoMode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
class StreamedExpertsTest {
  private static final int EXPERTS = 12;

  @TempDir private Path folder;

  private static StreamOptions options(long budget, IoMode mode, int readers) {
    return new StreamOptions(budget, mode, OldestFirst::new, true, readers);
  }

  static long allBytes(StreamedPack pack, StreamedExperts store) {
    return pack.numExperts() * (2 * store.slotBytes(0) + store.slotBytes(2));
  }

  private static int[] shuffled(Random random, int count) {
    int[] experts = IntStream.range(0, EXPERTS).toArray();
    for (int i = EXPERTS - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      int swapped = experts[i];
      experts[i] = experts[j];
      experts[j] = swapped;
    }
    return Arrays.copyOf(experts, count);
  }

  /** A visit; every expert handed out is compared with the file. */
  private static void visit(
      StreamedPack pack, StreamedExperts store, int layer, int[] experts, Order order) {
    int[] group = new int[experts.length];
    boolean[] seen = new boolean[EXPERTS];
    int handed = 0;
    store.begin(layer, experts, experts.length, order);
    try {
      for (int n = store.next(group); n > 0; n = store.next(group)) {
        for (int i = 0; i < n; i++) {
          pack.check(layer, group[i], store.expert(group[i]));
          assertTrue(!seen[group[i]], "handed out twice");
          seen[group[i]] = true;
          if (order == Order.ANNOUNCED) {
            assertEquals(experts[handed], group[i]);
          }
          handed++;
        }
        StreamStatistics now = store.statistics();
        assertTrue(now.bytesInUse() <= now.budgetBytes(), now::toString);
      }
    } finally {
      store.end();
    }
    assertEquals(experts.length, handed);
  }

  @ParameterizedTest
  @CsvSource({
    "MMAP, 1, 1",
    "MMAP, 5, 3",
    "MMAP, 100, 2",
    "DIRECT, 1, 1",
    "DIRECT, 1, 4",
    "DIRECT, 5, 1",
    "DIRECT, 5, 3",
    "DIRECT, 100, 2",
    "BUFFERED, 1, 2",
    "BUFFERED, 3, 2",
    "BUFFERED, 100, 1"
  })
  void handsOutTheRecordsThemselves(IoMode mode, int slots, int readers) throws IOException {
    Random random = new Random(slots * 10 + readers);
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts probe = pack.open(options(1 << 30, mode, 1));
        StreamedExperts store =
            pack.open(
                options(
                    Math.min(slots * probe.slotBytes(2), allBytes(pack, probe)), mode, readers))) {
      for (int i = 0; i < 150; i++) {
        int layer = new int[] {0, 2, 3}[random.nextInt(3)];
        Order order = random.nextBoolean() ? Order.AVAILABLE : Order.ANNOUNCED;
        visit(pack, store, layer, shuffled(random, 1 + random.nextInt(EXPERTS)), order);
      }
      StreamStatistics end = store.statistics();
      // In announced order an expert may have to leave before its turn: rarely, and never all of
      // it.
      assertTrue(end.reads() >= end.misses() && end.reads() < 1.05 * end.misses(), end::toString);
    }
  }

  @Test
  void everythingFitsAndIsReadOnce() throws IOException {
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts probe = pack.open(options(1 << 30, IoMode.DIRECT, 1));
        StreamedExperts store = pack.open(options(allBytes(pack, probe), IoMode.DIRECT, 2))) {
      int[] all = IntStream.range(0, EXPERTS).toArray();
      for (int i = 0; i < 3; i++) {
        for (int layer : new int[] {0, 2, 3}) {
          visit(pack, store, layer, all, Order.AVAILABLE);
        }
      }
      assertEquals(3 * EXPERTS, store.statistics().reads());
      assertEquals(6 * EXPERTS, store.statistics().hits());
      assertEquals(3 * EXPERTS, store.shape().capacity());
    }
  }

  @Test
  void presentHandsOutWhatIsInMemoryAndReadsNothing() throws IOException {
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts store = pack.open(options(1 << 20, IoMode.BUFFERED, 2))) {
      visit(pack, store, 0, new int[] {3, 5, 7}, Order.AVAILABLE);
      StreamStatistics before = store.statistics();
      int[] group = new int[3];
      store.begin(0, new int[] {4, 5, 3}, 3, Order.PRESENT);
      assertEquals(2, store.next(group));
      assertEquals(5, group[0]);
      assertEquals(3, group[1]);
      pack.check(0, 3, store.expert(3));
      assertThrows(IllegalArgumentException.class, () -> store.expert(4));
      assertEquals(0, store.next(group));
      store.end();
      store.begin(0, new int[] {4}, 1, Order.PRESENT);
      assertEquals(0, store.next(group));
      store.end();
      assertEquals(before, store.statistics());
      assertTrue(store.inMemory(0, 3));
      assertFalse(store.inMemory(0, 4));
    }
  }
}
