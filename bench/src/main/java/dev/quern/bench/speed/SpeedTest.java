package dev.quern.bench.speed;

import java.util.ArrayList;
import java.util.List;

/**
 * One thing to measure, in the words of llama-bench.
 *
 * @param tokens read at once (prefill) or one by one (decode)
 * @param depth tokens of the context that are there before, which are not measured
 */
public record SpeedTest(Kind kind, int tokens, int depth) {
  /** What is done with the tokens. */
  public enum Kind {
    /** A prompt read in one batch. */
    PREFILL("pp", 2),
    /** Tokens read one by one, as generation does. */
    DECODE("tg", 3);

    private final String prefix;
    private final int atOnce;

    Kind(String prefix, int atOnce) {
      this.prefix = prefix;
      this.atOnce = atOnce;
    }
  }

  public SpeedTest {
    if (tokens < 1 || depth < 0) {
      throw new IllegalArgumentException(
          "speed test of %d tokens at depth %d: expected at least 1 and 0"
              .formatted(tokens, depth));
    }
    if ((long) tokens + depth > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "speed test of %d tokens at depth %d: expected at most %d positions"
              .formatted(tokens, depth, Integer.MAX_VALUE));
    }
  }

  /**
   * Prefill and decode at every depth.
   *
   * @param prompt tokens of the prompt; 0 for no prefill
   * @param generated tokens decoded; 0 for no decode
   * @return at least one
   * @throws IllegalArgumentException if there is nothing to measure, or a number is negative
   */
  public static List<SpeedTest> of(int prompt, int generated, List<Integer> depths) {
    checkCount("--n-prompt", prompt);
    checkCount("--n-gen", generated);
    if (prompt == 0 && generated == 0 || depths.isEmpty()) {
      throw new IllegalArgumentException(
          "nothing to measure: --n-prompt %d, --n-gen %d at depths %s"
              .formatted(prompt, generated, depths));
    }
    List<SpeedTest> tests = new ArrayList<>();
    for (int depth : depths) {
      if (prompt > 0) {
        tests.add(new SpeedTest(Kind.PREFILL, prompt, depth));
      }
      if (generated > 0) {
        tests.add(new SpeedTest(Kind.DECODE, generated, depth));
      }
    }
    return List.copyOf(tests);
  }

  private static void checkCount(String option, int tokens) {
    if (tokens < 0) {
      throw new IllegalArgumentException(
          "%s: expected at least 0, found %d".formatted(option, tokens));
    }
  }

  /**
   * Runs that follow one another whenever an engine has its turn; the last counts. While others had
   * theirs, threads went to sleep, and its weights left the caches or, of a new process, its maps.
   */
  public int atOnce() {
    return kind.atOnce;
  }

  /** Such as {@code pp512} or {@code tg64 @ d4096}. */
  public String name() {
    String name = kind.prefix + tokens;
    return depth == 0 ? name : name + " @ d" + depth;
  }

  /** Positions that the context must have room for. */
  public int positions() {
    return depth + tokens;
  }
}
