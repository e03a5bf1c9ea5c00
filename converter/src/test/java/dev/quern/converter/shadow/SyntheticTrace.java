package dev.quern.converter.shadow;

import dev.quern.converter.traces.Split;
import dev.quern.quant.CounterRandom;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Routing that is made, not recorded: inputs are normal, experts either independent of everything
 * or the best of a random map of the input's absolute values, which no linear map gives.
 */
record SyntheticTrace(boolean learnable, int rowsPerPart, long seed) implements TraceSource {
  static final int HIDDEN = 12;
  static final int EXPERTS = 16;
  static final int TOP_K = 2;
  static final int LAYERS = 4;
  static final int VOCAB = 40;
  private static final int TRAIN_PARTS = 4;
  private static final double MEAN = 0.7979; // of |x|: no expert is the best for most inputs

  @Override
  public Sizes sizes() {
    List<Integer> layers = IntStream.range(0, LAYERS).boxed().toList();
    return new Sizes(LAYERS, layers, HIDDEN, EXPERTS, TOP_K, VOCAB);
  }

  @Override
  public int parts(Split split) {
    return split == Split.TRAIN ? TRAIN_PARTS : 1;
  }

  @Override
  public long tokens(Split split) {
    return (long) rowsPerPart * parts(split);
  }

  static TokenTable table() {
    int width = 4;
    short[] halves = new short[VOCAB * width];
    for (int i = 0; i < halves.length; i++) {
      halves[i] = Float.floatToFloat16((float) CounterRandom.gaussian(99, i));
    }
    return new TokenTable(width, halves);
  }

  @Override
  public LayerRows rows(
      Split split, int layer, int distances, int firstPart, int endPart, boolean inputs) {
    LayerRows rows = new LayerRows(layer, distances, HIDDEN, EXPERTS, TOP_K);
    for (int part = firstPart; part < endPart; part++) {
      long key = CounterRandom.key(seed, split.ordinal(), part);
      for (int row = 0; row < rowsPerPart; row++) {
        float[] input = new float[HIDDEN];
        for (int i = 0; i < HIDDEN; i++) {
          input[i] = (float) CounterRandom.gaussian(key, (long) row * HIDDEN + i);
        }
        int[][] chosen = new int[distances + 1][];
        for (int d = 0; d <= distances; d++) {
          chosen[d] = learnable ? best(layer + d, input) : drawn(key, layer + d, row);
        }
        int token = (int) Long.remainderUnsigned(CounterRandom.word(key, -1L - row), VOCAB);
        rows.add(token, row > 0, inputs ? input : new float[0], 0, chosen, 0);
      }
    }
    return rows;
  }

  private int[] best(int layer, float[] input) {
    float[] scores = new float[EXPERTS];
    for (int e = 0; e < EXPERTS; e++) {
      for (int i = 0; i < HIDDEN; i++) {
        double weight =
            CounterRandom.gaussian(CounterRandom.key(seed, 7, layer), (long) e * HIDDEN + i);
        scores[e] += (float) (weight * (Math.abs(input[i]) - MEAN));
      }
    }
    int first = 0;
    for (int e = 1; e < EXPERTS; e++) {
      first = scores[e] > scores[first] ? e : first;
    }
    int second = first == 0 ? 1 : 0;
    for (int e = 0; e < EXPERTS; e++) {
      second = e != first && scores[e] > scores[second] ? e : second;
    }
    return new int[] {first, second};
  }

  private static int[] drawn(long key, int layer, int row) {
    long word = CounterRandom.word(CounterRandom.key(key, layer), row);
    int first = (int) Long.remainderUnsigned(word >>> 8, EXPERTS);
    int other = (int) Long.remainderUnsigned(word >>> 40, EXPERTS - 1);
    return new int[] {first, other < first ? other : other + 1};
  }
}
