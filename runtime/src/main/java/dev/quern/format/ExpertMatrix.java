package dev.quern.format;

import dev.quern.kernels.TileLayout;
import dev.quern.quant.QuantScheme;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * One matrix [rows, cols] = [out, in] of every expert record of a file. Exactly one of scheme and
 * dense is present.
 *
 * @param scheme how it is quantized; its bytes lie as {@link QuantScheme#layout} says, the QJL
 *     residual after them
 * @param dense element type of a matrix at full precision: row-major, little-endian, padded with
 *     zeros to a multiple of 16 bytes
 * @param codebook 2^bits ascending levels; empty for 8 bits and for dense matrices
 * @param scaleTable 16 ascending scales of {@link TileLayout.Scales#U4}, else empty
 * @param offset of the first byte within a record, a multiple of 16
 * @param bytes within a record, a multiple of 16
 */
public record ExpertMatrix(
    Role role,
    int rows,
    int cols,
    Optional<QuantScheme> scheme,
    Optional<DType> dense,
    float[] codebook,
    float[] scaleTable,
    long offset,
    long bytes) {
  private static final int ALIGNMENT = TileLayout.ALIGNMENT;

  /** Larger than any model's, small enough that no product of sizes overflows. */
  static final int MAX_DIMENSION = 1 << 24;

  /** The three projections of a SwiGLU expert; the ordinal is the code in the file. */
  public enum Role {
    GATE,
    UP,
    DOWN
  }

  public ExpertMatrix {
    check(rows >= 1 && rows <= MAX_DIMENSION, "rows", "1 to " + MAX_DIMENSION, rows);
    check(cols >= 1 && cols <= MAX_DIMENSION, "cols", "1 to " + MAX_DIMENSION, cols);
    check(scheme.isPresent() != dense.isPresent(), "storage", "either scheme or dtype", scheme);
    int levels = scheme.filter(s -> s.bits() != 8).map(s -> 1 << s.bits()).orElse(0);
    boolean u4 = scheme.isPresent() && scheme.get().method() == QuantScheme.Method.LLOYD_U4;
    int scales = u4 ? 16 : 0;
    check(codebook.length == levels, "levels of the codebook", levels, codebook.length);
    check(scaleTable.length == scales, "scales of the table", scales, scaleTable.length);
    checkAscending("codebook", codebook);
    checkAscending("scale table", scaleTable);
    check(offset >= 0 && offset % ALIGNMENT == 0, "offset", "a multiple of " + ALIGNMENT, offset);
    long needed = bytes(rows, cols, scheme, dense);
    check(bytes == needed, "bytes", needed, bytes);
  }

  /** A quantized matrix at the beginning of a record, see {@link #inRecord}. */
  public static ExpertMatrix quantized(
      Role role, int rows, int cols, QuantScheme scheme, float[] codebook, float[] scaleTable) {
    Optional<QuantScheme> quantized = Optional.of(scheme);
    long bytes = bytes(rows, cols, quantized, Optional.empty());
    return new ExpertMatrix(
        role, rows, cols, quantized, Optional.empty(), codebook, scaleTable, 0, bytes);
  }

  /** A matrix at full precision at the beginning of a record, see {@link #inRecord}. */
  public static ExpertMatrix dense(Role role, int rows, int cols, DType dtype) {
    Optional<DType> dense = Optional.of(dtype);
    long bytes = bytes(rows, cols, Optional.empty(), dense);
    return new ExpertMatrix(
        role, rows, cols, Optional.empty(), dense, new float[0], new float[0], 0, bytes);
  }

  /** The same matrices one after the other: offsets in the order given. */
  public static List<ExpertMatrix> inRecord(List<ExpertMatrix> matrices) {
    List<ExpertMatrix> placed = new ArrayList<>();
    long offset = 0;
    for (ExpertMatrix matrix : matrices) {
      placed.add(matrix.at(offset));
      offset += matrix.bytes;
    }
    return List.copyOf(placed);
  }

  /** Bytes of a record of these matrices, before it is padded to the file's alignment. */
  public static long recordBytes(List<ExpertMatrix> matrices) {
    return matrices.stream().mapToLong(ExpertMatrix::bytes).sum();
  }

  private ExpertMatrix at(long newOffset) {
    return new ExpertMatrix(
        role, rows, cols, scheme, dense, codebook, scaleTable, newOffset, bytes);
  }

  /** What a matrix of that kind takes in a record. */
  static long bytes(int rows, int cols, Optional<QuantScheme> scheme, Optional<DType> dense) {
    long stored =
        scheme.isPresent()
            ? scheme.get().bytes(rows, cols)
            : dense.orElseThrow().bytes((long) rows * cols);
    return Math.ceilDiv(stored, ALIGNMENT) * ALIGNMENT;
  }

  static void checkAscending(String what, float[] values) {
    for (int i = 0; i < values.length; i++) {
      boolean ascends = i == 0 || values[i - 1] <= values[i];
      check(Float.isFinite(values[i]) && ascends, what, "finite, ascending values", values[i]);
    }
  }

  private static void check(boolean holds, String what, Object expected, Object found) {
    if (!holds) {
      throw new IllegalArgumentException(
          "%s: expected %s, found %s".formatted(what, expected, found));
    }
  }
}
