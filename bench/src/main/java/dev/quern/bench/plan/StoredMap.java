package dev.quern.bench.plan;

import dev.quern.kernels.Matrix;
import dev.quern.kernels.TileLayout;
import dev.quern.quant.QuantScheme;
import java.lang.foreign.MemorySegment;

/**
 * A weight matrix [rows, cols] as far as its speed depends on it: shape and storage, no values.
 *
 * @param storage how its weights are stored
 */
record StoredMap(int rows, int cols, Storage storage) {

  /** How weights are stored. */
  sealed interface Storage {}

  /** Quantized. */
  record Quantized(QuantScheme scheme) implements Storage {}

  /** Numbers that the kernels multiply as they lie. */
  record Numbers(Matrix.Element element) implements Storage {}

  /** Bytes that a product with one vector reads. */
  long bytes() {
    return switch (storage) {
      case Quantized(QuantScheme scheme) -> scheme.bytes(rows, cols);
      case Numbers(Matrix.Element element) -> (long) rows * cols * element.bytes();
    };
  }

  /** The same with fewer rows. */
  StoredMap withRows(int fewer) {
    return new StoredMap(fewer, cols, storage);
  }

  boolean rotated() {
    return storage instanceof Quantized(QuantScheme scheme) && scheme.rotated();
  }

  /** A matrix over bytes that mean nothing; residuals are left out. */
  Matrix over(MemorySegment data) {
    return switch (storage) {
      case Quantized(QuantScheme scheme) -> {
        TileLayout layout = scheme.layout(rows, cols);
        int levels = scheme.bits() == Byte.SIZE ? 0 : 1 << scheme.bits();
        int scales = layout.scales() == TileLayout.Scales.U4 ? 16 : 0;
        yield new Matrix.Packed(layout, data, ascending(levels), ascending(scales));
      }
      case Numbers(Matrix.Element element) -> new Matrix.Dense(element, rows, cols, data);
    };
  }

  private static float[] ascending(int n) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (i + 1f) / n;
    }
    return values;
  }
}
