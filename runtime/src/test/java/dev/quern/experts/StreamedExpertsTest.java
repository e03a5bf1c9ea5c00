package dev.quern.experts;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.experts.ExpertStore.Order;
import dev.quern.system.IoMode;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

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

  @ParameterizedTest
  @EnumSource(IoMode.class)
  void recordsOfWholePagesAreReadInPlace(IoMode mode) throws IOException {
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 256);
        StreamedExperts store = pack.open(options(5L * 2 * 288 * 256, mode, 2))) {
      assertEquals(0, pack.file(0).recordStride() % 4096);
      assertEquals(pack.file(0).recordStride(), store.slotBytes(0));
      int[] all = IntStream.range(0, EXPERTS).toArray();
      for (int layer : new int[] {0, 2, 3, 2, 0}) {
        visit(pack, store, layer, all, Order.ANNOUNCED);
      }
    }
  }

  private static void overwrite(Path file, long at, int value) throws IOException {
    try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
      out.seek(at);
      out.write(value);
    }
  }

  private static String failureOf(StreamedPack pack, StreamedExperts store, int... experts) {
    ExpertReadException e =
        assertThrows(
            ExpertReadException.class, () -> visit(pack, store, 0, experts, Order.AVAILABLE));
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
    return e.getMessage();
  }

  @ParameterizedTest
  @EnumSource(IoMode.class)
  void aDamagedRecordIsNamedAndTheStoreGoesOn(IoMode mode) throws IOException {
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts store = pack.open(options(1 << 20, mode, 2))) {
      Path file = pack.file(0).file();
      long at = pack.file(0).recordOffset(5) + 100;
      int before = Byte.toUnsignedInt(Files.readAllBytes(file)[(int) at]);
      overwrite(file, at, before ^ 1);
      String message = failureOf(pack, store, 5);
      assertTrue(message.startsWith("layer-00000.qexp, expert 5: CRC32C: expected"), message);
      failureOf(pack, store, 5); // not believed the second time either
      visit(pack, store, 0, new int[] {4, 6}, Order.AVAILABLE);
      overwrite(file, at, before);
      visit(pack, store, 0, new int[] {4, 5, 6}, Order.ANNOUNCED);
    }
  }

  @Test
  void checksumsAreNotComparedIfNotAskedFor() throws IOException {
    StreamOptions trusting = new StreamOptions(1 << 20, IoMode.DIRECT, OldestFirst::new, false, 1);
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts store = pack.open(trusting)) {
      long padding = pack.file(0).recordOffset(5) + pack.file(0).recordBytes();
      assertTrue(pack.file(0).recordBytes() <= pack.file(0).recordStride());
      overwrite(pack.file(0).file(), padding - 1, 0x55);
      int[] group = new int[1];
      store.begin(0, new int[] {5}, 1, Order.AVAILABLE);
      assertEquals(1, store.next(group));
      store.end();
    }
  }

  @ParameterizedTest
  @EnumSource(IoMode.class)
  void aFileThatHasShrunkIsNamedAndTheStoreGoesOn(IoMode mode) throws IOException {
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts store = pack.open(options(1 << 20, mode, 2))) {
      Path file = pack.file(0).file();
      long length = pack.file(0).recordOffset(8) + 10;
      try (FileChannel out = FileChannel.open(file, StandardOpenOption.WRITE)) {
        out.truncate(length);
      }
      String message = failureOf(pack, store, 11, 9);
      assertTrue(message.matches("layer-00000.qexp, expert (9|11): file length: .*"), message);
      String partly = failureOf(pack, store, 8);
      assertTrue(partly.contains("found " + length), partly);
      visit(pack, store, 0, new int[] {7, 0}, Order.AVAILABLE);
      visit(pack, store, 3, new int[] {11}, Order.AVAILABLE);
    }
  }

  @Test
  void whatIsPredictedIsReadAheadAndCounted() throws Exception {
    float[] probabilities = new float[EXPERTS];
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts store = pack.open(options(1 << 20, IoMode.DIRECT, 2))) {
      long upcoming = store.upcomingVisit(0);
      store.expect(2, 0, upcoming + 2, probabilities, new int[] {3, 4, 9}, 3);
      await(() -> store.statistics().prefetchReads() == 3);
      visit(pack, store, 0, new int[] {1}, Order.AVAILABLE);
      visit(pack, store, 2, new int[] {4, 9, 11}, Order.AVAILABLE);
      StreamStatistics now = store.statistics();
      assertEquals(2, now.prefetchUseful());
      assertEquals(1, now.prefetchUnused());
      assertEquals(2, now.hits());
      assertEquals(2, now.misses());
      store.resize(store.leastBytes());
      assertEquals(1, store.statistics().prefetchWasted());
      // The model has passed that layer: nothing is read.
      store.expect(2, 0, upcoming + 2, probabilities, new int[] {7}, 1);
      visit(pack, store, 3, new int[] {1}, Order.AVAILABLE);
      assertFalse(store.inMemory(2, 7));
      assertEquals(3, store.statistics().prefetchReads());
    }
  }

  @Test
  void aPredictionReplacesTheOneBeforeAndNeverTakesASlotInUse() throws Exception {
    float[] probabilities = new float[EXPERTS];
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts probe = pack.open(options(1 << 20, IoMode.BUFFERED, 1));
        StreamedExperts store = pack.open(options(probe.leastBytes(), IoMode.BUFFERED, 3))) {
      int[] group = new int[1];
      store.begin(2, new int[] {6}, 1, Order.AVAILABLE);
      assertEquals(1, store.next(group));
      long next = store.upcomingVisit(3);
      store.expect(3, 0, next, probabilities, new int[] {1, 2}, 2);
      store.expect(3, 0, next, probabilities, new int[] {8}, 1);
      assertEquals(2, store.statistics().prefetchCancelled());
      pack.check(2, 6, store.expert(6));
      assertEquals(0, store.next(group));
      store.end();
      await(() -> store.inMemory(3, 8));
      visit(pack, store, 3, new int[] {8}, Order.AVAILABLE);
      assertEquals(1, store.statistics().prefetchUseful());
    }
  }

  @Test
  void aWishIsReadWhenThereIsTime() throws Exception {
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts store = pack.open(options(1 << 20, IoMode.DIRECT, 1))) {
      store.fetch(0, 7);
      await(() -> store.inMemory(0, 7));
      visit(pack, store, 0, new int[] {7}, Order.AVAILABLE);
      assertEquals(1, store.statistics().hits());
    }
  }

  private static void await(BooleanSupplier condition) throws InterruptedException {
    while (!condition.getAsBoolean()) { // the test's own time limit ends it
      Thread.sleep(1);
    }
  }

  @ParameterizedTest
  @EnumSource(IoMode.class)
  void predictionsAndChangesOfTheBudgetDisturbNobody(IoMode mode) throws Exception {
    AtomicBoolean stop = new AtomicBoolean();
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts probe = pack.open(options(1 << 30, mode, 1));
        StreamedExperts store = pack.open(options(allBytes(pack, probe), mode, 3))) {
      Thread predictor =
          Thread.ofPlatform()
              .start(() -> {
                Random random = new Random(1);
                while (!stop.get()) {
                  int layer = new int[] {0, 2, 3}[random.nextInt(3)];
                  long visit = store.upcomingVisit(layer) + 4L * random.nextInt(2);
                  store.expect(layer, 0, visit, new float[EXPERTS], shuffled(random, 5), 5);
                  store.fetch(3, random.nextInt(EXPERTS));
                }
              });
      Thread resizer =
          Thread.ofPlatform()
              .start(() -> {
                Random random = new Random(2);
                while (!stop.get()) {
                  store.resize(random.nextLong(store.leastBytes(), allBytes(pack, probe) + 1));
                  Thread.yield();
                }
              });
      try {
        Random random = new Random(3);
        long most = allBytes(pack, probe);
        for (int i = 0; i < 150; i++) {
          int layer = new int[] {0, 2, 3}[i % 3];
          Order order = random.nextBoolean() ? Order.AVAILABLE : Order.ANNOUNCED;
          int[] experts = shuffled(random, 1 + random.nextInt(EXPERTS));
          int[] group = new int[experts.length];
          int handed = 0;
          store.begin(layer, experts, experts.length, order);
          try {
            for (int n = store.next(group); n > 0; n = store.next(group)) {
              for (int k = 0; k < n; k++) {
                pack.check(layer, group[k], store.expert(group[k]));
              }
              handed += n;
              assertTrue(store.statistics().bytesInUse() <= most);
            }
          } finally {
            store.end();
          }
          assertEquals(experts.length, handed);
        }
      } finally {
        stop.set(true);
        predictor.join();
        resizer.join();
      }
      store.resize(store.leastBytes());
      await(() -> store.statistics().bytesInUse() <= store.leastBytes());
    }
  }

  @Test
  void theBudgetMustHoldOneExpert() throws IOException {
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40)) {
      IllegalArgumentException e =
          assertThrows(
              IllegalArgumentException.class,
              () -> pack.open(options(4096, IoMode.DIRECT, 1)).close());
      assertTrue(e.getMessage().contains("budget: expected at least"), e.getMessage());
    }
  }

  @Test
  void aVisitAfterAnUnfinishedOneStartsAnew() throws IOException {
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts store = pack.open(options(1 << 17, IoMode.DIRECT, 2))) {
      for (int i = 0; i < 50; i++) {
        store.begin(0, new int[] {1, 2, 3, 4}, 4, Order.ANNOUNCED);
        if (i % 2 == 0) {
          store.next(new int[4]);
        }
        store.end();
        visit(pack, store, i % 3 == 0 ? 0 : 3, new int[] {4, 0, 3}, Order.AVAILABLE);
      }
      assertThrows(
          IllegalArgumentException.class,
          () -> store.begin(0, new int[] {1, 1}, 2, Order.AVAILABLE));
      assertThrows(
          IllegalArgumentException.class,
          () -> store.begin(0, new int[] {2, EXPERTS}, 2, Order.AVAILABLE));
      visit(pack, store, 0, new int[] {1, 2}, Order.AVAILABLE);
    }
  }

  @Test
  void theNumberOfReadersIsMeasured() throws IOException {
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts store = pack.open(options(1 << 20, IoMode.BUFFERED, 0))) {
      assertTrue(store.readers() >= 1 && store.readers() <= 8);
      visit(pack, store, 0, new int[] {1, 2}, Order.AVAILABLE);
    }
  }

  @Test
  void anInterruptedThreadStillGetsItsExperts() throws IOException {
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts store = pack.open(options(1 << 20, IoMode.DIRECT, 2))) {
      Thread.currentThread().interrupt();
      visit(pack, store, 0, new int[] {1, 2}, Order.AVAILABLE);
      assertTrue(Thread.interrupted());
    }
  }

  @Test
  void anErrorOfOursReachesTheModelInsteadOfAHang() throws IOException {
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts store =
            StreamedExperts.open(
                pack.layers(),
                StreamedPack.TOP_K,
                (layer, expert, record) -> {
                  if (expert == 7) {
                    throw new ArithmeticException("no view");
                  }
                  return pack.view(layer, expert, record);
                },
                options(1 << 20, IoMode.DIRECT, 2))) {
      IllegalStateException e =
          assertThrows(
              IllegalStateException.class,
              () -> visit(pack, store, 0, new int[] {7}, Order.AVAILABLE));
      assertEquals("no view", e.getCause().getMessage());
      visit(pack, store, 0, new int[] {3, 6}, Order.AVAILABLE);
    }
  }
}
