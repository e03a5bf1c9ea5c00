package dev.quern.model;

/**
 * Rotary position embedding: at position p the pair i of a head is turned by the angle p · f(i),
 * with f(i) = theta^(−2i/rotaryDim), stretched where the model says so. Source: arXiv 2104.09864,
 * section 3.2.2; see {@link RopeScaling} for the stretching.
 *
 * <p>Angles are computed in double precision and their sines kept for the positions in use.
 */
final class Rope {
  private static final int BLOCK_POSITIONS = 256;

  private final int half;
  private final RopePairing pairing;
  private final double[] frequencies;
  private final float attentionFactor;
  private final float[][] tables; // per block of positions [position, pair, {cos, sin}]
  private int filled; // of the tables, from the first on

  private Rope(RopePairing pairing, double[] frequencies, float attentionFactor, float[][] tables) {
    this.half = frequencies.length;
    this.pairing = pairing;
    this.frequencies = frequencies;
    this.attentionFactor = attentionFactor;
    this.tables = tables;
  }

  Rope(RopeConfig config, int maxPositions) {
    this(
        config.pairing(),
        frequencies(config),
        config.scaling().attentionFactor(),
        new float[Math.ceilDiv(maxPositions, BLOCK_POSITIONS)][]);
  }

  /** Turns nothing. */
  static Rope none() {
    return new Rope(RopePairing.HALVES, new double[0], 1, new float[0][]);
  }

  /** Floats that the sines of so many positions take. */
  static long elements(RopeConfig config, int positions) {
    long blocks = Math.ceilDiv(positions, BLOCK_POSITIONS);
    return blocks * BLOCK_POSITIONS * config.rotaryDim();
  }

  /** Angle per position of each pair [rotaryDim / 2], in radians. */
  static double[] frequencies(RopeConfig config) {
    double[] frequencies = new double[config.rotaryDim() / 2];
    for (int i = 0; i < frequencies.length; i++) {
      frequencies[i] = Math.pow(config.theta(), -2.0 * i / config.rotaryDim());
    }
    switch (config.scaling()) {
      case RopeScaling.None none -> {}
      case RopeScaling.Linear linear -> {
        for (int i = 0; i < frequencies.length; i++) {
          frequencies[i] /= linear.factor();
        }
      }
      case RopeScaling.Llama3 llama3 -> {
        for (int i = 0; i < frequencies.length; i++) {
          frequencies[i] = stretched(frequencies[i], llama3);
        }
      }
      case RopeScaling.Yarn yarn -> stretch(frequencies, config, yarn);
      case RopeScaling.Divisors list -> {
        for (int i = 0; i < frequencies.length; i++) {
          frequencies[i] /= list.divisors().get(i);
        }
      }
    }
    return frequencies;
  }

  /** Source: Hugging Face transformers, modeling_rope_utils, _compute_llama3_parameters. */
  private static double stretched(double frequency, RopeScaling.Llama3 scaling) {
    double turns = scaling.original() * frequency / (2 * Math.PI); // within the original context
    double low = scaling.lowFrequency();
    double kept = Math.clamp((turns - low) / (scaling.highFrequency() - low), 0, 1);
    return (1 - kept) * frequency / scaling.factor() + kept * frequency;
  }

  /**
   * Source: Hugging Face transformers, modeling_rope_utils, _compute_yarn_parameters: pairs below
   * the range keep their frequency, those above it have it divided.
   */
  private static void stretch(double[] frequencies, RopeConfig config, RopeScaling.Yarn scaling) {
    double first = pairOfTurns(scaling.betaFast(), config, scaling);
    double last = pairOfTurns(scaling.betaSlow(), config, scaling);
    if (scaling.roundRange()) {
      first = Math.floor(first);
      last = Math.ceil(last);
    }
    first = Math.max(first, 0);
    last = Math.min(last, config.rotaryDim() - 1);
    if (first == last) {
      last += 0.001; // as the source: no division by zero
    }
    for (int i = 0; i < frequencies.length; i++) {
      double divided = Math.clamp((i - first) / (last - first), 0, 1);
      frequencies[i] = divided * frequencies[i] / scaling.factor() + (1 - divided) * frequencies[i];
    }
  }

  /** The pair, as a real number, that makes so many turns within the original context. */
  private static double pairOfTurns(double turns, RopeConfig config, RopeScaling.Yarn scaling) {
    double wavelength = scaling.original() / turns;
    return config.rotaryDim()
        * Math.log(wavelength / (2 * Math.PI))
        / (2 * Math.log(config.theta()));
  }

  /** Computes the sines of positions [0, positions), as far as they are not there yet. */
  void ensure(int positions) {
    for (; half > 0 && filled < Math.ceilDiv(positions, BLOCK_POSITIONS); filled++) {
      float[] table = new float[BLOCK_POSITIONS * half * 2];
      for (int p = 0; p < BLOCK_POSITIONS; p++) {
        for (int i = 0; i < half; i++) {
          double angle = ((double) filled * BLOCK_POSITIONS + p) * frequencies[i];
          table[(p * half + i) * 2] = (float) (attentionFactor * Math.cos(angle));
          table[(p * half + i) * 2 + 1] = (float) (attentionFactor * Math.sin(angle));
        }
      }
      tables[filled] = table;
    }
  }

  /** Turns one head in place, x[offset .. offset + rotaryDim); elements beyond stay. */
  void apply(float[] x, int offset, int position) {
    if (half == 0) {
      return;
    }
    float[] table = tables[position / BLOCK_POSITIONS];
    int at = position % BLOCK_POSITIONS * half * 2;
    int step = pairing == RopePairing.HALVES ? 1 : 2;
    int distance = pairing == RopePairing.HALVES ? half : 1;
    for (int i = 0; i < half; i++) {
      int first = offset + i * step;
      float cos = table[at + 2 * i];
      float sin = table[at + 2 * i + 1];
      float a = x[first];
      float b = x[first + distance];
      x[first] = a * cos - b * sin;
      x[first + distance] = b * cos + a * sin;
    }
  }
}
