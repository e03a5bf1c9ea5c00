package dev.quern.format;

import java.nio.file.Path;
import java.util.List;

/**
 * Where one tensor lies and what it is.
 *
 * @param shape outermost dimension first; empty for a scalar
 * @param offset of the first byte from the start of the file
 * @param bytes exactly what shape and dtype need
 */
public record TensorInfo(
    String name, DType dtype, List<Long> shape, Path file, long offset, long bytes) {

  public TensorInfo {
    shape = List.copyOf(shape);
    if (offset < 0 || bytes != dtype.bytes(elements(shape))) {
      throw new IllegalArgumentException(
          "tensor %s %s%s at %d: %d bytes".formatted(name, dtype, shape, offset, bytes));
    }
  }

  public long elements() {
    return elements(shape);
  }

  /**
   * Product of the dimensions; 1 for a scalar.
   *
   * @throws ArithmeticException if it does not fit a long
   * @throws IllegalArgumentException if a dimension is negative
   */
  public static long elements(List<Long> shape) {
    long product = 1;
    boolean empty = false;
    for (long dimension : shape) {
      if (dimension < 0) {
        throw new IllegalArgumentException("negative dimension in shape " + shape);
      }
      // A zero further on must not hide an overflow before it from one reader and not the next.
      empty |= dimension == 0;
      product = Math.multiplyExact(product, Math.max(dimension, 1));
    }
    return empty ? 0 : product;
  }
}
