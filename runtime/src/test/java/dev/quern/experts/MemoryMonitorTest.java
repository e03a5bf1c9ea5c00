package dev.quern.experts;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.experts.ExpertStore.Order;
import dev.quern.system.IoMode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class MemoryMonitorTest {
  private static final int EXPERTS = 10;
  private static final long RESERVE = 1 << 20;
  private static final long CALM = 1000;

  @TempDir private Path folder;
  private StreamedPack pack;
  private StreamedExperts store;
  private long most;
  private final AtomicLong available = new AtomicLong(Long.MAX_VALUE);

  @BeforeEach
  void openFull() throws IOException {
    pack = StreamedPack.write(folder, EXPERTS, 40);
    most = EXPERTS * 4L * 16384;
    store = pack.open(new StreamOptions(most, IoMode.DIRECT, OldestFirst::new, true, 2));
    useAll();
  }

  @AfterEach
  void close() {
    store.close();
    pack.close();
  }

  private void useAll() {
    int[] group = new int[EXPERTS];
    int[] all = IntStream.range(0, EXPERTS).toArray();
    for (int layer : new int[] {0, 2, 3}) {
      store.begin(layer, all, EXPERTS, Order.AVAILABLE);
      for (int n = store.next(group); n > 0; n = store.next(group)) {
        for (int i = 0; i < n; i++) {
          pack.check(layer, group[i], store.expert(group[i]));
        }
      }
      store.end();
    }
  }

  private MemoryMonitor monitor(long least, long period) {
    return new MemoryMonitor(
        store, available::get, new MemoryMonitor.Options(RESERVE, least, most, period, CALM));
  }

  @Test
  void givesBackWhatIsMissingAndGrowsWhenCalm() {
    try (MemoryMonitor monitor = monitor(store.leastBytes(), 100)) {
      monitor.look(0);
      assertEquals(most, store.statistics().budgetBytes());
      long used = store.statistics().bytesInUse();
      assertTrue(used > most / 2);

      available.set(RESERVE - 100_000);
      monitor.look(100);
      assertEquals(used - 100_000, store.statistics().budgetBytes());
      assertTrue(store.statistics().bytesInUse() <= used - 100_000);

      available.set(RESERVE + 1000); // enough, but not for a step
      monitor.look(100 + CALM);
      assertEquals(used - 100_000, store.statistics().budgetBytes());

      available.set(RESERVE + most);
      monitor.look(99 + CALM);
      assertEquals(used - 100_000, store.statistics().budgetBytes(), "not calm for long enough");
      monitor.look(100 + CALM);
      long grown = Math.min(most, used - 100_000 + Math.ceilDiv(most, 8));
      assertEquals(grown, store.statistics().budgetBytes());
      monitor.look(150 + CALM);
      assertEquals(grown, store.statistics().budgetBytes(), "one step at a time");
      for (int step = 2; step < 12; step++) {
        monitor.look(100 + step * CALM);
      }
      assertEquals(most, store.statistics().budgetBytes());
      assertEquals(1, monitor.actions().shrinks());
      assertEquals(used - 100_000, monitor.actions().lowestBudgetBytes());
      useAll();
    }
  }

  @Test
  void neverBelowTheLeast() {
    long least = store.leastBytes() + 5000;
    try (MemoryMonitor monitor = monitor(least, 100)) {
      available.set(0);
      for (int i = 0; i < 5; i++) {
        monitor.look(i);
      }
      assertEquals(least, store.statistics().budgetBytes());
      assertTrue(store.statistics().bytesInUse() <= least);
      assertEquals(1, monitor.actions().shrinks());
      useAll();
    }
    assertThrows(IllegalArgumentException.class, () -> monitor(store.leastBytes() - 1, 100));
  }

  @Test
  void looksByItself() throws InterruptedException {
    try (MemoryMonitor monitor = monitor(store.leastBytes(), 5)) {
      available.set(0);
      monitor.start();
      while (store.statistics().budgetBytes() > store.leastBytes()) {
        useAll();
      }
      assertTrue(monitor.actions().looks() >= 1);
    }
  }
}
