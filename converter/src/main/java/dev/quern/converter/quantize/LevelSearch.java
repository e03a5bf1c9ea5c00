package dev.quern.converter.quantize;

import dev.quern.kernels.TileLayout;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Nearest levels of a codebook that is symmetric about 0, for a tile laid out column by column (a
 * lane is a row): {@code tile[64·column + row]}.
 *
 * <p>Each candidate scale of a group is tried and the one with the smallest squared error kept.
 * Bodies are straight-line per number of levels, because a loop over levels would leave the vectors
 * in memory.
 */
final class LevelSearch {
  static final VectorSpecies<Float> LANES = FloatVector.SPECIES_PREFERRED;
  private static final int ROWS = TileLayout.TILE_ROWS;

  /**
   * Positive levels, ascending, and the boundaries between them, padded to 8 with +∞ boundaries
   * never passed.
   */
  private final float[] level = new float[8];

  private final float[] boundary = new float[8];
  private final int count;

  /**
   * @param codebook 2, 4, 8 or 16 levels, ascending, symmetric about 0
   */
  LevelSearch(float[] codebook) {
    count = codebook.length / 2;
    System.arraycopy(codebook, count, level, 0, count);
    Arrays.fill(boundary, Float.POSITIVE_INFINITY);
    for (int i = 0; i + 1 < count; i++) {
      boundary[i] = (level[i] + level[i + 1]) / 2;
    }
  }

  /**
   * For each row r of a group of columns, the candidate k with the least squared error under the
   * scale base[r] · multiples[k].
   *
   * @param from first element of the group, 64 · its first column
   * @param base 64 scales, one per row
   * @param best 64 results: k as a float
   */
  void search(float[] tile, int from, int cols, float[] base, float[] multiples, float[] best) {
    for (int row = 0; row < ROWS; row += LANES.length()) {
      FloatVector rowBase = FloatVector.fromArray(LANES, base, row);
      FloatVector least = FloatVector.broadcast(LANES, Float.POSITIVE_INFINITY);
      FloatVector chosen = FloatVector.zero(LANES);
      for (int k = 0; k < multiples.length; k++) {
        FloatVector scale = rowBase.mul(multiples[k]);
        FloatVector error =
            squaredError(tile, from + row, cols, inverse(scale)).mul(scale).mul(scale);
        VectorMask<Float> better = error.lt(least);
        least = error.min(least);
        chosen = chosen.blend(k, better);
      }
      chosen.intoArray(best, row);
    }
  }

  /** 1 / scale, and 0 for a scale of 0: a group of zeros takes the smallest level, times 0. */
  private static FloatVector inverse(FloatVector scale) {
    VectorMask<Float> zero = scale.eq(0);
    return FloatVector.broadcast(LANES, 1).div(scale.blend(1, zero)).blend(0, zero);
  }

  private FloatVector squaredError(float[] tile, int from, int cols, FloatVector inverse) {
    return switch (count) {
      case 1, 2 -> squaredErrorOf2(tile, from, cols, inverse);
      case 4 -> squaredErrorOf4(tile, from, cols, inverse);
      default -> squaredErrorOf8(tile, from, cols, inverse);
    };
  }

  private FloatVector squaredErrorOf2(float[] tile, int from, int cols, FloatVector inverse) {
    FloatVector l0 = FloatVector.broadcast(LANES, level[0]);
    FloatVector l1 = FloatVector.broadcast(LANES, level[1]);
    float b0 = boundary[0];
    FloatVector sum = FloatVector.zero(LANES);
    for (int i = from; i < from + cols * ROWS; i += ROWS) {
      FloatVector u = FloatVector.fromArray(LANES, tile, i).abs().mul(inverse);
      FloatVector d = u.sub(l0.blend(l1, u.compare(VectorOperators.GT, b0)));
      sum = d.fma(d, sum);
    }
    return sum;
  }

  private FloatVector squaredErrorOf4(float[] tile, int from, int cols, FloatVector inverse) {
    FloatVector l0 = FloatVector.broadcast(LANES, level[0]);
    FloatVector l1 = FloatVector.broadcast(LANES, level[1]);
    FloatVector l2 = FloatVector.broadcast(LANES, level[2]);
    FloatVector l3 = FloatVector.broadcast(LANES, level[3]);
    FloatVector b0 = FloatVector.broadcast(LANES, boundary[0]);
    FloatVector b1 = FloatVector.broadcast(LANES, boundary[1]);
    FloatVector b2 = FloatVector.broadcast(LANES, boundary[2]);
    FloatVector sum = FloatVector.zero(LANES);
    for (int i = from; i < from + cols * ROWS; i += ROWS) {
      FloatVector u = FloatVector.fromArray(LANES, tile, i).abs().mul(inverse);
      FloatVector l =
          l0.blend(l1, u.compare(VectorOperators.GT, b0))
              .blend(l2, u.compare(VectorOperators.GT, b1))
              .blend(l3, u.compare(VectorOperators.GT, b2));
      FloatVector d = u.sub(l);
      sum = d.fma(d, sum);
    }
    return sum;
  }

  private FloatVector squaredErrorOf8(float[] tile, int from, int cols, FloatVector inverse) {
    FloatVector sum = FloatVector.zero(LANES);
    for (int i = from; i < from + cols * ROWS; i += ROWS) {
      FloatVector u = FloatVector.fromArray(LANES, tile, i).abs().mul(inverse);
      FloatVector l = upperOf8(lowerOf8(u), u);
      FloatVector d = u.sub(l);
      sum = d.fma(d, sum);
    }
    return sum;
  }

  private FloatVector lowerOf8(FloatVector u) {
    return FloatVector.broadcast(LANES, level[0])
        .blend(level[1], u.compare(VectorOperators.GT, boundary[0]))
        .blend(level[2], u.compare(VectorOperators.GT, boundary[1]))
        .blend(level[3], u.compare(VectorOperators.GT, boundary[2]));
  }

  private FloatVector upperOf8(FloatVector l, FloatVector u) {
    return l.blend(level[4], u.compare(VectorOperators.GT, boundary[3]))
        .blend(level[5], u.compare(VectorOperators.GT, boundary[4]))
        .blend(level[6], u.compare(VectorOperators.GT, boundary[5]))
        .blend(level[7], u.compare(VectorOperators.GT, boundary[6]));
  }

  /**
   * Indices and dequantized values of a group under the scales chosen for it.
   *
   * @param scale 64 scales, one per row
   * @param index written like tile: position in the codebook, as a float
   * @param value written like tile: scale · codebook[index]
   */
  void assign(float[] tile, int from, int cols, float[] scale, float[] index, float[] value) {
    for (int row = 0; row < ROWS; row += LANES.length()) {
      FloatVector s = FloatVector.fromArray(LANES, scale, row);
      assignRows(tile, from + row, cols, s, inverse(s), index, value);
    }
  }

  private void assignRows(
      float[] tile,
      int from,
      int cols,
      FloatVector s,
      FloatVector inverse,
      float[] index,
      float[] value) {
    for (int i = from; i < from + cols * ROWS; i += ROWS) {
      FloatVector x = FloatVector.fromArray(LANES, tile, i);
      VectorMask<Float> negative = x.lt(0);
      FloatVector u = x.abs().mul(inverse);
      FloatVector position = FloatVector.zero(LANES);
      FloatVector l = FloatVector.broadcast(LANES, level[0]);
      for (int k = 1; k < count; k++) {
        VectorMask<Float> above = u.compare(VectorOperators.GT, boundary[k - 1]);
        position = position.blend(k, above);
        l = l.blend(level[k], above);
      }
      l.mul(s).blend(l.mul(s).neg(), negative).intoArray(value, i);
      FloatVector up = position.add(count);
      FloatVector down = position.neg().add(count - 1);
      up.blend(down, negative).intoArray(index, i);
    }
  }
}
