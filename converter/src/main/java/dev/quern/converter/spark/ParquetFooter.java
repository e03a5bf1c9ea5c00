package dev.quern.converter.spark;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
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
final class ParquetFooter {
  private static final int TAIL_BYTES = Integer.BYTES + 4;

  private ParquetFooter() {}

  /** The same file with a footer in canonical order. */
  static byte[] canonical(byte[] file) throws IOException {
    ByteBuffer buffer = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    int footerBytes = buffer.getInt(file.length - TAIL_BYTES);
    int start = file.length - TAIL_BYTES - footerBytes;
    FileMetaData footer = Util.readFileMetaData(new ByteArrayInputStream(file, start, footerBytes));
    for (RowGroup group : footer.getRow_groups()) {
      for (ColumnChunk column : group.getColumns()) {
        List<Encoding> encodings = new ArrayList<>(column.getMeta_data().getEncodings());
        encodings.sort(null);
        column.getMeta_data().setEncodings(encodings);
      }
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream(file.length);
    out.write(file, 0, start);
    Util.writeFileMetaData(footer, out);
    ByteBuffer tail = ByteBuffer.allocate(TAIL_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    tail.putInt(out.size() - start).put(file, file.length - 4, 4);
    out.write(tail.array());
    return out.toByteArray();
  }
}
