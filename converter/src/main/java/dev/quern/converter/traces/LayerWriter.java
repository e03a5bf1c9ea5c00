package dev.quern.converter.traces;

import dev.quern.converter.parquet.ParquetFooter;
import dev.quern.format.AtomicFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroup;
import org.apache.parquet.hadoop.ParquetFileWriter;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.LocalOutputFile;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.schema.MessageType;

/**
 * The rows of one layer in one part, written as they come. Under its name the file appears when it
 * is complete; equal rows give equal bytes.
 */
final class LayerWriter implements Closeable {
  /** Rows in memory before they go to disk, of all layers of a task together. */
  private static final long BUFFERED_BYTES = 64 << 20;

  private static final long MIN_ROW_GROUP_BYTES = 256 << 10;
  private static final int PAGE_BYTES = 256 << 10;

  /** Float16 vectors lose 8 to 15 % at any level, and this one is the fastest. */
  private static final String ZSTD_LEVEL = "1";

  private final Path file;
  private final Path partial;
  private final MessageType schema;
  private final ParquetWriter<Group> writer;
  private boolean complete;

  LayerWriter(Path file, TraceShape shape) throws IOException {
    this.file = file;
    partial = file.resolveSibling(file.getFileName() + AtomicFile.PART_SUFFIX);
    schema = TraceSchema.of(shape.columns());
    Files.createDirectories(file.toAbsolutePath().getParent());
    PlainParquetConfiguration codec = new PlainParquetConfiguration();
    codec.set("parquet.compression.codec.zstd.level", ZSTD_LEVEL);
    ExampleParquetWriter.Builder builder =
        ExampleParquetWriter.builder(new LocalOutputFile(partial))
            .withConf(codec)
            .withType(schema)
            .withWriteMode(ParquetFileWriter.Mode.OVERWRITE)
            .withCompressionCodec(CompressionCodecName.ZSTD)
            .withRowGroupSize(Math.max(MIN_ROW_GROUP_BYTES, BUFFERED_BYTES / shape.layers().size()))
            .withPageSize(PAGE_BYTES)
            .withPageWriteChecksumEnabled(true);
    for (TraceColumn column : TraceColumn.OPTIONAL) {
      // The smallest and the largest vector tell nothing, and comparing costs as much as writing.
      builder
          .withDictionaryEncoding(column.label(), false)
          .withStatisticsEnabled(column.label(), false);
    }
    builder.withDictionaryEncoding(TraceColumn.WEIGHTS.label() + ".list.element", false);
    writer = builder.build();
  }

  /** An empty row of this file. */
  Row row() {
    return new Row(new SimpleGroup(schema));
  }

  void write(Row row) throws IOException {
    writer.write(row.group);
  }

  /** Makes the file appear. */
  void finish() throws IOException {
    writer.close();
    ParquetFooter.makeCanonical(partial);
    Files.move(partial, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    complete = true;
  }

  /** Deletes what is not finished. */
  @Override
  public void close() throws IOException {
    if (!complete) {
      try {
        writer.close();
      } finally {
        Files.deleteIfExists(partial);
      }
    }
  }

  /** The values of one token in one layer, set column by column in any order. */
  static final class Row {
    private final SimpleGroup group;

    private Row(SimpleGroup group) {
      this.group = group;
    }

    void put(TraceColumn column, int value) {
      group.add(column.label(), value);
    }

    /** Bytes that stay as they are until the row is written. */
    void put(TraceColumn column, byte[] bytes, int from, int length) {
      group.add(column.label(), Binary.fromReusedByteArray(bytes, from, length));
    }

    void put(TraceColumn column, int[] values, int from, int count) {
      Group list = group.addGroup(column.label());
      for (int i = from; i < from + count; i++) {
        list.addGroup(0).add(0, values[i]);
      }
    }

    void put(TraceColumn column, float[] values, int from, int count) {
      Group list = group.addGroup(column.label());
      for (int i = from; i < from + count; i++) {
        list.addGroup(0).add(0, values[i]);
      }
    }
  }
}
