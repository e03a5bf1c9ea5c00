package dev.quern.bench.cache;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;

/**
 * The most hits that any policy can have: gives up what is used again last, knowing the future.
 *
 * <p>Source: Belady, "A study of replacement algorithms for a virtual-storage computer", IBM
 * Systems Journal 1966, MIN; under the same rules as {@link Replay}.
 */
public final class Belady {
  private static final long NEVER = Long.MAX_VALUE;

  /** A key with the time of its next use, as of when it was queued. */
  private record Entry(long nextUse, int key) {
    static final Comparator<Entry> LAST_FIRST =
        Comparator.comparingLong(Entry::nextUse).reversed().thenComparingInt(Entry::key);
  }

  private final RoutingTrace trace;
  private final List<Integer> layers;
  private final int capacity;
  private final long[] nextUse; // per key in memory
  private final boolean[] resident;
  private final long[] neededAt;
  private final PriorityQueue<Entry> queue = new PriorityQueue<>(Entry.LAST_FIRST);
  private final List<Entry> held = new ArrayList<>();
  private int residents;

  private Belady(RoutingTrace trace, List<Integer> layers, int capacity) {
    this.trace = trace;
    this.layers = layers;
    this.capacity = capacity;
    int keys = trace.layers() * trace.numExperts();
    nextUse = new long[keys];
    resident = new boolean[keys];
    neededAt = new long[keys];
    Arrays.fill(neededAt, -1);
  }

  /** With one pool for all layers. */
  public static Replay.Outcome onePool(RoutingTrace trace, int capacity) {
    List<Integer> all = new ArrayList<>();
    for (int layer = 0; layer < trace.layers(); layer++) {
      all.add(layer);
    }
    return new Belady(trace, all, capacity).run();
  }

  /** With a cache for each layer, of the same size to within one expert. */
  public static Replay.Outcome evenShares(RoutingTrace trace, int capacity) {
    long hits = 0;
    long uses = 0;
    for (int layer = 0; layer < trace.layers(); layer++) {
      int share = capacity / trace.layers() + (layer < capacity % trace.layers() ? 1 : 0);
      if (share > 0) {
        Replay.Outcome outcome = new Belady(trace, List.of(layer), share).run();
        hits += outcome.hits();
        uses += outcome.uses();
      }
    }
    return new Replay.Outcome(hits, uses);
  }

  /** Per layer, the token that uses the same expert next: [layers][tokens, topK]. */
  private int[][] nextTokens() {
    int[][] next = new int[trace.layers()][];
    for (int layer : layers) {
      int[] experts = trace.experts().get(layer);
      int[] coming = new int[trace.numExperts()];
      Arrays.fill(coming, Integer.MAX_VALUE);
      next[layer] = new int[experts.length];
      for (int i = experts.length - 1; i >= 0; i--) {
        if (experts[i] >= 0) { // a token uses an expert once
          next[layer][i] = coming[experts[i]];
          coming[experts[i]] = i / trace.topK();
        }
      }
    }
    return next;
  }

  private Replay.Outcome run() {
    int[][] next = nextTokens();
    int[] missing = new int[trace.topK()];
    long hits = 0;
    long uses = 0;
    for (int token = 0; token < trace.tokens(); token++) {
      for (int layer : layers) {
        long now = (long) token * trace.layers() + layer;
        int[] experts = trace.experts().get(layer);
        int from = token * trace.topK();
        int count = 0;
        for (int i = from; i < from + trace.topK(); i++) {
          if (experts[i] >= 0) {
            int key = layer * trace.numExperts() + experts[i];
            uses++;
            if (resident[key]) {
              hits++;
            } else {
              missing[count++] = key;
            }
            neededAt[key] = now;
            int later = next[layer][i];
            nextUse[key] =
                later == Integer.MAX_VALUE ? NEVER : (long) later * trace.layers() + layer;
            queue.add(new Entry(nextUse[key], key));
          }
        }
        for (int m = 0; m < count; m++) {
          admit(missing[m], now);
        }
      }
    }
    return new Replay.Outcome(hits, uses);
  }

  private void admit(int key, long now) {
    if (residents == capacity) {
      evict(now);
    }
    resident[key] = true;
    residents++;
  }

  /** What is in use leaves only if nothing else is there: a share may be smaller than topK. */
  private void evict(long now) {
    held.clear();
    int victim = -1;
    while (victim < 0 && !queue.isEmpty()) {
      Entry entry = queue.poll();
      boolean valid = resident[entry.key()] && nextUse[entry.key()] == entry.nextUse();
      if (neededAt[entry.key()] == now) {
        held.add(entry); // in use, or about to be admitted
      } else if (valid) {
        victim = entry.key();
      }
    }
    for (Entry entry : held) {
      if (victim < 0 && resident[entry.key()]) {
        victim = entry.key();
      }
      queue.add(entry); // an entry of what is not in memory is passed over
    }
    resident[victim] = false;
    residents--;
  }
}
