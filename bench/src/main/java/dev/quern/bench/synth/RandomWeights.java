package dev.quern.bench.synth;

import dev.quern.format.FloatConversion;
import dev.quern.quant.CounterRandom;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.stream.IntStream;
import org.apache.commons.math3.distribution.TDistribution;

/**
 * BF16 weights that look like those of trained models where quantization is concerned: Student-t
 * with 5 degrees of freedom, and in one column of a hundred ten times larger. Weight n of a tensor
 * depends on seed, name and n alone.
 *
 * <p>Drawn by inverting the distribution function at 2^16 points, one 16-bit number each: four
 * weights per random word, fast enough to be limited by the disk.
 */
final class RandomWeights {
  private static final ValueLayout.OfShort BF16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int POINTS = 1 << 16;
  private static final double DEGREES_OF_FREEDOM = 5;
  private static final int OUTLIER_EVERY = 100;
  private static final float OUTLIER_FACTOR = 10;
  private static final int WEIGHTS_PER_WORD = 4;
  private static final int PIECE_ROWS = 64;

  /** Quantiles of the t distribution scaled to unit variance. */
  private final float[] quantiles = new float[POINTS];

  private final long seed;

  RandomWeights(long seed) {
    this.seed = seed;
    TDistribution t = new TDistribution(null, DEGREES_OF_FREEDOM);
    double deviation = Math.sqrt(t.getNumericalVariance());
    IntStream.range(0, POINTS / 2)
        .parallel()
        .forEach(i -> {
          double q = t.inverseCumulativeProbability((i + 0.5) / POINTS) / deviation;
          quantiles[i] = (float) q;
          quantiles[POINTS - 1 - i] = (float) -q;
        });
  }

  /**
   * Rows [firstRow, firstRow + rows) of a matrix, in as many threads as there are cores.
   *
   * @param deviation of the weights outside outlier columns
   * @param outliers whether the matrix has outlier columns
   */
  void fill(
      String name,
      long firstRow,
      int rows,
      int cols,
      double deviation,
      boolean outliers,
      MemorySegment out) {
    short[] ordinary = table(deviation);
    short[] large = outliers ? table(deviation * OUTLIER_FACTOR) : ordinary;
    long key = CounterRandom.key(seed, name.hashCode());
    IntStream.range(0, Math.ceilDiv(rows, PIECE_ROWS))
        .parallel()
        .forEach(piece -> {
          int from = piece * PIECE_ROWS;
          int to = Math.min(rows, from + PIECE_ROWS);
          fillRows(key, firstRow, from, to, cols, ordinary, large, out);
        });
  }

  private static void fillRows(
      long key,
      long firstRow,
      int from,
      int to,
      int cols,
      short[] ordinary,
      short[] large,
      MemorySegment out) {
    int words = Math.ceilDiv(cols, WEIGHTS_PER_WORD);
    for (int row = from; row < to; row++) {
      long at = (long) row * cols;
      for (int c = 0; c < cols; c++) {
        // C2 keeps the word in a register across its four columns.
        long word = CounterRandom.word(key, (firstRow + row) * words + c / WEIGHTS_PER_WORD);
        int point = (int) (word >>> (c % WEIGHTS_PER_WORD * Short.SIZE)) & (POINTS - 1);
        short[] table = c % OUTLIER_EVERY == OUTLIER_EVERY / 2 ? large : ordinary;
        out.set(BF16, (at + c) * Short.BYTES, table[point]);
      }
    }
  }

  private short[] table(double deviation) {
    short[] table = new short[POINTS];
    for (int i = 0; i < POINTS; i++) {
      table[i] = FloatConversion.toBf16((float) (quantiles[i] * deviation));
    }
    return table;
  }
}
