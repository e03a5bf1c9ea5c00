package dev.quern.converter.spark;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** Writes small tables of text and numbers as Parquet. */
public final class RecordTable {
  private RecordTable() {}

  /**
   * Writes one file; the columns are those of the first row, in its order.
   *
   * @param rows at least one; values are String, Integer, Long, Double or Boolean, and all rows
   *     have the same keys
   * @param scratch a folder for what Spark writes, removed by the caller
   * @throws IllegalArgumentException if a value is of another type
   */
  public static void write(String master, Path scratch, List<Map<String, Object>> rows, Path file)
      throws IOException {
    Map<String, Object> first = rows.getFirst();
    List<StructField> fields =
        first.entrySet().stream()
            .map(e -> DataTypes.createStructField(e.getKey(), type(e.getValue()), false))
            .toList();
    StructType schema = DataTypes.createStructType(fields);
    List<Row> table =
        rows.stream()
            .map(row -> RowFactory.create(first.keySet().stream().map(row::get).toArray()))
            .toList();
    try (SparkSessions.Lease lease = SparkSessions.lease(master, scratch)) {
      SingleFileParquet.write(
          lease.session().createDataFrame(table, schema).coalesce(1),
          scratch.resolve("table"),
          file);
    }
  }

  private static DataType type(Object value) {
    return switch (value) {
      case String _ -> DataTypes.StringType;
      case Integer _ -> DataTypes.IntegerType;
      case Long _ -> DataTypes.LongType;
      case Double _ -> DataTypes.DoubleType;
      case Boolean _ -> DataTypes.BooleanType;
      default -> throw new IllegalArgumentException("no column type for " + value.getClass());
    };
  }
}
