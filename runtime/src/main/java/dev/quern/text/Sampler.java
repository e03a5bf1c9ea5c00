package dev.quern.text;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Chooses tokens from logits as {@link Sampling} says. Deterministic: one number of a {@link
 * SplittableRandom} per sampled token, none when greedy. Equal logits rank by id, the lowest first.
 * Allocates only when first used. Not for several threads.
 */
public final class Sampler {
  private final Sampling sampling;
  private final SplittableRandom random;
  private boolean[] seen = new boolean[0]; // [V], V: vocabulary
  private float[] scores = new float[0]; // [V] logits after the penalty
  private double[] weights = new double[0]; // [V] exp((score - max) / temperature)
  private int[] order = new int[0]; // [V] a heap of ids, the best first
  private int heapSize;

  public Sampler(Sampling sampling) {
    this.sampling = sampling;
    this.random = new SplittableRandom(sampling.seed());
  }

  /** Counts {@code id} as seen, for the repetition penalty: once for each token of the prompt. */
  public void observe(int id) {
    if (id < 0) {
      throw new IllegalArgumentException("token id: expected 0 or more, found " + id);
    }
    if (id >= seen.length) {
      seen = Arrays.copyOf(seen, Math.max(id + 1, 2 * seen.length));
    }
    seen[id] = true;
  }

  /**
   * Chooses the next token and counts it as seen.
   *
   * @param logits one per token of the vocabulary; not modified; minus infinity excludes a token
   * @throws IllegalArgumentException if a logit is NaN or plus infinity, or all are excluded
   */
  public int next(float[] logits) {
    int best = score(logits);
    int chosen = sampling.temperature() == 0 ? best : draw(logits.length, best);
    observe(chosen);
    return chosen;
  }

  /** Fills {@code scores}; returns the id of the largest. */
  private int score(float[] logits) {
    if (scores.length != logits.length) {
      scores = new float[logits.length];
      weights = new double[logits.length];
      order = new int[logits.length];
    }
    float penalty = (float) sampling.repetitionPenalty();
    int best = -1;
    for (int id = 0; id < logits.length; id++) {
      float score = logits[id];
      if (Float.isNaN(score) || score == Float.POSITIVE_INFINITY) {
        throw new IllegalArgumentException("logit " + id + ": expected a number, found " + score);
      }
      if (penalty != 1 && id < seen.length && seen[id]) {
        score = score > 0 ? score / penalty : score * penalty;
      }
      scores[id] = score;
      if (score > (best < 0 ? Float.NEGATIVE_INFINITY : scores[best])) {
        best = id;
      }
    }
    if (best < 0) {
      throw new IllegalArgumentException(
          "logits: expected at least one above minus infinity, found none of " + logits.length);
    }
    return best;
  }

  private int draw(int vocabSize, int best) {
    double max = scores[best];
    double total = 0;
    for (int id = 0; id < vocabSize; id++) {
      weights[id] = Math.exp((scores[id] - max) / sampling.temperature());
      total += weights[id];
    }
    boolean ranked = (sampling.topK() > 0 && sampling.topK() < vocabSize) || sampling.topP() < 1;
    return ranked ? drawRanked(vocabSize, total) : drawUnranked(vocabSize, best);
  }

  /** Without top-k and top-p no order is needed; min-p is a threshold, the largest weight is 1. */
  private int drawUnranked(int vocabSize, int best) {
    double kept = 0;
    for (int id = 0; id < vocabSize; id++) {
      kept += weights[id] >= sampling.minP() ? weights[id] : 0;
    }
    double left = random.nextDouble() * kept;
    for (int id = 0; id < vocabSize; id++) {
      if (weights[id] >= sampling.minP()) {
        left -= weights[id];
        if (left < 0) {
          return id;
        }
      }
    }
    return best; // rounding left a crumb
  }

  /** Takes tokens off a heap, best first, only as far as top-k and top-p need them. */
  private int drawRanked(int vocabSize, double total) {
    heapSize = vocabSize;
    for (int id = 0; id < vocabSize; id++) {
      order[id] = id;
    }
    for (int i = heapSize / 2 - 1; i >= 0; i--) {
      sink(i);
    }
    int limit = sampling.topK() > 0 ? Math.min(sampling.topK(), vocabSize) : vocabSize;
    double mass = total; // of what top-k keeps
    int taken = 0;
    if (limit < vocabSize) {
      mass = 0;
      while (taken < limit) {
        mass += weights[take(taken++)];
      }
    }
    double kept = 0;
    int count = 0;
    while (count < limit && (count == 0 || kept < sampling.topP() * mass)) {
      if (count == taken) {
        take(taken++);
      }
      double weight = weights[ranked(vocabSize, count)];
      if (weight < sampling.minP()) {
        break; // ranked: none that follows is more probable
      }
      kept += weight;
      count++;
    }
    double left = random.nextDouble() * kept;
    for (int rank = 0; rank < count; rank++) {
      left -= weights[ranked(vocabSize, rank)];
      if (left < 0) {
        return ranked(vocabSize, rank);
      }
    }
    return ranked(vocabSize, 0); // rounding left a crumb
  }

  /** Takes the best id off the heap; the ranking grows from the end of {@code order}. */
  private int take(int rank) {
    int best = order[0];
    heapSize--;
    order[0] = order[heapSize];
    order[heapSize] = best;
    assert heapSize == order.length - 1 - rank;
    sink(0);
    return best;
  }

  private int ranked(int vocabSize, int rank) {
    return order[vocabSize - 1 - rank];
  }

  private void sink(int i) {
    int id = order[i];
    while (2 * i + 1 < heapSize) {
      int child = 2 * i + 1;
      if (child + 1 < heapSize && better(order[child + 1], order[child])) {
        child++;
      }
      if (!better(order[child], id)) {
        break;
      }
      order[i] = order[child];
      i = child;
    }
    order[i] = id;
  }

  private boolean better(int a, int b) {
    return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
  }
}
