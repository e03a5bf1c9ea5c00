package dev.quern.converter.parquet;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.apache.parquet.format.ColumnChunk;
import org.apache.parquet.format.Encoding;
import org.apache.parquet.format.FileMetaData;
import org.apache.parquet.format.RowGroup;
import org.apache.parquet.format.Util;

/**
 * Makes Parquet files with equal contents equal in bytes. The footer lists the encodings of a
 * column in the order of a hash set of enum constants, which changes from JVM to JVM; here they are
 * sorted.
 *
 * <p>Layout of a file: data, footer in Thrift's compact protocol, its length (u32, little-endian),
 * "PAR1". Source: github.com/apache/parquet-format, README, "File format".
 */
public final class ParquetFooter {
  private static final int TAIL_BYTES = Integer.BYTES + 4;

  private ParquetFooter() {}

  /** Gives a file that was just written a footer in canonical order. */
  public static void makeCanonical(Path file) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      long end = channel.size() - TAIL_BYTES;
      ByteBuffer tail = read(channel, end, TAIL_BYTES);
      int footerBytes = tail.getInt(0);
      long start = end - footerBytes;
      byte[] footer = canonical(read(channel, start, footerBytes).array());
      ByteBuffer rest = ByteBuffer.allocate(footer.length + TAIL_BYTES);
      rest.order(ByteOrder.LITTLE_ENDIAN).put(footer).putInt(footer.length);
      rest.put(tail.array(), Integer.BYTES, 4).flip();
      while (rest.hasRemaining()) {
        start += channel.write(rest, start);
      }
      channel.truncate(start);
      channel.force(true);
    }
  }

  private static ByteBuffer read(FileChannel channel, long at, int bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    while (buffer.hasRemaining()) {
      if (channel.read(buffer, at + buffer.position()) < 0) {
        throw new IOException("a Parquet file ended while its footer was read");
      }
    }
    return buffer;
  }

  /** The same footer with the encodings of its columns in a fixed order. */
  public static byte[] canonical(byte[] bytes) throws IOException {
    FileMetaData footer = Util.readFileMetaData(new ByteArrayInputStream(bytes));
    for (RowGroup group : footer.getRow_groups()) {
      for (ColumnChunk column : group.getColumns()) {
        List<Encoding> encodings = new ArrayList<>(column.getMeta_data().getEncodings());
        encodings.sort(null);
        column.getMeta_data().setEncodings(encodings);
      }
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream(bytes.length);
    Util.writeFileMetaData(footer, out);
    return out.toByteArray();
  }
}
