package dev.quern.format;

import dev.quern.kernels.TileLayout;
import dev.quern.quant.QuantScheme;
import dev.quern.system.MappedPages;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * The routed experts of one MoE layer, memory-mapped: a header, then one record per expert with all
 * its matrices. Byte by byte in {@code docs/format-expert.md}.
 */
public final class ExpertFile implements AutoCloseable {
  /** "QEXP". */
  static final int MAGIC = 'Q' | 'E' << 8 | 'X' << 16 | 'P' << 24;

  static final int VERSION = 2;

  /** Bytes before the first matrix descriptor. */
  static final int FIXED_BYTES = 56;

  /** Bytes of a matrix descriptor without codebook and scale table. */
  static final int DESCRIPTOR_BYTES = 48;

  static final int QUANTIZED = 0;
  static final int DENSE = 1;
  static final int ROTATED_FLAG = 1;
  static final int QJL_FLAG = 2;

  /** So that one direct read brings a record. */
  static final int PAGE_BYTES = 4096;

  /** Of records and the first of them where padding to pages costs too much: a cache line. */
  static final int LINE_BYTES = 64;

  /** Padding to pages may cost this fraction, a record's and the header's alike. */
  static final int MAX_PADDING_FRACTION = 128;

  /** Layers of a model, and experts of a layer, that a file can state. */
  static final int MAX_LAYER = (1 << 16) - 1;

  static final int MAX_EXPERTS = 1 << 16;

  /** 16 levels of 4 bits, 16 scales. */
  private static final int MAX_TABLE = 16;

  private static final int MAX_MATRICES = ExpertMatrix.Role.values().length;

  private final Header header;
  private final Arena arena;
  private final MemorySegment bytes;

  private ExpertFile(Header header, Arena arena, MemorySegment bytes) {
    this.header = header;
    this.arena = arena;
    this.bytes = bytes;
  }

  /**
   * What a file says of itself.
   *
   * @param alignment records begin at multiples of this from dataStart
   * @param recordStride from one record to the next
   * @param checksums CRC32C of each record with its padding
   */
  record Header(
      Path file,
      int layer,
      int experts,
      int alignment,
      long recordBytes,
      long recordStride,
      long dataStart,
      List<ExpertMatrix> matrices,
      int[] checksums) {

    long fileBytes() {
      return dataStart + experts * recordStride;
    }
  }

  /** Sizes that follow from the matrices and the number of experts: the one rule for both sides. */
  record Geometry(
      int headerBytes, int alignment, long recordBytes, long recordStride, long dataStart) {
    static Geometry of(List<ExpertMatrix> matrices, int experts) {
      long headerBytes = FIXED_BYTES + (experts + 1L) * Integer.BYTES;
      for (ExpertMatrix matrix : matrices) {
        headerBytes += DESCRIPTOR_BYTES;
        headerBytes += (long) Float.BYTES * matrix.codebook().length;
        headerBytes += (long) Float.BYTES * matrix.scaleTable().length;
      }
      long recordBytes = ExpertMatrix.recordBytes(matrices);
      int alignment = fitsPages(recordBytes, recordBytes) ? PAGE_BYTES : LINE_BYTES;
      long stride = roundUp(recordBytes, alignment);
      long dataBytes = Math.multiplyExact(stride, (long) experts);
      boolean pageHeader = alignment == PAGE_BYTES && fitsPages(headerBytes, dataBytes);
      long dataStart = roundUp(headerBytes, pageHeader ? PAGE_BYTES : LINE_BYTES);
      return new Geometry(Math.toIntExact(headerBytes), alignment, recordBytes, stride, dataStart);
    }

    private static boolean fitsPages(long bytes, long whole) {
      return (roundUp(bytes, PAGE_BYTES) - bytes) * MAX_PADDING_FRACTION <= whole;
    }

    private static long roundUp(long bytes, int multiple) {
      return Math.ceilDiv(bytes, multiple) * multiple;
    }
  }

  /**
   * Maps a file after checking its header against its checksum, its length and itself. Records are
   * not read; see {@link #verify}.
   *
   * @throws FormatException if anything does not fit
   */
  public static ExpertFile open(Path file) throws IOException {
    Header header;
    try (FileCursor in = FileCursor.open(file)) {
      header = new HeaderReader(file, in).read();
    }
    Arena arena = Arena.ofShared();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      MemorySegment bytes =
          channel.map(FileChannel.MapMode.READ_ONLY, 0, header.fileBytes(), arena);
      return new ExpertFile(header, arena, bytes);
    } catch (Throwable e) {
      arena.close();
      throw e;
    }
  }

  public Path file() {
    return header.file;
  }

  public int layer() {
    return header.layer;
  }

  public int numExperts() {
    return header.experts;
  }

  /** In the order in which they lie in a record. */
  public List<ExpertMatrix> matrices() {
    return header.matrices;
  }

  public ExpertMatrix matrix(ExpertMatrix.Role role) {
    return header.matrices.stream()
        .filter(matrix -> matrix.role() == role)
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException(header.file + " has no " + role));
  }

  /** Bytes of one record, its padding excluded. */
  public long recordBytes() {
    return header.recordBytes;
  }

  /** Of the record in the file; with {@link #recordStride} what a direct read needs. */
  public long recordOffset(int expert) {
    Objects.checkIndex(expert, header.experts);
    return header.dataStart + expert * header.recordStride;
  }

  /** Bytes from one record to the next, a multiple of 4096 for all but tiny models. */
  public long recordStride() {
    return header.recordStride;
  }

  /** For records that are used in place: {@link MappedPages#preferHuge}. */
  public void preferHugePages() {
    MappedPages.preferHuge(bytes);
  }

  /** All matrices of one expert, in place in the mapped file; valid until {@link #close}. */
  public MemorySegment record(int expert) {
    return bytes.asSlice(recordOffset(expert), header.recordBytes);
  }

  /** One matrix of one expert, in place in the mapped file. */
  public MemorySegment data(int expert, ExpertMatrix matrix) {
    return record(expert).asSlice(matrix.offset(), matrix.bytes());
  }

  /** One record with its padding, in place in the mapped file. */
  public MemorySegment paddedRecord(int expert) {
    return bytes.asSlice(recordOffset(expert), header.recordStride);
  }

  /**
   * Reads one record and compares it with its checksum.
   *
   * @throws FormatException if it is damaged
   */
  public void verify(int expert) throws FormatException {
    verify(expert, paddedRecord(expert));
  }

  /**
   * Compares a record that was read elsewhere with its checksum.
   *
   * @param padded {@link #recordStride} bytes
   * @throws FormatException if it is damaged
   */
  public void verify(int expert, MemorySegment padded) throws FormatException {
    CRC32C crc = new CRC32C();
    for (long at = 0; at < padded.byteSize(); at += 1 << 30) {
      long length = Math.min(1 << 30, padded.byteSize() - at);
      crc.update(padded.asSlice(at, length).asByteBuffer());
    }
    checkRecord(header, expert, (int) crc.getValue());
  }

  static void checkRecord(Header header, int expert, int found) throws FormatException {
    if (found != header.checksums[expert]) {
      throw FormatException.of(
          header.file,
          "expert " + expert,
          "CRC32C",
          "%08x".formatted(header.checksums[expert]),
          "%08x".formatted(found),
          "The record is damaged: convert again.");
    }
  }

  /**
   * The header's checksum as it is stored. A CRC taken over bytes that end in their own CRC is a
   * constant: the file's checksum in the manifest would not see the header.
   *
   * <p>Source: LevelDB, {@code util/crc32c.h}, "Mask".
   */
  static int mask(int crc) {
    return Integer.rotateRight(crc, 15) + 0xA282EAD8;
  }

  Header header() {
    return header;
  }

  /** Unmaps the file; segments handed out become invalid. */
  @Override
  public void close() {
    arena.close();
  }

  /** Reads and checks a header; allocates no more than the file holds. */
  private static final class HeaderReader {
    private final Path file;
    private final FileCursor in;

    HeaderReader(Path file, FileCursor in) {
      this.file = file;
      this.in = in;
    }

    Header read() throws IOException {
      int magic = in.readInt();
      check(magic == MAGIC, "magic", "\"QEXP\"", "%08x".formatted(magic), "Is it a .qexp file?");
      int version = in.readInt();
      if (version != VERSION) {
        String advice =
            Integer.compareUnsigned(version, VERSION) < 0
                ? "The file is too old for this quern: convert the model again."
                : "The file is too new for this quern: update quern.";
        check(false, "version", VERSION, Integer.toUnsignedString(version), advice);
      }
      long headerBytes = Integer.toUnsignedLong(in.readInt());
      long smallest = FIXED_BYTES + DESCRIPTOR_BYTES + 2L * Integer.BYTES;
      check(
          headerBytes >= smallest && headerBytes <= in.fileBytes(),
          "header length",
          smallest + " to " + in.fileBytes(),
          headerBytes,
          "Is it complete?");
      checkChecksum(headerBytes);
      int layer = readBetween("layer", 0, MAX_LAYER);
      int experts = readBetween("experts", 1, MAX_EXPERTS);
      int count = readBetween("matrices", 1, MAX_MATRICES);
      int alignment = in.readInt();
      checkZero(in.readInt());
      long recordBytes = in.readLong();
      long stride = in.readLong();
      long dataStart = in.readLong();
      List<ExpertMatrix> matrices = readMatrices(count);
      long needed = ExpertMatrix.recordBytes(matrices);
      check( // before it is multiplied by the experts
          needed <= in.fileBytes(), "file length", "over " + needed, in.fileBytes(), "");
      Geometry expected = Geometry.of(matrices, experts);
      Geometry found = new Geometry((int) headerBytes, alignment, recordBytes, stride, dataStart);
      check(expected.equals(found), "sizes", expected, found, "");
      int[] checksums = new int[experts];
      for (int e = 0; e < experts; e++) {
        checksums[e] = in.readInt();
      }
      Header header =
          new Header(
              file, layer, experts, alignment, recordBytes, stride, dataStart, matrices, checksums);
      check(
          header.fileBytes() == in.fileBytes(),
          "file length",
          header.fileBytes(),
          in.fileBytes(),
          "Is it complete?");
      in.readInt(); // its own checksum, compared above
      while (in.position() < dataStart) {
        checkZero(in.readUnsignedByte());
      }
      return header;
    }

    private void checkChecksum(long headerBytes) throws IOException {
      long end = headerBytes - Integer.BYTES;
      int expected = mask(in.crc32c(0, end));
      int found = in.intAt(end);
      check(
          expected == found,
          "CRC32C of the header",
          "%08x".formatted(expected),
          "%08x".formatted(found),
          "The header is damaged: convert again.");
    }

    private List<ExpertMatrix> readMatrices(int count) throws IOException {
      List<ExpertMatrix> matrices = new ArrayList<>();
      long offset = 0;
      for (int i = 0; i < count; i++) {
        long start = in.position();
        ExpertMatrix matrix;
        try {
          matrix = readMatrix();
        } catch (IllegalArgumentException | ArithmeticException e) {
          throw new FormatException(
              "%s, byte %d: matrix %d: %s".formatted(file.getFileName(), start, i, e.getMessage()),
              e);
        }
        check(matrix.offset() == offset, "offset of matrix " + i, offset, matrix.offset(), "");
        for (ExpertMatrix before : matrices) {
          check(before.role() != matrix.role(), "role", "each once", matrix.role(), "");
        }
        offset += matrix.bytes();
        matrices.add(matrix);
      }
      return List.copyOf(matrices);
    }

    private ExpertMatrix readMatrix() throws IOException {
      ExpertMatrix.Role role = ExpertMatrix.Role.values()[readBetween("role", 0, MAX_MATRICES - 1)];
      int rows = readBetween("rows", 1, ExpertMatrix.MAX_DIMENSION);
      int cols = readBetween("cols", 1, ExpertMatrix.MAX_DIMENSION);
      int storage = readBetween("storage", QUANTIZED, DENSE);
      long offset = in.readLong();
      long bytes = in.readLong();
      Optional<QuantScheme> scheme = Optional.empty();
      Optional<DType> dense = Optional.empty();
      if (storage == QUANTIZED) {
        scheme = Optional.of(readScheme(rows, cols));
      } else {
        dense = Optional.of(readDType());
      }
      float[] codebook = new float[readBetween("levels", 0, MAX_TABLE)];
      float[] scaleTable = new float[readBetween("scales", 0, MAX_TABLE)];
      readFloats(codebook);
      readFloats(scaleTable);
      return new ExpertMatrix(role, rows, cols, scheme, dense, codebook, scaleTable, offset, bytes);
    }

    private QuantScheme readScheme(int rows, int cols) throws IOException {
      int method = in.readUnsignedByte();
      QuantScheme.Method[] methods = QuantScheme.Method.values();
      check(method < methods.length, "method", "below " + methods.length, method, "");
      int bits = in.readUnsignedByte();
      int group = in.readUnsignedByte();
      int flags = in.readUnsignedByte();
      check((flags & ~(ROTATED_FLAG | QJL_FLAG)) == 0, "flags", "0 to 3", flags, "");
      boolean rotated = (flags & ROTATED_FLAG) != 0;
      boolean qjl = (flags & QJL_FLAG) != 0;
      QuantScheme scheme = new QuantScheme(methods[method], bits, group, rotated, qjl);
      TileLayout layout = scheme.layout(rows, cols);
      String expected = describe(layout);
      String found =
          "scales %d, groups of %d, offsets %d, factor per %d rows"
              .formatted(
                  in.readUnsignedByte(),
                  in.readUnsignedByte(),
                  in.readUnsignedByte(),
                  in.readUnsignedByte());
      check(expected.equals(found), "layout", expected, found, "");
      return scheme;
    }

    private static String describe(TileLayout layout) {
      return "scales %d, groups of %d, offsets %d, factor per %d rows"
          .formatted(
              layout.scales().ordinal(),
              layout.groupSize(),
              layout.offsets() ? 1 : 0,
              layout.factorRows());
    }

    private DType readDType() throws IOException {
      int code = in.readUnsignedByte();
      DType[] types = DType.values();
      check(code < types.length, "dtype", "below " + types.length, code, "");
      for (int i = 0; i < 7; i++) {
        checkZero(in.readUnsignedByte());
      }
      return types[code];
    }

    private void readFloats(float[] values) throws IOException {
      for (int i = 0; i < values.length; i++) {
        values[i] = in.readFloat();
      }
    }

    private int readBetween(String what, int from, int to) throws IOException {
      int value = in.readInt();
      check(
          value >= from && value <= to,
          what,
          from + " to " + to,
          Integer.toUnsignedString(value),
          "");
      return value;
    }

    private void checkZero(int value) throws IOException {
      check(value == 0, "padding", 0, value, "");
    }

    private void check(boolean holds, String what, Object expected, Object found, String advice)
        throws IOException {
      if (!holds) {
        throw in.failure(in.position(), what, expected, found, advice);
      }
    }
  }
}
