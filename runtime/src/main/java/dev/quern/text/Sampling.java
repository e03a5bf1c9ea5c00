package dev.quern.text;

/**
 * How the next token is chosen. The steps apply in the order of Hugging Face's generate: repetition
 * penalty, temperature, top-k, top-p, min-p; each sees what the one before it left, renormalised.
 *
 * @param seed of the random numbers; the same seed and logits give the same tokens
 * @param temperature logits are divided by it; 0 is greedy: the largest logit after the penalty
 * @param topK keep the k most probable; 0 keeps all
 * @param topP keep the fewest most probable tokens that reach this share of the mass; 1 keeps all
 * @param minP keep tokens at least this share as probable as the most probable one; 0 keeps all
 * @param repetitionPenalty logits of tokens seen before are divided by it where positive and
 *     multiplied where negative (arXiv 1909.05858); 1 changes nothing
 */
public record Sampling(
    long seed, double temperature, int topK, double topP, double minP, double repetitionPenalty) {

  public static final Sampling GREEDY = new Sampling(0, 0, 0, 1, 0, 1);

  /**
   * @throws IllegalArgumentException if a value is outside its range
   */
  public Sampling {
    check(
        "temperature", "0 or more", temperature, temperature >= 0 && Double.isFinite(temperature));
    check("top-k", "0 or more", topK, topK >= 0);
    check("top-p", "more than 0, at most 1", topP, topP > 0 && topP <= 1);
    check("min-p", "0 to 1", minP, minP >= 0 && minP <= 1);
    check(
        "repetition penalty",
        "more than 0",
        repetitionPenalty,
        (float) repetitionPenalty > 0 && Float.isFinite((float) repetitionPenalty));
  }

  /** Plain sampling from the model's own distribution. */
  public static Sampling withSeed(long seed) {
    return new Sampling(seed, 1, 0, 1, 0, 1);
  }

  private static void check(String name, String expected, Number found, boolean holds) {
    if (!holds) {
      throw new IllegalArgumentException(name + ": expected " + expected + ", found " + found);
    }
  }
}
