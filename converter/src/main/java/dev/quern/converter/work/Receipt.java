package dev.quern.converter.work;

import dev.quern.converter.quantize.ErrorReport;
import dev.quern.format.AtomicFile;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * Says that a file of a conversion is finished, and keeps its statistics. A receipt is written
 * after its file; a file without a valid receipt is written anew.
 *
 * <p>Layout, big-endian: magic, format version, item (modified UTF-8), bytes, crc32c, number of
 * reports, reports; at the end the CRC-32C of all that.
 *
 * @param item which piece of work
 * @param bytes of the file
 * @param crc32c of the file
 * @param reports one per quantized matrix, in the order of the item
 */
public record Receipt(String item, long bytes, int crc32c, List<ErrorReport> reports)
    implements Serializable {
  private static final int MAGIC = 0x51524350; // "QRCP"
  private static final int VERSION = 1;
  private static final int MAX_RECEIPT_BYTES = 64 << 20;
  private static final int REPORT_BYTES = 7 * Long.BYTES;
  private static final int PIECE_BYTES = 1 << 20;
  private static final String SUFFIX = ".receipt";

  public Receipt {
    reports = List.copyOf(reports);
  }

  /** Reads a file from end to end. */
  static Receipt of(String item, Path file, List<ErrorReport> reports) throws IOException {
    CRC32C crc = new CRC32C();
    long bytes = 0;
    ByteBuffer piece = ByteBuffer.allocateDirect(PIECE_BYTES);
    try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ)) {
      while (in.read(piece.clear()) >= 0) {
        bytes += piece.flip().remaining();
        crc.update(piece);
      }
    }
    return new Receipt(item, bytes, (int) crc.getValue(), reports);
  }

  /** Whether a file is there and is the one this receipt was written for. */
  boolean describes(Path file) throws IOException {
    if (!Files.isRegularFile(file) || Files.size(file) != bytes) {
      return false;
    }
    return of(item, file, reports).crc32c == crc32c;
  }

  static Path path(Path work, String item) {
    return work.resolve(item + SUFFIX);
  }

  void write(Path work) throws IOException {
    ByteArrayOutputStream bytesOut = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(bytesOut);
    out.writeInt(MAGIC);
    out.writeInt(VERSION);
    out.writeUTF(item);
    out.writeLong(bytes);
    out.writeInt(crc32c);
    out.writeInt(reports.size());
    for (ErrorReport report : reports) {
      out.writeLong(report.weights());
      out.writeDouble(report.relativeMse());
      out.writeDouble(report.cosine());
      out.writeDouble(report.maxError());
      out.writeDouble(report.kurtosisBefore());
      out.writeDouble(report.kurtosisAfter());
      out.writeLong(report.bytes());
    }
    out.writeInt(crc(bytesOut.toByteArray(), bytesOut.size()));
    AtomicFile.write(path(work, item), bytesOut.toByteArray());
  }

  /** The receipt of an item; empty if there is none or it is damaged. */
  static Optional<Receipt> read(Path work, String item) throws IOException {
    Path file = path(work, item);
    byte[] content;
    try {
      if (Files.size(file) > MAX_RECEIPT_BYTES) {
        return Optional.empty();
      }
      content = Files.readAllBytes(file);
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
    int end = content.length - Integer.BYTES;
    if (end < 0 || ByteBuffer.wrap(content).getInt(end) != crc(content, end)) {
      return Optional.empty();
    }
    DataInputStream in = new DataInputStream(new ByteArrayInputStream(content));
    if (in.readInt() != MAGIC || in.readInt() != VERSION || !in.readUTF().equals(item)) {
      return Optional.empty();
    }
    long bytes = in.readLong();
    int crc32c = in.readInt();
    int count = in.readInt();
    if (count < 0 || in.available() != (long) count * REPORT_BYTES + Integer.BYTES) {
      return Optional.empty();
    }
    List<ErrorReport> reports = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      reports.add(
          new ErrorReport(
              in.readLong(),
              in.readDouble(),
              in.readDouble(),
              in.readDouble(),
              in.readDouble(),
              in.readDouble(),
              in.readLong()));
    }
    return Optional.of(new Receipt(item, bytes, crc32c, reports));
  }

  private static int crc(byte[] content, int length) {
    CRC32C crc = new CRC32C();
    crc.update(content, 0, length);
    return (int) crc.getValue();
  }
}
