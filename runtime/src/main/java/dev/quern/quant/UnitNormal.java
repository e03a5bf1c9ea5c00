package dev.quern.quant;

/** Density and distribution function of N(0, 1), to double precision in |x| ≤ 8. */
final class UnitNormal {
  private static final double SQRT_2_PI = StrictMath.sqrt(2 * StrictMath.PI);

  private UnitNormal() {}

  static double density(double x) {
    return StrictMath.exp(-x * x / 2) / SQRT_2_PI;
  }

  /**
   * P(X ≤ x) as ½ + φ(x)(x + x³/3 + x⁵/(3·5) + …).
   *
   * <p>Source: G. Marsaglia, "Evaluating the Normal Distribution", Journal of Statistical Software
   * 11(4), 2004.
   */
  static double cumulative(double x) {
    if (x > 8) {
      return 1;
    }
    double sum = x;
    double term = x;
    for (int i = 3; Math.abs(term) > 1e-18 * Math.abs(sum); i += 2) {
      term *= x * x / i;
      sum += term;
    }
    return 0.5 + density(x) * sum;
  }
}
