package dev.quern.quant;

/**
 * Hadamard matrices of the orders that are no power of two and that model widths need: 12, 20 and
 * 28.
 *
 * <p>Orders q + 1 (q = 11, 19) by Paley's first construction, order 2(q + 1) (q = 13) by his
 * second. Source: R. Paley, "On orthogonal matrices", Journal of Mathematics and Physics 12, 1933.
 */
final class HadamardMatrix {
  private HadamardMatrix() {}

  /** Entries ±1, row-major [order, order]; rows are orthogonal. */
  static float[] ofOrder(int order) {
    return switch (order) {
      case 12, 20 -> paleyOne(order - 1);
      case 28 -> paleyTwo(13);
      default ->
          throw new IllegalArgumentException("no Hadamard matrix of order " + order + " here");
    };
  }

  /** I + S, with S the skew matrix of the quadratic residues modulo a prime q ≡ 3 (mod 4). */
  private static float[] paleyOne(int q) {
    int n = q + 1;
    float[] h = new float[n * n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        int s = bordered(q, i, j);
        h[i * n + j] = i == j ? 1 : i > 0 && j == 0 ? -s : s;
      }
    }
    return h;
  }

  /**
   * C ⊗ [[1, 1], [1, −1]] + I ⊗ [[1, −1], [−1, −1]], with C symmetric for a prime q ≡ 1 (mod 4).
   */
  private static float[] paleyTwo(int q) {
    int n = 2 * (q + 1);
    float[] h = new float[n * n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        boolean last = i % 2 == 1 && j % 2 == 1;
        int c = bordered(q, i / 2, j / 2);
        h[i * n + j] = i / 2 != j / 2 ? (last ? -c : c) : i % 2 == 0 && j % 2 == 0 ? 1 : -1;
      }
    }
    return h;
  }

  /** Quadratic character of i − j, with a first row and column of ones; 0 on the diagonal. */
  private static int bordered(int q, int i, int j) {
    if (i == j) {
      return 0;
    }
    if (i == 0 || j == 0) {
      return 1;
    }
    int difference = Math.floorMod(i - j, q);
    for (int root = 1; root < q; root++) {
      if (root * root % q == difference) {
        return 1;
      }
    }
    return -1;
  }
}
