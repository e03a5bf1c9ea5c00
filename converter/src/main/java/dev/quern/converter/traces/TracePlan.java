package dev.quern.converter.traces;

import dev.quern.converter.traces.TraceManifest.Count;
import dev.quern.converter.traces.TracePart.Slice;
import dev.quern.converter.traces.TracePart.Window;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * Which documents are traced, and how they are divided among tasks: a function of dataset and
 * options, not of the machine.
 */
record TracePlan(List<TracePart> parts, Map<Split, Count> counts) {
  /** 2^64 over the golden ratio: multiples of it modulo 2^64 lie evenly, however many one takes. */
  private static final long GOLDEN_STRIDE = 0x9E3779B97F4A7C15L;

  /** A task lasts seconds at least, and a file is worth opening. */
  private static final long MIN_PART_TOKENS = 16 << 10;

  /** What is lost when a task fails; files stay below some gigabytes. */
  private static final long MAX_PART_TOKENS = 1 << 20;

  /** Enough to keep a cluster busy. */
  private static final int PARTS_WANTED = 64;

  /** A place in an order that is spread evenly over the dataset wherever one stops. */
  static Comparator<Integer> evenly() {
    return Comparator.comparing(document -> document * GOLDEN_STRIDE, Long::compareUnsigned);
  }

  /**
   * @param documents whole ones, in order of number
   * @param maxTokens of those that are taken; ones that no longer fit are left out
   */
  static List<Slice> choose(List<Slice> documents, OptionalLong maxTokens) {
    if (maxTokens.isEmpty()) {
      return documents;
    }
    long left = maxTokens.getAsLong();
    List<Slice> chosen = new ArrayList<>();
    List<Slice> even =
        documents.stream().sorted(Comparator.comparing(Slice::document, evenly())).toList();
    for (Slice slice : even) {
      if (slice.tokens() <= left) {
        chosen.add(slice);
        left -= slice.tokens();
      }
    }
    chosen.sort(Comparator.comparingInt(Slice::document));
    return chosen;
  }

  /**
   * @param documents in order of number
   * @param window longest window
   */
  static TracePlan of(List<Slice> documents, SplitRule rule, int window, boolean continuous) {
    long total = documents.stream().mapToLong(Slice::tokens).sum();
    long target = Math.clamp(total / PARTS_WANTED, MIN_PART_TOKENS, MAX_PART_TOKENS);
    Map<Split, List<Slice>> bySplit = new EnumMap<>(Split.class);
    for (Slice slice : documents) {
      bySplit.computeIfAbsent(rule.of(slice.document()), _ -> new ArrayList<>()).add(slice);
    }
    List<TracePart> parts = new ArrayList<>();
    Map<Split, Count> counts = new EnumMap<>(Split.class);
    bySplit.forEach((split, slices) -> {
      List<TracePart> own =
          continuous ? cut(split, slices, window, target) : group(split, slices, target);
      long windows = own.stream().mapToLong(p -> p.windows(window, continuous).size()).sum();
      long tokens = slices.stream().mapToLong(Slice::tokens).sum();
      counts.put(split, new Count(slices.size(), windows, tokens, own.size()));
      parts.addAll(own);
    });
    return new TracePlan(List.copyOf(parts), counts);
  }

  /** Whole documents until there are enough tokens. */
  private static List<TracePart> group(Split split, List<Slice> slices, long target) {
    List<TracePart> parts = new ArrayList<>();
    List<Slice> open = new ArrayList<>();
    long tokens = 0;
    for (Slice slice : slices) {
      open.add(slice);
      tokens += slice.tokens();
      if (tokens >= target) {
        parts.add(new TracePart(split, parts.size(), 0, open));
        open.clear();
        tokens = 0;
      }
    }
    if (!open.isEmpty()) {
      parts.add(new TracePart(split, parts.size(), 0, open));
    }
    return parts;
  }

  /** Whole windows until there are enough tokens. */
  private static List<TracePart> cut(Split split, List<Slice> slices, int window, long target) {
    int windowsEach = Math.toIntExact(Math.ceilDiv(target, window));
    List<Window> windows = new TracePart(split, 0, 0, slices).windows(window, true);
    List<TracePart> parts = new ArrayList<>();
    for (int from = 0; from < windows.size(); from += windowsEach) {
      List<Window> own = windows.subList(from, Math.min(windows.size(), from + windowsEach));
      List<Slice> text = own.stream().flatMap(w -> w.slices().stream()).toList();
      parts.add(new TracePart(split, parts.size(), from, text));
    }
    return parts;
  }
}
