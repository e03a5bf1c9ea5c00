package dev.quern.converter.spark;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.converter.SharedSpark;
import dev.quern.converter.parquet.ParquetFooter;
import dev.quern.converter.quantize.ErrorReport;
import dev.quern.converter.work.TensorStatistics;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.parquet.format.ColumnChunk;
import org.apache.parquet.format.Encoding;
import org.apache.parquet.format.FileMetaData;
import org.apache.parquet.format.Util;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StatisticsTableTest {
  @TempDir private Path folder;
  private SparkSession session;

  @BeforeEach
  void setUp() {
    SharedSpark.start();
    session = SparkSession.getDefaultSession().get();
  }

  private static TensorStatistics expert(int layer, int expert, double kurtosis) {
    ErrorReport report =
        new ErrorReport(4096, 0.021 + expert * 1e-4, 0.9894, 0.2, kurtosis, kurtosis, 1664);
    String name = "model.layers.%d.mlp.experts.%d.up_proj.weight".formatted(layer, expert);
    return new TensorStatistics(name, "experts.up", layer, expert, 64, 64, "lloyd_u4", 3, report);
  }

  @Test
  void rowsComeBackSortedWithNullsForUnmeasuredKurtosis() throws IOException {
    List<TensorStatistics> statistics =
        List.of(expert(1, 0, 0.5), expert(0, 10, Double.NaN), expert(0, 9, 0.25));
    Path file = folder.resolve("stats/tensors.parquet");
    StatisticsTable.write(session, statistics, folder.resolve("scratch"), file);
    List<Row> rows = session.read().parquet(file.toString()).collectAsList();
    assertEquals(
        List.of("0/9", "0/10", "1/0"),
        rows.stream().map(row -> row.getAs("layer") + "/" + row.getAs("expert")).toList());
    assertEquals(0.25, rows.get(0).<Double>getAs("kurtosis_before"));
    assertTrue(rows.get(1).isNullAt(rows.get(1).fieldIndex("kurtosis_after")));
    assertEquals(1664 * 8 / 4096.0, rows.get(2).<Double>getAs("bits_per_weight"));
  }

  @Test
  void orderOfStatisticsDoesNotShow() throws IOException {
    List<TensorStatistics> statistics = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      statistics.add(expert(i / 100, i % 100, i));
    }
    Path one = folder.resolve("one.parquet");
    Path two = folder.resolve("two.parquet");
    StatisticsTable.write(session, statistics, folder.resolve("a"), one);
    StatisticsTable.write(session, statistics.reversed(), folder.resolve("b"), two);
    assertEquals(-1, Files.mismatch(one, two));
  }

  @Test
  void encodingsOfAFooterAreSorted() throws IOException {
    Path file = folder.resolve("tensors.parquet");
    StatisticsTable.write(session, List.of(expert(0, 0, 1)), folder.resolve("scratch"), file);
    byte[] canonical = Files.readAllBytes(file);
    Path reversed = folder.resolve("reversed.parquet");
    Files.write(reversed, withEncodingsReversed(canonical));
    ParquetFooter.makeCanonical(reversed);
    assertArrayEquals(canonical, Files.readAllBytes(reversed));
  }

  private static byte[] withEncodingsReversed(byte[] file) throws IOException {
    ByteBuffer tail = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    int footerBytes = tail.getInt(file.length - 8);
    int start = file.length - 8 - footerBytes;
    FileMetaData footer = Util.readFileMetaData(new ByteArrayInputStream(file, start, footerBytes));
    int several = 0;
    for (ColumnChunk column : footer.getRow_groups().getFirst().getColumns()) {
      List<Encoding> encodings = column.getMeta_data().getEncodings();
      several += encodings.size() > 1 ? 1 : 0;
      Collections.reverse(encodings);
    }
    assertTrue(several > 0, "no column has several encodings");
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(file, 0, start);
    Util.writeFileMetaData(footer, out);
    out.write(file, file.length - 8, 8);
    return out.toByteArray();
  }
}
