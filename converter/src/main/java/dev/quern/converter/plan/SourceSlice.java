package dev.quern.converter.plan;

import dev.quern.format.DType;
import java.io.Serializable;

/**
 * Where a matrix [rows, cols] lies in a source: row-major, contiguous, little-endian.
 *
 * @param file path as text, so that it travels to executors
 * @param offset of the first byte from the start of the file
 */
public record SourceSlice(String file, long offset, DType dtype, int rows, int cols)
    implements Serializable {

  public long rowBytes() {
    return dtype.bytes(cols);
  }

  public long elements() {
    return (long) rows * cols;
  }

  public long bytes() {
    return dtype.bytes(elements());
  }
}
