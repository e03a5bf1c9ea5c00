package dev.quern.kernels;

import java.lang.foreign.MemorySegment;

/** A weight matrix [rows, cols] = [out, in], y = W x, as a view of memory it does not own. */
public sealed interface Matrix {
  int rows();

  int cols();

  /** Bytes that one product with one vector reads. */
  long bytes();

  /** What the kernels multiply where it lies. */
  sealed interface InPlace extends Matrix {}

  /** Stored element types that the kernels multiply as they lie. */
  enum Element {
    F32(4),
    F16(2),
    BF16(2);

    private final int bytes;

    Element(int bytes) {
      this.bytes = bytes;
    }

    public int bytes() {
      return bytes;
    }
  }

  /**
   * Row-major, little-endian, no padding.
   *
   * @param data at least rows · cols · element.bytes() bytes, any alignment
   */
  record Dense(Element element, int rows, int cols, MemorySegment data) implements InPlace {
    public Dense {
      long needed = Math.multiplyExact((long) rows, (long) cols) * element.bytes();
      if (data.byteSize() < needed) {
        throw new IllegalArgumentException(
            "dense matrix %d x %d %s needs %d bytes, has %d"
                .formatted(rows, cols, element, needed, data.byteSize()));
      }
    }

    @Override
    public long bytes() {
      return (long) rows * cols * element.bytes();
    }
  }

  /**
   * @param data the bytes that {@link TileLayout} describes, from offset 0; outside the heap. It
   *     must not be unmapped while a kernel reads it: some do not check
   * @param codebook 2^bits levels, ascending; empty for 8 bits
   * @param scaleTable 16 ascending scales for U4; empty otherwise
   */
  record Packed(TileLayout layout, MemorySegment data, float[] codebook, float[] scaleTable)
      implements InPlace {
    public Packed {
      int levels = layout.bits() == 8 ? 0 : 1 << layout.bits();
      int scales = layout.scales() == TileLayout.Scales.U4 ? 16 : 0;
      if (data.byteSize() < layout.bytes()
          || codebook.length != levels
          || scaleTable.length != scales) {
        throw new IllegalArgumentException(
            "packed matrix: %s needs %d bytes, %d levels, %d scales; has %d, %d, %d"
                .formatted(
                    layout,
                    layout.bytes(),
                    levels,
                    scales,
                    data.byteSize(),
                    codebook.length,
                    scaleTable.length));
      }
      if (!data.isNative()) {
        throw new IllegalArgumentException("packed matrix: memory outside the heap expected");
      }
    }

    @Override
    public int rows() {
      return layout.rows();
    }

    @Override
    public int cols() {
      return layout.cols();
    }

    @Override
    public long bytes() {
      return layout.bytes();
    }
  }

  /**
   * Rows that must be decoded before they can be multiplied: correct for every encoding, slower
   * than what the kernels multiply in place.
   *
   * @param bytes that hold the matrix
   */
  record Decoded(int rows, int cols, long bytes, RowSource source) implements Matrix {}
}
