package dev.quern.quant;

import java.util.Arrays;

/**
 * Codebook and scale table for 4-bit scale codes, fitted together: weight = factor · scales[code] ·
 * levels[index], one code for 16 weights, chosen with their indices to minimise the squared error.
 *
 * <p>With the scale chosen to suit the indices, the levels of the unit normal are no longer the
 * best: Lloyd's iteration runs over both tables here, on a fixed normal sample. Assign the best
 * (code, indices) to every group; then each level and each scale is the least-squares solution
 * given the rest.
 *
 * @param levels 2^bits, ascending, symmetric about 0
 * @param scales 16, ascending, mean square 1 over the sample: relative to the RMS of the weights
 */
public record FittedCodebook(float[] levels, float[] scales) {
  public static final int GROUP = 16;
  public static final int SCALES = 16;

  private static final int SAMPLE_GROUPS = 1 << 13;
  private static final int ROUNDS = 60;

  /** Codes tried on either side of the one that was best in the round before. */
  private static final int WINDOW = 3;

  private static final long SAMPLE_KEY = CounterRandom.key(0x717565726EL); // "quern"

  private static final FittedCodebook[] FITTED = new FittedCodebook[LloydMax.MAX_BITS];

  /** The codebook of 2, 3 or 4 bits; fitted at first use, in about a second, then kept. */
  public static FittedCodebook ofBits(int bits) {
    if (bits < 2 || bits > 4) {
      throw new IllegalArgumentException("fitted codebook of " + bits + " bits: expected 2 to 4");
    }
    synchronized (FITTED) {
      if (FITTED[bits] == null) {
        FITTED[bits] = new Fit(bits).run();
      }
      return FITTED[bits];
    }
  }

  /** Magnitudes only: everything is symmetric about 0. */
  private static final class Fit {
    private final float[] sample = new float[SAMPLE_GROUPS * GROUP];
    private final byte[] code = new byte[SAMPLE_GROUPS];
    private final double[] level;
    private final double[] scale = new double[SCALES];

    Fit(int bits) {
      for (int i = 0; i < sample.length; i++) {
        sample[i] = (float) Math.abs(CounterRandom.gaussian(SAMPLE_KEY, i));
      }
      double[] all = LloydMax.levels(bits);
      level = Arrays.copyOfRange(all, all.length / 2, all.length);
      for (int s = 0; s < SCALES; s++) {
        scale[s] = 0.5 + 1.2 * s / (SCALES - 1);
      }
      Arrays.fill(code, (byte) (SCALES / 2));
    }

    FittedCodebook run() {
      for (int round = 0; round < ROUNDS; round++) {
        assign(round == 0 ? SCALES : WINDOW);
        updateLevels();
        updateScales();
      }
      normalise();
      double[] mirrored = LloydMax.mirror(level);
      return new FittedCodebook(floats(mirrored), floats(scale));
    }

    private void assign(int window) {
      for (int g = 0; g < SAMPLE_GROUPS; g++) {
        int from = Math.max(0, code[g] - window);
        int to = Math.min(SCALES - 1, code[g] + window);
        double best = Double.POSITIVE_INFINITY;
        for (int s = from; s <= to; s++) {
          double error = error(g, scale[s], best);
          if (error < best) {
            best = error;
            code[g] = (byte) s;
          }
        }
      }
    }

    private double error(int group, double s, double limit) {
      double inverse = 1 / s;
      double error = 0;
      for (int i = group * GROUP; i < (group + 1) * GROUP && error < limit; i++) {
        double difference = sample[i] - s * level[nearest(sample[i] * inverse)];
        error += difference * difference;
      }
      return error;
    }

    private int nearest(double x) {
      int i = 0;
      while (i + 1 < level.length && x > (level[i] + level[i + 1]) / 2) {
        i++;
      }
      return i;
    }

    private void updateLevels() {
      double[] products = new double[level.length];
      double[] squares = new double[level.length];
      for (int i = 0; i < sample.length; i++) {
        double s = scale[code[i / GROUP]];
        int nearest = nearest(sample[i] / s);
        products[nearest] += sample[i] * s;
        squares[nearest] += s * s;
      }
      replace(level, products, squares);
    }

    private void updateScales() {
      double[] products = new double[SCALES];
      double[] squares = new double[SCALES];
      for (int i = 0; i < sample.length; i++) {
        int c = code[i / GROUP];
        double l = level[nearest(sample[i] / scale[c])];
        products[c] += sample[i] * l;
        squares[c] += l * l;
      }
      replace(scale, products, squares);
    }

    private static void replace(double[] table, double[] products, double[] squares) {
      for (int i = 0; i < table.length; i++) {
        if (squares[i] > 0) {
          table[i] = products[i] / squares[i];
        }
      }
    }

    /** Levels and scales are defined up to a common factor; give the scales a mean square of 1. */
    private void normalise() {
      double sum = 0;
      for (byte c : code) {
        sum += scale[c] * scale[c];
      }
      double root = Math.sqrt(sum / code.length);
      Arrays.setAll(scale, s -> scale[s] / root);
      Arrays.setAll(level, l -> level[l] * root);
    }

    private static float[] floats(double[] values) {
      float[] result = new float[values.length];
      for (int i = 0; i < values.length; i++) {
        result[i] = (float) values[i];
      }
      return result;
    }
  }
}
