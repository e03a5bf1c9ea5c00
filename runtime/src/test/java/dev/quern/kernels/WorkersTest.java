package dev.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WorkersTest {

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void everyPieceRunsOnceInEveryTask(int threads) {
    try (Workers workers = Workers.create(threads)) {
      for (int pieces = 0; pieces < 200; pieces++) {
        int[] runs = new int[pieces];
        workers.run(
            pieces,
            (piece, thread) -> {
              assertTrue(thread >= 0 && thread < threads);
              runs[piece]++;
            });
        int[] once = new int[pieces];
        Arrays.fill(once, 1);
        assertArrayEquals(once, runs);
      }
    }
  }

  @Test
  void aPieceOfAnyThreadCannotStartAnotherTask() {
    try (Workers workers = Workers.create(2)) {
      AtomicInteger refused = new AtomicInteger();
      CountDownLatch both = new CountDownLatch(2); // so that each thread gets a piece
      workers.run(
          2,
          (piece, thread) -> {
            both.countDown();
            await(both);
            assertThrows(IllegalStateException.class, () -> workers.run(1, (p, t) -> {}));
            refused.incrementAndGet();
          });
      assertEquals(2, refused.get());
    }
  }

  @Test
  void aProcessorIsLeftToTheCompilersAtFirst() throws InterruptedException {
    int processors = Runtime.getRuntime().availableProcessors();
    try (Workers workers = Workers.create(processors, Duration.ofDays(1))) {
      assertEquals(processors, workers.threads());
      assertTrue(threadsOf(workers, 4 * processors, 20) <= Math.max(1, processors - 1));
    }
    Duration shortly = Duration.ofMillis(20);
    try (Workers workers = Workers.create(processors + 1, shortly)) {
      workers.run(4, (piece, thread) -> {}); // some epochs before the last threads start
      workers.run(4, (piece, thread) -> {});
      Thread.sleep(shortly.toMillis() + 1);
      assertEquals(processors + 1, threadsOf(workers, processors + 1, 10_000));
      assertEquals(processors + 1, threadsOf(workers, processors + 1, 10_000));
    }
  }

  /** How many threads run pieces that wait, at most so long, until each thread has one. */
  private static int threadsOf(Workers workers, int pieces, int millis) {
    Set<Integer> threads = ConcurrentHashMap.newKeySet();
    CountDownLatch all = new CountDownLatch(workers.threads());
    workers.run(
        pieces,
        (piece, thread) -> {
          if (threads.add(thread)) {
            all.countDown();
          }
          waitAtMost(all, millis);
        });
    return threads.size();
  }

  private static void waitAtMost(CountDownLatch latch, int millis) {
    try {
      boolean ignored = latch.await(millis, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      assertTrue(latch.await(10, TimeUnit.SECONDS));
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void littleWorkIsDoneByTheCaller() {
    try (Workers workers = Workers.create(3)) {
      Thread caller = Thread.currentThread();
      int[] runs = new int[50];
      workers.run(
          50,
          Workers.MIN_SHARED_WORK - 1,
          (piece, thread) -> {
            assertEquals(0, thread);
            assertEquals(caller, Thread.currentThread());
            runs[piece]++;
          });
      Set<Thread> threads = ConcurrentHashMap.newKeySet();
      workers.run(
          3,
          Workers.MIN_SHARED_WORK,
          (piece, thread) -> {
            threads.add(Thread.currentThread());
            runs[piece]++;
            sleep(50);
          });
      assertTrue(threads.size() > 1, "nothing was shared");
      assertArrayEquals(new int[] {2, 2, 2, 1, 1}, Arrays.copyOf(runs, 5));
      assertEquals(53, Arrays.stream(runs).sum());
    }
  }

  /** Longer than the spin, so that helpers and caller both park and must be woken. */
  @Test
  void workContinuesAfterAPause() throws InterruptedException {
    try (Workers workers = Workers.create(3)) {
      for (int round = 0; round < 20; round++) {
        Thread.sleep(1);
        int[] runs = new int[8];
        workers.run(
            8,
            (piece, thread) -> {
              sleep(piece % 3);
              runs[piece]++;
            });
        assertArrayEquals(new int[] {1, 1, 1, 1, 1, 1, 1, 1}, runs);
      }
    }
  }

  private static void sleep(int millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void exceptionOfAPieceReachesTheCallerAndTheNextTaskRuns() {
    try (Workers workers = Workers.create(2)) {
      IllegalStateException thrown =
          assertThrows(
              IllegalStateException.class,
              () ->
                  workers.run(
                      100,
                      (piece, thread) -> {
                        if (piece == 70) {
                          throw new IllegalStateException("piece 70");
                        }
                      }));
      assertEquals("piece 70", thrown.getMessage());
      int[] runs = new int[50];
      workers.run(50, (piece, thread) -> runs[piece]++);
      assertEquals(50, Arrays.stream(runs).sum());
    }
  }

  @Test
  void closeEndsTheThreads() {
    Workers workers = Workers.create(3);
    Set<Thread> seen = ConcurrentHashMap.newKeySet();
    workers.run(
        64,
        (piece, thread) -> {
          sleep(1);
          seen.add(Thread.currentThread());
        });
    workers.close();
    seen.remove(Thread.currentThread());
    for (Thread thread : seen) {
      assertFalse(thread.isAlive(), thread.getName());
    }
    assertEquals(2, seen.size());
    assertThrows(IllegalStateException.class, () -> workers.run(1, (piece, thread) -> {}));
  }

  @Test
  void noThreadsAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> Workers.create(0));
  }
}
