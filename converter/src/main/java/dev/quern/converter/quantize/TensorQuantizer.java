package dev.quern.converter.quantize;

import dev.quern.quant.QuantScheme;
import dev.quern.quant.Rotation;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Quantizes one matrix at a time: rows in, packed bytes and an error report out. Pure and
 * single-threaded; memory is a few tiles. Use one per thread; it keeps its buffers.
 */
public final class TensorQuantizer {

  /** Where the rows come from. */
  @FunctionalInterface
  public interface RowReader {
    /** Writes rows [firstRow, firstRow + count), row-major, as float32 to into[0 .. count·cols). */
    void read(int firstRow, int count, float[] into) throws IOException;
  }

  /** Levels that a reader needs, for the header of the file: see {@code Matrix.Packed}. */
  public record Tables(float[] codebook, float[] scaleTable) {}

  /**
   * The tables of a scheme, the same for every tensor. Fitted at first use (under a second), then
   * kept.
   */
  public static Tables tables(QuantScheme scheme) {
    throw new UnsupportedOperationException("being written");
  }

  /**
   * @param rotation of the input; {@link Rotation#none} if the scheme is not rotated
   * @param out scheme.bytes(rows, cols) bytes: the layout, then the residual if there is one
   */
  public ErrorReport quantize(
      QuantScheme scheme,
      int rows,
      int cols,
      Rotation rotation,
      Rotation residualRotation,
      RowReader reader,
      MemorySegment out)
      throws IOException {
    throw new UnsupportedOperationException("being written");
  }
}
