package dev.quern.format;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Objects;

/**
 * Writes a float32 matrix [rows, cols] in NumPy's format, row by row.
 *
 * <p>Source: numpy.org, {@code numpy.lib.format}, "Format Version 1.0".
 */
public final class NpyWriter implements Closeable {
  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  private static final int ALIGNMENT = 64;

  private final AtomicFile out;
  private final ByteBuffer row;
  private final int cols;
  private final long rows;
  private long written;

  private NpyWriter(AtomicFile out, long rows, int cols) {
    this.out = out;
    this.rows = rows;
    this.cols = cols;
    this.row =
        ByteBuffer.allocateDirect(Math.multiplyExact(cols, Float.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
  }

  public static NpyWriter create(Path file, long rows, int cols) throws IOException {
    if (rows < 0 || cols < 0) {
      throw new IllegalArgumentException("matrix of " + rows + " x " + cols);
    }
    String shape =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }".formatted(rows, cols);
    int unpadded = MAGIC.length + Short.BYTES + shape.length() + 1;
    String padding = " ".repeat(Math.floorMod(-unpadded, ALIGNMENT));
    byte[] text = (shape + padding + "\n").getBytes(StandardCharsets.US_ASCII);
    AtomicFile out = AtomicFile.create(file);
    try {
      ByteBuffer header =
          ByteBuffer.allocate(MAGIC.length + Short.BYTES + text.length)
              .order(ByteOrder.LITTLE_ENDIAN);
      out.write(header.put(MAGIC).putShort((short) text.length).put(text).flip());
      return new NpyWriter(out, rows, cols);
    } catch (Throwable e) {
      out.close();
      throw e;
    }
  }

  /** The next row, values[offset .. offset + cols). */
  public void writeRow(float[] values, int offset) throws IOException {
    Objects.checkFromIndexSize(offset, cols, values.length);
    if (written == rows) {
      throw new IllegalStateException("all " + rows + " rows are written");
    }
    row.clear();
    row.asFloatBuffer().put(values, offset, cols);
    out.write(row);
    written++;
  }

  /** Makes the file appear under its name. */
  public void finish() throws IOException {
    if (written != rows) {
      throw new IllegalStateException(written + " of " + rows + " rows written");
    }
    out.commit();
  }

  /** Deletes the part unless finished. */
  @Override
  public void close() throws IOException {
    out.close();
  }
}
