package dev.quern.model;

import dev.quern.experts.ExpertGuesses;
import dev.quern.experts.ExpertStore;
import dev.quern.kernels.Workers;
import java.util.Arrays;

/**
 * Gate and up of the experts that a layer will probably choose, computed in the same parallel
 * region as the router's logits. What the router then chooses takes them over; the rest is thrown
 * away. The products are the same as without, so results do not change.
 */
final class SpeculativeExperts {
  private final ExpertGuesses guesses;
  private final ExpertStore store;
  private final Inner inner;
  private final int[] guessed;
  private final int[] group;
  private final int[] rowOf; // of an expert, −1 if it was not computed
  private int rows;
  private long computed;
  private long taken;

  SpeculativeExperts(
      ExpertGuesses guesses, ExpertStore store, FeedForward.Experts kind, Workers workers) {
    this.guesses = guesses;
    this.store = store;
    inner = new Inner(workers, kind.expertSize());
    guessed = new int[kind.numExperts()];
    group = new int[kind.numExperts()];
    rowOf = new int[kind.numExperts()];
    Arrays.fill(rowOf, -1);
  }

  /**
   * Adds the products of one token; {@link #close} after they have run.
   *
   * @param input one row
   */
  void add(Products products, int layer, Rows input) {
    forget();
    int count = guesses.guess(layer, guessed);
    store.begin(layer, guessed, count, ExpertStore.Order.PRESENT);
    rows = store.next(group);
    inner.start(rows);
    for (int row = 0; row < rows; row++) {
      inner.addGateAndUp(products, store.expert(group[row]), input, 0, 1, row);
      rowOf[group[row]] = row;
    }
    computed += rows;
  }

  /** Gives the experts back; their products stay until the next {@link #add}. */
  void close() {
    store.end();
  }

  /** A batch was not guessed for. */
  void forget() {
    for (int row = 0; row < rows; row++) {
      rowOf[group[row]] = -1;
    }
    rows = 0;
  }

  /** Copies what was computed of an expert; false if nothing was. */
  boolean take(int expert, Inner target, int row) {
    int from = rowOf[expert];
    if (from < 0) {
      return false;
    }
    int size = inner.size();
    System.arraycopy(inner.gate(), from * size, target.gate(), row * size, size);
    System.arraycopy(inner.up(), from * size, target.up(), row * size, size);
    taken++;
    return true;
  }

  /** Experts computed before they were chosen. */
  long computed() {
    return computed;
  }

  /** Of them, those that were. */
  long taken() {
    return taken;
  }
}
