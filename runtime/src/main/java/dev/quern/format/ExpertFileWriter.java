package dev.quern.format;

import dev.quern.kernels.TileLayout;
import dev.quern.quant.QuantScheme;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.CRC32C;

/** Writes an {@link ExpertFile} record by record, in the order of the experts. */
public final class ExpertFileWriter implements Closeable {
  private static final int CHUNK_BYTES = 1 << 20;

  private final AtomicFile out;
  private final ExpertFile.Geometry geometry;
  private final int layer;
  private final List<ExpertMatrix> matrices;
  private final int[] checksums;
  private int written;

  private ExpertFileWriter(
      AtomicFile out,
      ExpertFile.Geometry geometry,
      int layer,
      int numExperts,
      List<ExpertMatrix> matrices) {
    this.out = out;
    this.geometry = geometry;
    this.layer = layer;
    this.matrices = matrices;
    this.checksums = new int[numExperts];
  }

  /**
   * Begins {@code <file>.part}.
   *
   * @param matrices of a record, each role at most once; their offsets are set as {@link
   *     ExpertMatrix#inRecord} does
   */
  public static ExpertFileWriter create(
      Path file, int layer, int numExperts, List<ExpertMatrix> matrices) throws IOException {
    if (layer < 0
        || layer > ExpertFile.MAX_LAYER
        || numExperts < 1
        || numExperts > ExpertFile.MAX_EXPERTS
        || matrices.isEmpty()) {
      throw new IllegalArgumentException(
          "layer %d, %d experts of %d matrices".formatted(layer, numExperts, matrices.size()));
    }
    if (matrices.stream().map(ExpertMatrix::role).distinct().count() != matrices.size()) {
      throw new IllegalArgumentException("a role occurs twice");
    }
    List<ExpertMatrix> placed = ExpertMatrix.inRecord(matrices);
    ExpertFile.Geometry geometry = ExpertFile.Geometry.of(placed, numExperts);
    AtomicFile out = AtomicFile.create(file);
    try {
      out.write(ByteBuffer.allocate(Math.toIntExact(geometry.dataStart()))); // the header is last
      return new ExpertFileWriter(out, geometry, layer, numExperts, placed);
    } catch (Throwable e) {
      out.close();
      throw e;
    }
  }

  /** Length of a finished file of such records. */
  public static long fileBytes(List<ExpertMatrix> matrices, int numExperts) {
    ExpertFile.Geometry geometry =
        ExpertFile.Geometry.of(ExpertMatrix.inRecord(matrices), numExperts);
    return geometry.dataStart() + numExperts * geometry.recordStride();
  }

  /** With their offsets. */
  public List<ExpertMatrix> matrices() {
    return matrices;
  }

  /** Bytes that {@link #append} takes. */
  public long recordBytes() {
    return geometry.recordBytes();
  }

  /**
   * The next expert.
   *
   * @param record {@link #recordBytes} bytes
   */
  public void append(MemorySegment record) throws IOException {
    checkNext(record.byteSize());
    CRC32C crc = new CRC32C();
    for (long at = 0; at < record.byteSize(); at += CHUNK_BYTES) {
      long bytes = Math.min(CHUNK_BYTES, record.byteSize() - at);
      put(crc, record.asSlice(at, bytes).asByteBuffer());
    }
    endRecord(crc);
  }

  /** The next expert, copied from [offset, offset + length) of another file. */
  public void append(FileChannel source, long offset, long length) throws IOException {
    checkNext(length);
    CRC32C crc = new CRC32C();
    ByteBuffer chunk = ByteBuffer.allocateDirect((int) Math.min(CHUNK_BYTES, length));
    for (long at = 0; at < length; ) {
      chunk.clear().limit((int) Math.min(chunk.capacity(), length - at));
      int read = source.read(chunk, offset + at);
      if (read < 0) {
        throw new IOException(
            "expert %d: source ends after %d of %d bytes".formatted(written, at, length));
      }
      put(crc, chunk.flip());
      at += read;
    }
    endRecord(crc);
  }

  private void checkNext(long bytes) {
    if (written == checksums.length) {
      throw new IllegalStateException("all " + written + " experts are written");
    }
    if (bytes != geometry.recordBytes()) {
      throw new IllegalArgumentException(
          "record of %d bytes, expected %d".formatted(bytes, geometry.recordBytes()));
    }
  }

  private void put(CRC32C crc, ByteBuffer bytes) throws IOException {
    crc.update(bytes.duplicate());
    out.write(bytes);
  }

  private void endRecord(CRC32C crc) throws IOException {
    int padding = Math.toIntExact(geometry.recordStride() - geometry.recordBytes());
    put(crc, ByteBuffer.allocate(padding));
    checksums[written++] = (int) crc.getValue();
  }

  /** Writes the header and makes the file appear under its name. */
  public void finish() throws IOException {
    if (written != checksums.length) {
      throw new IllegalStateException(written + " of " + checksums.length + " experts written");
    }
    out.overwrite(0, header());
    out.commit();
  }

  private ByteBuffer header() {
    ByteBuffer header =
        ByteBuffer.allocate(Math.toIntExact(geometry.dataStart())).order(ByteOrder.LITTLE_ENDIAN);
    header.putInt(ExpertFile.MAGIC).putInt(ExpertFile.VERSION).putInt(geometry.headerBytes());
    header.putInt(layer).putInt(checksums.length).putInt(matrices.size());
    header.putInt(geometry.alignment()).putInt(0);
    header.putLong(geometry.recordBytes()).putLong(geometry.recordStride());
    header.putLong(geometry.dataStart());
    matrices.forEach(matrix -> putMatrix(header, matrix));
    for (int checksum : checksums) {
      header.putInt(checksum);
    }
    CRC32C crc = new CRC32C();
    crc.update(header.array(), 0, header.position());
    header.putInt(ExpertFile.mask((int) crc.getValue()));
    return header.clear();
  }

  private static void putMatrix(ByteBuffer header, ExpertMatrix matrix) {
    header.putInt(matrix.role().ordinal()).putInt(matrix.rows()).putInt(matrix.cols());
    header.putInt(matrix.scheme().isPresent() ? ExpertFile.QUANTIZED : ExpertFile.DENSE);
    header.putLong(matrix.offset()).putLong(matrix.bytes());
    matrix.scheme().ifPresent(scheme -> putScheme(header, scheme, matrix));
    matrix.dense().ifPresent(dtype -> header.putLong(dtype.ordinal()));
    header.putInt(matrix.codebook().length).putInt(matrix.scaleTable().length);
    for (float level : matrix.codebook()) {
      header.putFloat(level);
    }
    for (float scale : matrix.scaleTable()) {
      header.putFloat(scale);
    }
  }

  private static void putScheme(ByteBuffer header, QuantScheme scheme, ExpertMatrix matrix) {
    int flags =
        (scheme.rotated() ? ExpertFile.ROTATED_FLAG : 0) | (scheme.qjl() ? ExpertFile.QJL_FLAG : 0);
    header.put((byte) scheme.method().ordinal()).put((byte) scheme.bits());
    header.put((byte) scheme.groupSize()).put((byte) flags);
    TileLayout layout = scheme.layout(matrix.rows(), matrix.cols());
    header.put((byte) layout.scales().ordinal()).put((byte) layout.groupSize());
    header.put((byte) (layout.offsets() ? 1 : 0)).put((byte) layout.factorRows());
  }

  /** Deletes the part unless finished. */
  @Override
  public void close() throws IOException {
    out.close();
  }
}
