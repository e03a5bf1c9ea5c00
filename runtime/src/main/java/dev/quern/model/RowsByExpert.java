package dev.quern.model;

import java.util.Arrays;

/** The pairs of token and chosen expert of a batch, sorted by expert: a row for each. */
final class RowsByExpert {
  private final int numExperts;
  private final int topK;
  private final int[] firstRow; // of each expert, and the end
  private int[] pairOf = {};
  private int[] rowOf = {};

  RowsByExpert(int numExperts, int topK) {
    this.numExperts = numExperts;
    this.topK = topK;
    firstRow = new int[numExperts + 1];
  }

  /**
   * A counting sort: the rows of an expert are in the order of the tokens.
   *
   * @param chosen [tokens, topK] expert ids; −1 has no row
   */
  void sort(int[] chosen, int tokens) {
    if (rowOf.length < tokens * topK) {
      rowOf = new int[tokens * topK];
      pairOf = new int[tokens * topK];
    }
    Arrays.fill(firstRow, 0);
    for (int pair = 0; pair < tokens * topK; pair++) {
      if (chosen[pair] >= 0) {
        firstRow[chosen[pair] + 1]++;
      }
    }
    for (int expert = 0; expert < numExperts; expert++) {
      firstRow[expert + 1] += firstRow[expert];
    }
    for (int pair = 0; pair < tokens * topK; pair++) {
      rowOf[pair] = -1;
      if (chosen[pair] >= 0) {
        int row = firstRow[chosen[pair]]++;
        rowOf[pair] = row;
        pairOf[row] = pair;
      }
    }
    // Each entry has moved to the next expert's first row: shift them back.
    System.arraycopy(firstRow, 0, firstRow, 1, numExperts);
    firstRow[0] = 0;
    for (int token = 0; token < tokens; token++) {
      Arrays.sort(rowOf, token * topK, (token + 1) * topK); // few: an insertion sort
    }
  }

  /** First row of an expert. */
  int first(int expert) {
    return firstRow[expert];
  }

  /** One after an expert's last row. */
  int end(int expert) {
    return firstRow[expert + 1];
  }

  int rows() {
    return firstRow[numExperts];
  }

  /** Token · topK + k of a row. */
  int pair(int row) {
    return pairOf[row];
  }

  int tokenOf(int row) {
    return pairOf[row] / topK;
  }

  /** The k-th row of a token, ascending and so by expert; −1 in place of what was dropped. */
  int row(int token, int k) {
    return rowOf[token * topK + k];
  }
}
