package dev.quern.converter.shadow;

/** The line that turns scores into logits: Platt scaling, fitted by Newton's method. */
final class Platt {
  private static final int STEPS = 25;
  private static final double MAX_SLOPE = 100;

  private Platt() {}

  /**
   * a and b of least Σ log(1 + e^l) − y l with l = a z + b.
   *
   * @param z [rows, stride]; columns [first, first + count) are used
   * @param y the same of the targets
   * @return a and b; 1 and 0 if there are no rows
   */
  static double[] fit(float[] z, float[] y, int rows, int stride, int first, int count) {
    double a = 1;
    double b = 0;
    for (int step = 0; step < STEPS && rows > 0; step++) {
      double ga = 0;
      double gb = 0;
      double haa = 1e-9;
      double hab = 0;
      double hbb = 1e-9;
      for (int r = 0; r < rows; r++) {
        for (int i = r * stride + first; i < r * stride + first + count; i++) {
          double p = 1 / (1 + StrictMath.exp(-(a * z[i] + b)));
          double slope = p - y[i];
          double curve = p * (1 - p);
          ga += slope * z[i];
          gb += slope;
          haa += curve * z[i] * z[i];
          hab += curve * z[i];
          hbb += curve;
        }
      }
      double determinant = haa * hbb - hab * hab;
      if (!(determinant > 0)) {
        break;
      }
      a = Math.clamp(a - (hbb * ga - hab * gb) / determinant, 1e-3, MAX_SLOPE);
      b = Math.clamp(b - (haa * gb - hab * ga) / determinant, -MAX_SLOPE, MAX_SLOPE);
    }
    return new double[] {a, b};
  }
}
