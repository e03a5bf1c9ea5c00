package dev.quern.converter.traces;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.format.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Folders of traces as they should not be. */
class TraceReaderTest {
  private static final int LAYER = 1;
  private static final int ROWS = 500;
  private static final int HIDDEN = 8;
  private static final int EXPERTS = 4;
  private static final int TOP_K = 2;
  private static final Set<TraceColumn> ALL = Set.of(TraceColumn.values());
  private static final TraceShape SHAPE =
      new TraceShape(List.of(LAYER), HIDDEN, EXPERTS, TOP_K, ALL);

  @TempDir private Path folder;

  @BeforeEach
  void writeTraces() throws IOException {
    manifest(ROWS).write(folder);
    write(SHAPE, ROWS, 100);
  }

  private static TraceManifest manifest(int rows) {
    return new TraceManifest(
        new TraceManifest.Model("m", "f", "qwen3_moe", 2, 100),
        new TraceManifest.Dataset("d", "s", 1),
        SHAPE,
        "<end>",
        rows,
        false,
        new SplitRule.Whole(Split.VALID),
        Map.of(Split.VALID, new TraceManifest.Count(1, 1, rows, 1)));
  }

  private Path file() {
    return folder.resolve(TracePart.path(Split.VALID, LAYER, 0));
  }

  /** Row i: token i modulo a limit, experts i and i + 1, vectors of i. */
  private void write(TraceShape shape, int rows, int tokenLimit) throws IOException {
    try (LayerWriter writer = new LayerWriter(file(), shape)) {
      for (int i = 0; i < rows; i++) {
        LayerWriter.Row row = writer.row();
        row.put(TraceColumn.DOCUMENT, 0);
        row.put(TraceColumn.WINDOW, 0);
        row.put(TraceColumn.POSITION, i);
        row.put(TraceColumn.TOKEN, i % tokenLimit);
        for (TraceColumn column : TraceColumn.OPTIONAL) {
          if (shape.columns().contains(column)) {
            byte[] bytes = new byte[shape.width(column) * Short.BYTES];
            short half = Float.floatToFloat16(i);
            for (int b = 0; b < bytes.length; b += 2) {
              bytes[b] = (byte) half;
              bytes[b + 1] = (byte) (half >> 8);
            }
            row.put(column, bytes, 0, bytes.length);
          }
        }
        int experts = shape.numExperts();
        row.put(
            TraceColumn.EXPERTS, new int[] {i % experts, (i + 1) % experts, 0}, 0, shape.topK());
        row.put(TraceColumn.WEIGHTS, new float[] {i + 0.75f, i + 0.25f, 0}, 0, shape.topK());
        writer.write(row);
      }
      writer.finish();
    }
  }

  private long readAll() throws IOException {
    long rows = 0;
    try (TraceReader reader = Traces.open(folder).read(Split.VALID, LAYER, ALL, 64)) {
      while (reader.next()) {
        rows += reader.batch().rows();
      }
    }
    return rows;
  }

  private void assertRefused(String... parts) {
    String message = assertThrows(FormatException.class, this::readAll).getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), message);
    }
    assertFalse(message.contains("\n"), message);
  }

  @Test
  void readsWhatWasWritten() throws IOException {
    try (TraceReader reader = Traces.open(folder).read(Split.VALID, LAYER, ALL, 150)) {
      TraceBatch batch = reader.batch();
      int row = 0;
      for (int expected : new int[] {150, 150, 150, 50}) {
        assertTrue(reader.next());
        assertEquals(expected, batch.rows());
        for (int i = 0; i < batch.rows(); i++, row++) {
          assertEquals(row, batch.positions()[i]);
          assertEquals(row % 100, batch.tokens()[i]);
          float[] same = new float[HIDDEN];
          Arrays.fill(same, row);
          assertArrayEquals(
              same, Arrays.copyOfRange(batch.entered(), i * HIDDEN, (i + 1) * HIDDEN));
          assertEquals(row, batch.scores()[i * EXPERTS + 3]);
          assertEquals((row + 1) % EXPERTS, batch.experts()[i * TOP_K + 1]);
          assertEquals(row + 0.75f, batch.weights()[i * TOP_K]);
        }
      }
      assertFalse(reader.next());
    }
  }

  @Test
  void folderWithoutManifestIsNoTrace() throws IOException {
    Files.delete(folder.resolve(TraceManifest.NAME));
    assertRefused("no traces.json, so no complete traces");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"formatVersion\" : 1 | \"formatVersion\" : 2 | expected 1, found 2. It was made by a newer",
        "\"formatVersion\" : 1 | \"formatVersion\" : 0 | expected 1, found 0. It was made by an older",
        "quern-traces | quern-pack | expected quern-traces, found quern-pack",
        "\"topK\" : 2 | \"topK\" : 5 | top-k: expected 1 to 4, found 5",
        "\"hiddenSize\" : 8 | \"hiddenSize\" : 2000000000 | hidden size: expected 1 to 1048576",
        "\"valid\" : { | \"some\" : { | split: expected train, valid or test, found some",
        "\"tokens\" : 500 | \"tokens\" : -1 | split of 1 documents",
        "\"tokens\" : 500 | \"tokens\" : 501 | rows of all parts up to this: expected 501, found 500",
        "\"parts\" : 1 | \"parts\" : 2 | part-00001.parquet: no such file",
        "\"vocabSize\" : 100 | \"vocabSize\" : 99 | column 'token': expected 0 to 98, found 99",
        "\"hiddenSize\" : 8 | \"hiddenSize\" : 9 | expected 18, found 16",
        "\"numExperts\" : 4 | \"numExperts\" : 3 | 'scores': expected 6, found 8",
        "\"topK\" : 2 | \"topK\" : 3 | values of column 'experts': expected 1500, found 1000",
        "\"window\" : 500 | \"window\" : \"x\" | 'window': value: expected a whole number",
      })
  void manifestThatContradictsItselfOrTheFilesIsRefused(String old, String changed, String message)
      throws IOException {
    Path json = folder.resolve(TraceManifest.NAME);
    String text = Files.readString(json);
    assertTrue(text.contains(old), text);
    Files.writeString(json, text.replace(old, changed));
    assertRefused(message);
  }

  @Test
  void truncatedFileIsRefusedWhereverItEnds() throws IOException {
    byte[] whole = Files.readAllBytes(file());
    for (int length = 0; length < whole.length; length += 97) {
      Files.write(file(), Arrays.copyOf(whole, length));
      assertRefused("part-00000.parquet: ", "Collect the traces again");
    }
  }

  /** A flipped bit is found by a page's checksum, or it changes nothing that is read. */
  @Test
  void damagedFileIsRefusedOrReadsTheSame() throws IOException {
    byte[] whole = Files.readAllBytes(file());
    Random random = new Random(5);
    int refused = 0;
    for (int i = 0; i < 200; i++) {
      byte[] damaged = whole.clone();
      damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
      Files.write(file(), damaged);
      try {
        assertEquals(ROWS, readAll());
      } catch (FormatException e) {
        refused++;
      }
    }
    assertTrue(refused > 100, refused + " of 200 refused");
  }

  @Test
  void columnThatIsMissingIsNamed() throws IOException {
    TraceShape without = new TraceShape(List.of(LAYER), HIDDEN, EXPERTS, TOP_K, Set.of());
    write(without, ROWS, 100);
    assertRefused("column 'input': expected one, found none");
  }

  @Test
  void columnThatWasNotCollectedIsNamed() throws IOException {
    Path json = folder.resolve(TraceManifest.NAME);
    Files.writeString(json, Files.readString(json).replace("\"entered\", ", ""));
    assertRefused("column 'entered': the traces were collected without it");
  }

  @Test
  void expertOutOfRangeIsRefused() throws IOException {
    write(new TraceShape(List.of(LAYER), HIDDEN, EXPERTS + 1, TOP_K, ALL), ROWS, 100);
    String message =
        assertThrows(
                FormatException.class,
                () -> {
                  try (TraceReader reader =
                      Traces.open(folder)
                          .read(Split.VALID, LAYER, EnumSet.of(TraceColumn.EXPERTS), 64)) {
                    reader.next();
                  }
                })
            .getMessage();
    assertTrue(message.contains("column 'experts': expected 0 to 3, found 4"), message);
  }

  @Test
  void layerWithoutExpertsIsRefused() throws IOException {
    Traces traces = Traces.open(folder);
    String message =
        assertThrows(FormatException.class, () -> traces.read(Split.VALID, 0, ALL, 64))
            .getMessage();
    assertTrue(message.contains("layer 0: expected one of [1]"), message);
    assertFalse(traces.read(Split.TRAIN, LAYER, ALL, 64).next(), "an empty split");
  }
}
