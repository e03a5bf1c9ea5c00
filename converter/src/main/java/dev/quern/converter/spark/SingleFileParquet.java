package dev.quern.converter.spark;

import dev.quern.converter.parquet.ParquetFooter;
import dev.quern.format.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;

/** Writes a DataFrame of one partition as one Parquet file with a name of our choice. */
final class SingleFileParquet {
  private SingleFileParquet() {}

  /**
   * @param table of one partition
   * @param scratch a folder for what Spark writes, removed by the caller
   */
  static void write(Dataset<Row> table, Path scratch, Path file) throws IOException {
    table
        .write()
        .mode(SaveMode.Overwrite)
        .option("compression", "zstd")
        .parquet(scratch.toUri().toString());
    List<Path> parts = new ArrayList<>();
    try (Stream<Path> written = Files.list(scratch)) {
      written.filter(path -> path.toString().endsWith(".parquet")).forEach(parts::add);
    }
    if (parts.size() != 1) {
      throw new IOException(scratch + ": Spark wrote " + parts.size() + " files, expected one");
    }
    Files.createDirectories(file.toAbsolutePath().getParent());
    ParquetFooter.makeCanonical(parts.getFirst());
    AtomicFile.write(file, Files.readAllBytes(parts.getFirst()));
  }
}
