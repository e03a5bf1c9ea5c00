package dev.quern.converter.spark;

import dev.quern.converter.quantize.ErrorReport;
import dev.quern.converter.work.TensorStatistics;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
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

  /** Reads what {@link #write} wrote, in its order. */
  public static List<TensorStatistics> read(String master, Path scratch, Path file) {
    try (SparkSessions.Lease lease = SparkSessions.lease(master, scratch)) {
      return lease
          .session()
          .read()
          .schema(SCHEMA)
          .parquet(file.toUri().toString())
          .collectAsList()
          .stream()
          .map(StatisticsTable::statistics)
          .toList();
    }
  }

  private static TensorStatistics statistics(Row row) {
    int rows = row.<Integer>getAs("rows");
    int cols = row.<Integer>getAs("cols");
    return new TensorStatistics(
        row.getAs("name"),
        row.getAs("role"),
        row.<Integer>getAs("layer"),
        row.<Integer>getAs("expert"),
        rows,
        cols,
        row.getAs("method"),
        row.<Integer>getAs("bits"),
        new ErrorReport(
            (long) rows * cols,
            row.<Double>getAs("relative_mse"),
            row.<Double>getAs("cosine"),
            row.<Double>getAs("max_error"),
            orNaN(row.getAs("kurtosis_before")),
            orNaN(row.getAs("kurtosis_after")),
            row.<Long>getAs("bytes")));
  }

  private static double orNaN(Double value) {
    return value == null ? Double.NaN : value;
  }

  /**
   * Writes the table as one file with one name; equal statistics give equal bytes.
   *
   * @param scratch a folder that does not exist yet, removed by the caller
   */
  public static void write(
      SparkSession session, List<TensorStatistics> statistics, Path scratch, Path file)
      throws IOException {
    SingleFileParquet.write(dataFrame(session, statistics), scratch, file);
  }
}
