package dev.quern.quant;

import java.util.Arrays;

/**
 * Lloyd–Max codebooks: the 2^bits levels that minimise the mean squared error of a unit normal
 * variable.
 *
 * <p>A level is the mean of its cell, a boundary the midpoint between two levels (S. Lloyd, "Least
 * squares quantization in PCM", 1957/1982; J. Max, "Quantizing for minimum distortion", 1960). The
 * levels are symmetric about 0, so only the positive half is solved: some rounds of Lloyd's
 * iteration, then Newton's method on level − mean of its cell = 0, whose Jacobian is tridiagonal.
 */
public final class LloydMax {
  public static final int MAX_BITS = 5;

  private static final int LLOYD_ROUNDS = 200;
  private static final int NEWTON_ROUNDS = 12;

  private LloydMax() {}

  /**
   * @param bits 1 to 5
   * @return 2^bits levels, ascending, symmetric about 0, accurate to about 1e-14
   */
  public static double[] levels(int bits) {
    if (bits < 1 || bits > MAX_BITS) {
      throw new IllegalArgumentException(
          "Lloyd–Max codebook of " + bits + " bits: expected 1 to 5");
    }
    double[] half = new double[1 << (bits - 1)];
    for (int i = 0; i < half.length; i++) {
      half[i] = 3.0 * (i + 0.5) / half.length;
    }
    for (int round = 0; round < LLOYD_ROUNDS; round++) {
      half = new Cells(half).means;
    }
    for (int round = 0; round < NEWTON_ROUNDS; round++) {
      newtonStep(half);
    }
    return mirror(half);
  }

  /** Mean squared error of the unit normal under these levels. */
  public static double meanSquaredError(double[] levels) {
    double[] half = Arrays.copyOfRange(levels, levels.length / 2, levels.length);
    Cells cells = new Cells(half);
    double explained = 0;
    for (int i = 0; i < half.length; i++) {
      explained += cells.masses[i] * half[i] * (2 * cells.means[i] - half[i]);
    }
    return 1 - 2 * explained;
  }

  /** −half reversed, then half. */
  static double[] mirror(double[] half) {
    double[] all = new double[2 * half.length];
    for (int i = 0; i < half.length; i++) {
      all[half.length + i] = half[i];
      all[half.length - 1 - i] = -half[i];
    }
    return all;
  }

  /** half ← half − J⁻¹(half − means), by elimination in the tridiagonal J = I − ∂means/∂half. */
  private static void newtonStep(double[] half) {
    int n = half.length;
    Cells cells = new Cells(half);
    double[] diagonal = new double[n];
    double[] upper = new double[n];
    double[] rest = new double[n];
    for (int i = 0; i < n; i++) {
      double byLower = i == 0 ? 0 : cells.slope(i, cells.boundaries[i]) / 2;
      double byUpper = i == n - 1 ? 0 : cells.slope(i, cells.boundaries[i + 1]) / 2;
      diagonal[i] = 1 - byLower - byUpper;
      upper[i] = -byUpper;
      rest[i] = half[i] - cells.means[i];
      if (i > 0) {
        double factor = -byLower / diagonal[i - 1];
        diagonal[i] -= factor * upper[i - 1];
        rest[i] -= factor * rest[i - 1];
      }
    }
    for (int i = n - 1; i >= 0; i--) {
      double step = (rest[i] - (i == n - 1 ? 0 : upper[i] * rest[i + 1])) / diagonal[i];
      rest[i] = step;
      half[i] -= step;
    }
  }

  /** Cells of the positive half axis: boundaries 0, midpoints, ∞; probability and mean of each. */
  private static final class Cells {
    final double[] boundaries;
    final double[] masses;
    final double[] means;

    Cells(double[] half) {
      int n = half.length;
      boundaries = new double[n + 1];
      boundaries[n] = Double.POSITIVE_INFINITY;
      for (int i = 1; i < n; i++) {
        boundaries[i] = (half[i - 1] + half[i]) / 2;
      }
      masses = new double[n];
      means = new double[n];
      for (int i = 0; i < n; i++) {
        double from = boundaries[i];
        double to = boundaries[i + 1];
        masses[i] = UnitNormal.cumulative(to) - UnitNormal.cumulative(from);
        means[i] = (UnitNormal.density(from) - UnitNormal.density(to)) / masses[i];
      }
    }

    /** Change of the mean of cell i when one of its boundaries moves. */
    double slope(int i, double boundary) {
      return UnitNormal.density(boundary) * Math.abs(boundary - means[i]) / masses[i];
    }
  }
}
