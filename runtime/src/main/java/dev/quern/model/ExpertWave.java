package dev.quern.model;

import java.util.Arrays;

/** Rows that are computed together: pieces of at most a chunk of one expert's rows. */
final class ExpertWave {
  private int pieces;
  private int rows;
  private int[] expert = {};
  private int[] sortedRow = {};
  private int[] count = {};
  private int[] tokenOf = {};
  private int[] expertOf = {};

  void clear() {
    pieces = 0;
    rows = 0;
  }

  /**
   * Adds a piece.
   *
   * @param firstSorted its first row in the order of {@link RowsByExpert}
   */
  void add(int ofExpert, int firstSorted, int rowCount) {
    if (pieces == expert.length) {
      int longer = Math.max(16, 2 * pieces);
      expert = Arrays.copyOf(expert, longer);
      sortedRow = Arrays.copyOf(sortedRow, longer);
      count = Arrays.copyOf(count, longer);
    }
    expert[pieces] = ofExpert;
    sortedRow[pieces] = firstSorted;
    count[pieces] = rowCount;
    pieces++;
    rows += rowCount;
  }

  /** Fills {@link #tokenOf} and {@link #expertOf}. */
  void fill(RowsByExpert sorted) {
    if (tokenOf.length < rows) {
      tokenOf = new int[rows];
      expertOf = new int[rows];
    }
    int row = 0;
    for (int piece = 0; piece < pieces; piece++) {
      for (int i = 0; i < count[piece]; i++, row++) {
        tokenOf[row] = sorted.tokenOf(sortedRow[piece] + i);
        expertOf[row] = expert[piece];
      }
    }
  }

  int pieces() {
    return pieces;
  }

  /** Of all pieces. */
  int rows() {
    return rows;
  }

  int expert(int piece) {
    return expert[piece];
  }

  /** First row of a piece among the rows sorted by expert. */
  int sortedRow(int piece) {
    return sortedRow[piece];
  }

  /** Rows of a piece. */
  int count(int piece) {
    return count[piece];
  }

  /** Row of the wave → token. */
  int[] tokenOf() {
    return tokenOf;
  }

  /** Row of the wave → expert. */
  int[] expertOf() {
    return expertOf;
  }
}
