package dev.quern.experts;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.experts.ExpertStore.Order;
import dev.quern.system.IoMode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class PrefetcherTest {
  private static final int EXPERTS = 12;
  private static final Prefetcher.Thresholds ALL = new Prefetcher.Thresholds(0.25f, 0.25f, 0.25f);

  @TempDir private Path folder;

  /** Expects experts (10·layer + token) mod 12 and the next one; layer 1 has none. */
  private static int wanted(int layer, int token) {
    return (10 * layer + token) % EXPERTS;
  }

  /** Knows the future two layers ahead, and that the next token is one more. */
  private static final class Seer implements ExpertPredictor {
    private final List<String> asked = new CopyOnWriteArrayList<>();
    private final List<int[]> foreseen = new CopyOnWriteArrayList<>();

    @Override
    public int maxDistance() {
      return 2;
    }

    @Override
    public boolean predictsNextToken() {
      return true;
    }

    @Override
    public boolean predict(int layer, int distance, float[] input, int token, float[] p) {
      if (layer + distance == 1) {
        return false;
      }
      asked.add("%d+%d, token %d, input %s".formatted(layer, distance, token, input[1]));
      return fill(layer + distance, token, p);
    }

    @Override
    public boolean predictNextToken(int layer, float[] input, int token, float[] p) {
      asked.add("%d, next token, input %s".formatted(layer, input[1]));
      return fill(layer, token + 1, p);
    }

    private boolean fill(int layer, int token, float[] p) {
      foreseen.add(new int[] {layer, wanted(layer, token)});
      foreseen.add(new int[] {layer, (wanted(layer, token) + 1) % EXPERTS});
      Arrays.fill(p, 0.01f);
      p[wanted(layer, token)] = 0.5f;
      p[(wanted(layer, token) + 1) % EXPERTS] = 0.3f;
      return true;
    }

    @Override
    public ExpertPredictor copy() {
      return this; // so that the test sees what is asked
    }
  }

  private static RoutedTokens routed(int layer, int position, int tokens, int id, float input) {
    RoutedTokens routed = new RoutedTokens();
    int[] ids = new int[tokens];
    Arrays.fill(ids, id);
    float[] inputs = new float[2 * tokens + 3]; // buffers of the model are longer than needed
    Arrays.fill(inputs, input);
    int[] experts = new int[2 * tokens];
    routed.set(
        layer,
        position,
        tokens,
        ids,
        0,
        inputs,
        2,
        new float[EXPERTS * tokens],
        EXPERTS,
        experts,
        new float[2 * tokens],
        2);
    return routed;
  }

  @Test
  void whatIsForeseenIsThereInTime() throws Exception {
    Seer seer = new Seer();
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts store =
            pack.open(new StreamOptions(1 << 20, IoMode.DIRECT, OldestFirst::new, true, 2));
        Prefetcher prefetcher = new Prefetcher(store, seer, 2, ALL)) {
      int[] group = new int[2];
      for (int token = 0; token < 3; token++) {
        for (int layer : new int[] {0, 2, 3}) {
          prefetcher.routed(routed(layer, token, 1, token, layer + 0.5f));
          prefetcher.awaitIdle();
          int expert = wanted(layer, token);
          store.begin(layer, new int[] {expert, (expert + 1) % EXPERTS}, 2, Order.AVAILABLE);
          for (int n = store.next(group); n > 0; n = store.next(group)) {
            for (int i = 0; i < n; i++) {
              pack.check(layer, group[i], store.expert(group[i]));
            }
          }
          store.end();
          waitForReads(store, seer);
        }
      }
      StreamStatistics end = store.statistics();
      // Only the first layer of the first token was not foreseen, and of its two experts one is
      // foreseen for the next token: it may come just before.
      assertTrue(end.misses() == 1 || end.misses() == 2, end.toString());
      assertEquals(18, end.hits() + end.misses());
      assertEquals("0+2, token 0, input 0.5", seer.asked.getFirst());
      assertTrue(seer.asked.contains("2+1, token 2, input 2.5"));
      assertTrue(seer.asked.contains("3, next token, input 3.5"));
      assertEquals(seer.asked.size(), prefetcher.predictions());
      assertTrue(prefetcher.meanPredictionNanos() > 0);
    }
  }

  /** Until all experts that are foreseen are in memory, where all experts have room. */
  private static void waitForReads(StreamedExperts store, Seer seer) throws InterruptedException {
    for (int[] expert : seer.foreseen) {
      while (!store.inMemory(expert[0], expert[1])) {
        Thread.sleep(1);
      }
    }
  }

  @Test
  void batchesAreNotPredicted() throws IOException {
    Seer seer = new Seer();
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts store =
            pack.open(new StreamOptions(1 << 20, IoMode.DIRECT, OldestFirst::new, true, 2));
        Prefetcher prefetcher = new Prefetcher(store, seer, 2, ALL)) {
      prefetcher.routed(routed(0, 0, 3, 1, 0.5f));
      prefetcher.awaitIdle();
      assertEquals(List.of(), seer.asked);
      assertThrows(
          IllegalArgumentException.class, () -> new Prefetcher(store, seer, 0, ALL).close());
    }
  }

  /** What is predicted with 0.5 and 0.3 is read ahead only where the threshold allows it. */
  @Test
  void fartherLayersAndTheNextTokenHaveThresholdsOfTheirOwn() throws Exception {
    Seer seer = new Seer();
    Prefetcher.Thresholds near = new Prefetcher.Thresholds(0.4f, 0.6f, 2);
    try (StreamedPack pack = StreamedPack.write(folder, EXPERTS, 40);
        StreamedExperts store =
            pack.open(new StreamOptions(1 << 20, IoMode.DIRECT, OldestFirst::new, true, 2));
        Prefetcher prefetcher = new Prefetcher(store, seer, 2, near)) {
      prefetcher.routed(routed(2, 0, 1, 5, 2.5f)); // 3 is the next layer, the last
      prefetcher.awaitIdle();
      while (!store.inMemory(3, wanted(3, 5))) {
        Thread.sleep(1);
      }
      prefetcher.routed(routed(0, 1, 1, 6, 0.5f)); // 1 has no experts, 2 is farther
      prefetcher.awaitIdle();
      Thread.sleep(50); // a read that should not be would have been made
      assertEquals(1, store.statistics().reads());
      assertEquals(1, store.statistics().prefetchReads());
    }
  }
}
