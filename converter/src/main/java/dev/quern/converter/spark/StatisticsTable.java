package dev.quern.converter.spark;

import dev.quern.converter.quantize.ErrorReport;
import dev.quern.converter.work.TensorStatistics;
import dev.quern.format.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** What quantization did to every tensor, as a DataFrame and as one Parquet file. */
public final class StatisticsTable {
  private static final StructType SCHEMA =
      DataTypes.createStructType(
          List.of(
              field("name", DataTypes.StringType),
              field("role", DataTypes.StringType),
              field("layer", DataTypes.IntegerType),
              field("expert", DataTypes.IntegerType),
              field("rows", DataTypes.IntegerType),
              field("cols", DataTypes.IntegerType),
              field("method", DataTypes.StringType),
              field("bits", DataTypes.IntegerType),
              field("bits_per_weight", DataTypes.DoubleType),
              field("relative_mse", DataTypes.DoubleType),
              field("cosine", DataTypes.DoubleType),
              field("max_error", DataTypes.DoubleType),
              nullable("kurtosis_before"),
              nullable("kurtosis_after"),
              field("bytes", DataTypes.LongType)));

  private StatisticsTable() {}

  private static StructField field(String name, DataType type) {
    return DataTypes.createStructField(name, type, false);
  }

  private static StructField nullable(String name) {
    return DataTypes.createStructField(name, DataTypes.DoubleType, true);
  }

  /** One row per tensor, sorted by layer, name; kurtosis is null where it was not measured. */
  public static Dataset<Row> dataFrame(SparkSession session, List<TensorStatistics> statistics) {
    List<Row> rows = statistics.stream().map(StatisticsTable::row).toList();
    return session
        .createDataFrame(rows, SCHEMA)
        .coalesce(1)
        .sortWithinPartitions("layer", "expert", "name");
  }

  private static Row row(TensorStatistics tensor) {
    ErrorReport report = tensor.report();
    return RowFactory.create(
        tensor.name(),
        tensor.role(),
        tensor.layer(),
        tensor.expert(),
        tensor.rows(),
        tensor.cols(),
        tensor.method(),
        tensor.bits(),
        report.bitsPerWeight(),
        report.relativeMse(),
        report.cosine(),
        report.maxError(),
        Double.isNaN(report.kurtosisBefore()) ? null : report.kurtosisBefore(),
        Double.isNaN(report.kurtosisAfter()) ? null : report.kurtosisAfter(),
        report.bytes());
  }

  /**
   * Writes the table as one file with one name; equal statistics give equal bytes.
   *
   * @param scratch a folder that does not exist yet, removed by the caller
   */
  public static void write(
      SparkSession session, List<TensorStatistics> statistics, Path scratch, Path file)
      throws IOException {
    dataFrame(session, statistics)
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
    AtomicFile.write(file, ParquetFooter.canonical(Files.readAllBytes(parts.getFirst())));
  }
}
