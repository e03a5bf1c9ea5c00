package dev.quern.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Random matrices of every kind, the same in every run. */
final class TestMatrices {
  private TestMatrices() {}

  /** Values of a unit normal, rounded to float. */
  static float[] gaussian(SplittableRandom random, int n) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** Every layout there is, for one shape. */
  static List<TileLayout> layouts(int rows, int cols) {
    List<TileLayout> layouts = new ArrayList<>();
    for (int bits : new int[] {1, 2, 3, 4}) {
      for (int factorRows : new int[] {1, 64}) {
        layouts.add(new TileLayout(rows, cols, bits, TileLayout.Scales.U4, 16, false, factorRows));
        layouts.add(
            new TileLayout(rows, cols, bits, TileLayout.Scales.NONE, 16, false, factorRows));
      }
    }
    for (int bits : new int[] {1, 2, 3, 4, 8}) {
      for (int groupSize : new int[] {32, 64, 128}) {
        for (boolean offsets : new boolean[] {false, true}) {
          layouts.add(
              new TileLayout(rows, cols, bits, TileLayout.Scales.F16, groupSize, offsets, 1));
        }
      }
    }
    return layouts;
  }

  /** Random indices, codes, scales around 1 and factors around 1. */
  static Matrix.Packed packed(TileLayout layout, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    byte[] bytes = new byte[Math.toIntExact(layout.bytes())];
    random.nextBytes(bytes);
    MemorySegment data = Arena.ofAuto().allocate(bytes.length, 64);
    data.copyFrom(MemorySegment.ofArray(bytes));
    for (int i = 0; i < layout.factors(); i++) {
      TilePacking.putFactor(layout, (float) random.nextDouble(0.5, 1.5), i, data);
    }
    boolean f16 = layout.scales() == TileLayout.Scales.F16;
    for (int tile = 0; f16 && tile < layout.tiles(); tile++) {
      for (int block = 0; block < layout.blocks(); block++) {
        long at = layout.blockOffset(tile, block);
        for (int r = 0; r < TileLayout.TILE_ROWS; r++) {
          TilePacking.putScale((float) random.nextDouble(0.01, 2), r, data, at);
          if (layout.offsets()) {
            TilePacking.putOffset((float) random.nextGaussian(), r, data, at);
          }
        }
      }
    }
    float[] codebook = layout.bits() == 8 ? new float[0] : sorted(random, 1 << layout.bits());
    float[] table = layout.scales() == TileLayout.Scales.U4 ? sorted(random, 16) : new float[0];
    return new Matrix.Packed(layout, data, codebook, table);
  }

  private static float[] sorted(SplittableRandom random, int n) {
    float[] values = gaussian(random, n);
    java.util.Arrays.sort(values);
    return values;
  }

  static Matrix.Dense dense(Matrix.Element element, int rows, int cols, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    MemorySegment data = MemorySegment.ofArray(new byte[rows * cols * element.bytes()]);
    for (int i = 0; i < rows * cols; i++) {
      float value = (float) random.nextGaussian();
      switch (element) {
        case F32 -> data.set(TilePacking.LE_FLOAT, 4L * i, value);
        case F16 -> data.set(TilePacking.LE_SHORT, 2L * i, Float.floatToFloat16(value));
        case BF16 ->
            data.set(TilePacking.LE_SHORT, 2L * i, (short) (Float.floatToIntBits(value) >> 16));
      }
    }
    return new Matrix.Dense(element, rows, cols, data);
  }

  /** Every kind of matrix of one shape. */
  static List<Matrix.InPlace> all(int rows, int cols, long seed) {
    List<Matrix.InPlace> matrices = new ArrayList<>();
    for (TileLayout layout : layouts(rows, cols)) {
      matrices.add(packed(layout, seed));
    }
    for (Matrix.Element element : Matrix.Element.values()) {
      matrices.add(dense(element, rows, cols, seed));
    }
    return matrices;
  }

  static String name(Matrix.InPlace w) {
    return switch (w) {
      case Matrix.Packed p -> p.layout().toString();
      case Matrix.Dense d -> d.element() + " " + d.rows() + " x " + d.cols();
    };
  }
}
