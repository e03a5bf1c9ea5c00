package dev.quern.peers;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.Function;

/** Random text of exactly so many tokens, for a runtime that takes text. */
final class PromptText {
  private static final char FIRST = '!'; // printable, and no space, which tokenizers move
  private static final char LAST = '~';
  private static final int ATTEMPTS = 1000;
  private static final int ROUNDS = 100;

  private final Function<String, int[]> tokenizer;
  private final SplittableRandom random;

  /**
   * @param tokenizer ids of a text, none added before or after
   */
  PromptText(Function<String, int[]> tokenizer, long seed) {
    this.tokenizer = tokenizer;
    this.random = new SplittableRandom(seed);
  }

  /**
   * A longer text.
   *
   * @param prefix whose tokens remain the first
   * @param tokens added to those of the prefix
   * @throws IllegalStateException if none is found: the vocabulary joins whatever is written
   */
  String extended(String prefix, int tokens) {
    int[] first = tokenizer.apply(prefix);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      String text = grown(prefix, first.length + tokens);
      int[] ids = tokenizer.apply(text);
      if (ids.length == first.length + tokens
          && Arrays.equals(ids, 0, first.length, first, 0, first.length)) {
        return text;
      }
    }
    throw new IllegalStateException(
        "found no text of exactly %d tokens after %d".formatted(tokens, first.length));
  }

  /**
   * A printable character adds one token at most, and often none: it is joined to the one before.
   */
  private String grown(String prefix, int length) {
    StringBuilder text = new StringBuilder(prefix);
    int missing = length - tokenizer.apply(prefix).length;
    for (int round = 0; missing > 0 && round < ROUNDS; round++) {
      for (int i = 0; i < missing; i++) {
        text.append((char) random.nextInt(FIRST, LAST + 1));
      }
      missing = length - tokenizer.apply(text.toString()).length;
    }
    return text.toString();
  }
}
