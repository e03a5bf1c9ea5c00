package dev.quern.experts;

import dev.quern.experts.ExpertStore.Expert;
import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * Which experts are in memory, in which slots, and which leave when room is needed. Not for several
 * threads.
 */
final class ExpertCache implements AutoCloseable {
  /** Where an expert is. */
  enum Place {
    DISK,
    /** On its way into its slot. */
    READING,
    MEMORY
  }

  private final CacheShape shape;
  private final RecordSource source;
  private final CachePolicy policy;
  private final SlotMemory memory;
  private final int[] sizeOf; // of each layer, an index of the slot sizes
  private final Place[] places;
  private final int[] slots;
  private final Expert[] experts;
  private final boolean[] ahead; // read ahead and not used since
  private final long meanBytes; // of a slot
  private final long largestBytes;
  private final int allExperts;
  private int residents;
  private int unusedAhead;
  private long wasted;

  ExpertCache(RecordSource source, int topK, StreamOptions options) {
    this.source = source;
    int layers = source.numLayers();
    long[] sizes = new long[layers];
    int[] counts = new int[layers];
    sizeOf = new int[layers];
    int distinct = 0;
    long allBytes = 0;
    int all = 0;
    for (int layer = 0; layer < layers; layer++) {
      if (source.hasExperts(layer)) {
        long bytes = source.slotBytes(layer);
        int size = indexOf(sizes, distinct, bytes);
        if (size == distinct) {
          sizes[distinct++] = bytes;
        }
        sizeOf[layer] = size;
        int inLayer = source.file(layer).numExperts();
        counts[size] += inLayer;
        all += inLayer;
        allBytes += bytes * inLayer;
      }
    }
    long budget = options.budgetBytes();
    long largest = Arrays.stream(sizes).max().orElseThrow();
    if (budget < largest) {
      throw new IllegalArgumentException(
          "budget: expected at least %d bytes, one expert, found %d".formatted(largest, budget));
    }
    meanBytes = Math.ceilDiv(allBytes, all);
    allExperts = all;
    largestBytes = largest;
    shape = new CacheShape(layers, source.numExperts(), topK, capacity(budget));
    policy = options.policy().apply(shape);
    places = new Place[shape.keys()];
    Arrays.fill(places, Place.DISK);
    slots = new int[shape.keys()];
    experts = new Expert[shape.keys()];
    ahead = new boolean[shape.keys()];
    memory =
        new SlotMemory(
            Arrays.copyOf(sizes, distinct),
            Arrays.copyOf(counts, distinct),
            budget,
            source.inPlace());
  }

  private static int indexOf(long[] values, int count, long value) {
    int i = 0;
    while (i < count && values[i] != value) {
      i++;
    }
    return i;
  }

  /** Experts that fit, for a policy that counts them: exact where all layers' are of one size. */
  private int capacity(long budget) {
    return (int) Math.clamp(budget / meanBytes, 1, allExperts);
  }

  CacheShape shape() {
    return shape;
  }

  CachePolicy policy() {
    return policy;
  }

  SlotMemory memory() {
    return memory;
  }

  /** Of the largest record: the least budget. */
  long largestBytes() {
    return largestBytes;
  }

  int residents() {
    return residents;
  }

  boolean inMemory(int key) {
    return places[key] == Place.MEMORY;
  }

  boolean onDisk(int key) {
    return places[key] == Place.DISK;
  }

  Expert expert(int key) {
    return experts[key];
  }

  int slot(int key) {
    return slots[key];
  }

  int size(int key) {
    return sizeOf[shape.layer(key)];
  }

  /** Slots of a layer's size that the budget holds. */
  int capacityFor(int layer) {
    return memory.capacity(sizeOf[layer]);
  }

  /**
   * Takes a slot for an expert that is on disk, which is READING from then on.
   *
   * @param candidates for how many residents mayLeave holds
   * @return false if there is none
   */
  boolean take(int key, int candidates, IntPredicate mayLeave) {
    int size = size(key);
    int slot = memory.take(size);
    for (int left = candidates; slot < 0 && left > 0; left--) {
      int victim = policy.victim(key, mayLeave);
      if (places[victim] != Place.MEMORY || !mayLeave.test(victim)) {
        throw new IllegalStateException(
            "%s gave up expert %d, which may not leave".formatted(policy, victim));
      }
      evict(victim);
      slot = memory.take(size);
    }
    if (slot < 0) {
      return false;
    }
    slots[key] = slot;
    places[key] = Place.READING;
    return true;
  }

  void admit(int key, Expert expert, boolean readAhead) {
    experts[key] = expert;
    places[key] = Place.MEMORY;
    residents++;
    if (readAhead) {
      ahead[key] = true;
      unusedAhead++;
    }
    policy.admitted(key);
  }

  /** It could not be read. */
  void abandon(int key) {
    places[key] = Place.DISK;
    source.drop(shape.layer(key), shape.expert(key));
    memory.give(size(key), slots[key]);
  }

  /**
   * A visit uses an expert in memory.
   *
   * @return whether it had been read ahead and not been used before
   */
  boolean use(int key) {
    boolean first = ahead[key];
    if (first) {
      ahead[key] = false;
      unusedAhead--;
    }
    return first;
  }

  void evict(int key) {
    if (use(key)) {
      wasted++;
    }
    places[key] = Place.DISK;
    experts[key] = null;
    residents--;
    source.drop(shape.layer(key), shape.expert(key));
    memory.give(size(key), slots[key]);
    policy.removed(key);
  }

  void resize(long budget) {
    memory.limit(budget);
    policy.resize(capacity(budget));
  }

  /** Evicts and gives memory back until the budget is kept, or no candidate is left. */
  void trim(int candidates, IntPredicate mayLeave) {
    memory.trim();
    for (int left = candidates; memory.inUse() > memory.limit() && left > 0; left--) {
      evict(policy.victim(-1, mayLeave));
      memory.trim();
    }
  }

  long wasted() {
    return wasted;
  }

  int unusedAhead() {
    return unusedAhead;
  }

  @Override
  public void close() {
    memory.close();
  }
}
