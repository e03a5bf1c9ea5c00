package dev.quern.converter.quantize;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Running power sums of the weights of a tensor, for their excess kurtosis. */
final class Moments {
  /** What every machine has: sums, and with them a pack's statistics, are the same on all. */
  static final VectorSpecies<Float> LANES = FloatVector.SPECIES_128;

  /** Summed in float lanes only this far, then in double: keeps seven digits. */
  private static final int CHUNK = 1024;

  private long count;
  private double sum;
  private double squares;
  private double cubes;
  private double fourths;

  void add(float[] x, int n) {
    for (int from = 0; from < n; from += CHUNK) {
      addChunk(x, from, Math.min(n, from + CHUNK));
    }
    count += n;
  }

  private void addChunk(float[] x, int from, int to) {
    FloatVector s1 = FloatVector.zero(LANES);
    FloatVector s2 = s1;
    FloatVector s3 = s1;
    FloatVector s4 = s1;
    int i = from;
    for (; i + LANES.length() <= to; i += LANES.length()) {
      FloatVector v = FloatVector.fromArray(LANES, x, i);
      FloatVector v2 = v.mul(v);
      s1 = s1.add(v);
      s2 = s2.add(v2);
      s3 = v2.fma(v, s3);
      s4 = v2.fma(v2, s4);
    }
    sum += total(s1);
    squares += total(s2);
    cubes += total(s3);
    fourths += total(s4);
    for (; i < to; i++) {
      double v = x[i];
      sum += v;
      squares += v * v;
      cubes += v * v * v;
      fourths += v * v * v * v;
    }
  }

  /**
   * Lane by lane: the order in which reduceLanes adds is not specified, and differs between
   * interpreted and compiled code.
   */
  static double total(FloatVector lanes) {
    double total = 0;
    for (int lane = 0; lane < lanes.length(); lane++) {
      total += lanes.lane(lane);
    }
    return total;
  }

  double squares() {
    return squares;
  }

  /** E[(x − μ)⁴] / σ⁴ − 3; 0 where all values are equal. */
  double excessKurtosis() {
    double mean = sum / count;
    double second = squares / count;
    double variance = second - mean * mean;
    if (!(variance > 0)) {
      return 0;
    }
    double central =
        fourths / count
            - 4 * mean * cubes / count
            + 6 * mean * mean * second
            - 3 * mean * mean * mean * mean;
    return central / (variance * variance) - 3;
  }
}
