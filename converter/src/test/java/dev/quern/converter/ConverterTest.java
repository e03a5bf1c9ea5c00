package dev.quern.converter;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.converter.plan.Precision;
import dev.quern.converter.work.ProgressListener;
import dev.quern.format.PackManifest;
import dev.quern.format.PackVerifier;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConverterTest {
  static final Path TINY_MOE = Path.of("../datasets/tiny-moe/model");

  @TempDir private Path folder;

  private static ConvertOptions options(Path out, Precision precision, String master) {
    return new ConvertOptions(TINY_MOE, out, precision, master, true, false, 1 << 20);
  }

  private static void assertVerifies(Path pack) throws IOException {
    List<String> problems = new ArrayList<>();
    PackVerifier.verify(pack, (record, message) -> problems.add(record + ": " + message));
    assertEquals(List.of(), problems);
  }

  @Test
  void samePackFromOneTaskAndFromTwo() throws IOException {
    Precision precision = Precision.experts(Precision.Method.TURBO, 3);
    Path one = folder.resolve("one");
    Path two = folder.resolve("two");
    ConvertResult result =
        Converter.convert(options(one, precision, "local[1]"), ProgressListener.SILENT);
    Converter.convert(options(two, precision, "local[2]"), ProgressListener.SILENT);
    assertEquals(ConvertResult.Outcome.CONVERTED, result.outcome());
    assertVerifies(one);
    assertEquals(
        -1,
        java.nio.file.Files.mismatch(
            one.resolve("stats/tensors.parquet"), two.resolve("stats/tensors.parquet")));
    assertEquals(PackManifest.read(one), PackManifest.read(two));
    assertTrue(result.meanRelativeMse() < 0.03, "relative MSE " + result.meanRelativeMse());
  }
}
