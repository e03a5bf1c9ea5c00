package dev.quern.converter.traces;

import dev.quern.format.DType;
import dev.quern.format.FloatConversion;
import dev.quern.format.FormatException;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.parquet.ParquetReadOptions;
import org.apache.parquet.column.ColumnDescriptor;
import org.apache.parquet.column.ColumnReader;
import org.apache.parquet.column.impl.ColumnReadStoreImpl;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.example.DummyRecordConverter;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.metadata.BlockMetaData;
import org.apache.parquet.io.LocalInputFile;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.Type;

/** Rows of one Parquet file, column by column into a batch. */
final class TraceFile implements Closeable {
  /** A row group is decoded in memory; what {@link LayerWriter} makes stays far below. */
  private static final long MAX_ROW_GROUP_BYTES = 1L << 30;

  private final Path path;
  private final TraceManifest manifest;
  private final ParquetFileReader reader;
  private final MessageType schema;
  private final Map<TraceColumn, ColumnDescriptor> descriptors = new EnumMap<>(TraceColumn.class);
  private final Map<TraceColumn, ColumnReader> open = new EnumMap<>(TraceColumn.class);
  private long left; // rows of the present row group

  private TraceFile(
      Path path, TraceManifest manifest, ParquetFileReader reader, Set<TraceColumn> columns)
      throws FormatException {
    this.path = path;
    this.manifest = manifest;
    this.reader = reader;
    MessageType found = reader.getFileMetaData().getSchema();
    List<Type> fields = new ArrayList<>();
    for (TraceColumn column : columns) {
      Type expected = TraceSchema.field(column);
      if (!found.containsField(column.label())) {
        throw wrong("column '" + column.label() + "'", "one", "none");
      }
      Type type = found.getType(column.label());
      if (!type.equals(expected)) {
        throw wrong("type of column '" + column.label() + "'", oneLine(expected), oneLine(type));
      }
      fields.add(type);
    }
    schema = new MessageType("trace", fields);
    for (int i = 0; i < fields.size(); i++) {
      descriptors.put(TraceColumn.of(fields.get(i).getName()), schema.getColumns().get(i));
    }
    for (BlockMetaData group : reader.getRowGroups()) {
      if (group.getTotalByteSize() > MAX_ROW_GROUP_BYTES) {
        throw wrong(
            "bytes of a row group", "at most " + MAX_ROW_GROUP_BYTES, group.getTotalByteSize());
      }
    }
    reader.setRequestedSchema(schema);
  }

  private static String oneLine(Type type) {
    return type.toString().replaceAll("\\s+", " ");
  }

  static TraceFile open(Path path, TraceManifest manifest, Set<TraceColumn> columns)
      throws IOException {
    ParquetFileReader reader = null;
    try {
      reader =
          ParquetFileReader.open(
              new LocalInputFile(path),
              ParquetReadOptions.builder(new PlainParquetConfiguration())
                  .usePageChecksumVerification(true)
                  .build());
      return new TraceFile(path, manifest, reader, columns);
    } catch (FormatException e) {
      reader.close();
      throw e;
    } catch (IOException | RuntimeException e) {
      if (reader != null) {
        reader.close();
      }
      throw damaged(path, e);
    }
  }

  /**
   * Appends rows to the batch.
   *
   * @return how many; 0 at the end of the file
   */
  int read(TraceBatch batch) throws IOException {
    try {
      if (left == 0 && !nextRowGroup()) {
        return 0;
      }
      int rows = (int) Math.min(left, batch.capacity() - batch.rows);
      for (TraceColumn column : open.keySet()) {
        switch (column) {
          case DOCUMENT, WINDOW, POSITION, TOKEN -> integers(column, batch, rows);
          case INPUT, ENTERED, SCORES -> vectors(column, batch, rows);
          case EXPERTS, WEIGHTS -> lists(column, batch, rows);
        }
      }
      batch.rows += rows;
      left -= rows;
      return rows;
    } catch (FormatException e) {
      throw e;
    } catch (IOException | RuntimeException e) { // the library's answers to damage are many
      throw damaged(path, e);
    }
  }

  private boolean nextRowGroup() throws IOException {
    PageReadStore pages = reader.readNextRowGroup();
    if (pages == null) {
      return false;
    }
    left = pages.getRowCount();
    ColumnReadStoreImpl columns =
        new ColumnReadStoreImpl(
            pages,
            new DummyRecordConverter(schema).getRootConverter(),
            schema,
            reader.getFileMetaData().getCreatedBy());
    descriptors.forEach((column, descriptor) -> {
      ColumnReader values = columns.getColumnReader(descriptor);
      open.put(column, values);
    });
    for (Map.Entry<TraceColumn, ColumnReader> entry : open.entrySet()) {
      TraceColumn column = entry.getKey();
      long each = column.isVector() ? 1 : manifest.shape().width(column);
      long found = entry.getValue().getTotalValueCount();
      if (found != left * each) {
        throw wrong("values of column '" + column.label() + "'", left * each, found);
      }
    }
    return left > 0 || nextRowGroup();
  }

  private void integers(TraceColumn column, TraceBatch batch, int rows) throws FormatException {
    ColumnReader values = open.get(column);
    int[] out = batch.ints(column);
    int limit = column == TraceColumn.TOKEN ? manifest.model().vocabSize() : Integer.MAX_VALUE;
    for (int i = batch.rows; i < batch.rows + rows; i++) {
      int value = values.getInteger();
      values.consume();
      if (value < 0 || value >= limit) {
        throw wrong("column '" + column.label() + "'", "0 to " + (limit - 1), value);
      }
      out[i] = value;
    }
  }

  private void vectors(TraceColumn column, TraceBatch batch, int rows) throws FormatException {
    ColumnReader values = open.get(column);
    float[] out = batch.floats(column);
    int width = manifest.shape().width(column);
    for (int i = batch.rows; i < batch.rows + rows; i++) {
      ByteBuffer bytes = values.getBinary().toByteBuffer();
      if (bytes.remaining() != width * Short.BYTES) {
        throw wrong(
            "bytes of a value in column '" + column.label() + "'",
            width * Short.BYTES,
            bytes.remaining());
      }
      FloatConversion.toFloat(
          DType.F16, MemorySegment.ofBuffer(bytes), 0, out, Math.multiplyExact(i, width), width);
      values.consume();
    }
  }

  private void lists(TraceColumn column, TraceBatch batch, int rows) throws FormatException {
    ColumnReader values = open.get(column);
    int topK = manifest.shape().topK();
    int numExperts = manifest.shape().numExperts();
    boolean ids = column == TraceColumn.EXPERTS;
    for (int i = batch.rows; i < batch.rows + rows; i++) {
      for (int k = 0; k < topK; k++) {
        // A row begins with repetition level 0; an empty list has no value, definition level 0.
        if (values.getCurrentRepetitionLevel() != Math.min(k, 1)
            || values.getCurrentDefinitionLevel() != 1) {
          throw wrong("column '" + column.label() + "'", topK + " values in a row", "others");
        }
        if (ids) {
          int expert = values.getInteger();
          if (expert < 0 || expert >= numExperts) {
            throw wrong("column 'experts'", "0 to " + (numExperts - 1), expert);
          }
          batch.experts[i * topK + k] = expert;
        } else {
          batch.weights[i * topK + k] = values.getFloat();
        }
        values.consume();
      }
    }
  }

  private FormatException wrong(String what, Object expected, Object found) {
    return new FormatException(
        "%s: %s: expected %s, found %s. Collect the traces again"
            .formatted(path, what, expected, FormatException.quote(found)));
  }

  private static FormatException damaged(Path path, Exception e) {
    return new FormatException(
        "%s: not readable as Parquet: %s. Collect the traces again"
            .formatted(path, FormatException.quote(e.getMessage())),
        e);
  }

  @Override
  public void close() throws IOException {
    reader.close();
  }
}
