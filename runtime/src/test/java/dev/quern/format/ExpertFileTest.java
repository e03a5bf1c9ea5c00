package dev.quern.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.quern.format.ExpertMatrix.Role;
import dev.quern.quant.QuantScheme;
import dev.quern.quant.QuantScheme.Method;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExpertFileTest {
  private static final int EXPERTS = 3;

  @TempDir private Path folder;
  private Path file;

  @BeforeEach
  void chooseFile() {
    file = folder.resolve("layer-00007.qexp");
  }

  static float[] ascending(int n) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (i - n / 2) * 0.3f;
    }
    return values;
  }

  private static ExpertMatrix quantized(Role role, int rows, int cols, QuantScheme scheme) {
    int levels = scheme.bits() == 8 ? 0 : 1 << scheme.bits();
    int scales = scheme.method() == Method.LLOYD_U4 ? 16 : 0;
    return ExpertMatrix.quantized(role, rows, cols, scheme, ascending(levels), ascending(scales));
  }

  private static List<ExpertMatrix> mixed() {
    return List.of(
        quantized(Role.GATE, 70, 96, QuantScheme.turbo(3)),
        ExpertMatrix.dense(Role.UP, 5, 7, DType.BF16),
        quantized(Role.DOWN, 96, 70, new QuantScheme(Method.ABSMAX, 8, 64, false, false)));
  }

  static byte[] record(int expert, long bytes) {
    byte[] record = new byte[Math.toIntExact(bytes)];
    new Random(expert).nextBytes(record);
    return record;
  }

  static void write(Path file, int layer, int experts, List<ExpertMatrix> matrices)
      throws IOException {
    try (ExpertFileWriter out = ExpertFileWriter.create(file, layer, experts, matrices)) {
      for (int e = 0; e < experts; e++) {
        out.append(MemorySegment.ofArray(record(e, out.recordBytes())));
      }
      out.finish();
    }
  }

  private byte[] good() throws IOException {
    write(file, 7, EXPERTS, mixed());
    return Files.readAllBytes(file);
  }

  private void refuses(byte[] bytes, String... fragments) throws IOException {
    InPlace.write(file, bytes);
    FormatException e = assertThrows(FormatException.class, () -> ExpertFile.open(file).close());
    for (String fragment : fragments) {
      assertTrue(e.getMessage().contains(fragment), e.getMessage());
    }
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
  }

  private static int headerBytes(byte[] bytes) {
    return little(bytes).getInt(8);
  }

  private static ByteBuffer little(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** A lie with a checksum to match. */
  private static byte[] withChecksum(byte[] bytes) {
    int end = headerBytes(bytes) - 4;
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, end);
    little(bytes).putInt(end, ExpertFile.mask((int) crc.getValue()));
    return bytes;
  }

  @Test
  void readsWhatWasWritten() throws IOException {
    good();
    try (ExpertFile experts = ExpertFile.open(file)) {
      assertEquals(7, experts.layer());
      assertEquals(EXPERTS, experts.numExperts());
      List<ExpertMatrix> placed = ExpertMatrix.inRecord(mixed());
      for (int i = 0; i < placed.size(); i++) {
        ExpertMatrix expected = placed.get(i);
        ExpertMatrix actual = experts.matrices().get(i);
        assertEquals(expected.role(), actual.role());
        assertEquals(expected.rows(), actual.rows());
        assertEquals(expected.cols(), actual.cols());
        assertEquals(expected.scheme(), actual.scheme());
        assertEquals(expected.dense(), actual.dense());
        assertArrayEquals(expected.codebook(), actual.codebook());
        assertArrayEquals(expected.scaleTable(), actual.scaleTable());
        assertEquals(expected.offset(), actual.offset());
        assertEquals(expected.bytes(), actual.bytes());
      }
      for (int e = 0; e < EXPERTS; e++) {
        byte[] expected = record(e, experts.recordBytes());
        assertArrayEquals(expected, experts.record(e).toArray(ValueLayout.JAVA_BYTE));
        ExpertMatrix up = experts.matrix(Role.UP);
        assertArrayEquals(
            Arrays.copyOfRange(expected, (int) up.offset(), (int) (up.offset() + up.bytes())),
            experts.data(e, up).toArray(ValueLayout.JAVA_BYTE));
        experts.verify(e);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "LLOYD_U4, 2, 16, true, false",
    "LLOYD_U4, 4, 16, false, false",
    "LLOYD_U4, 3, 16, true, true",
    "LLOYD_F16, 3, 128, true, true",
    "RMS_F16, 2, 64, true, false",
    "AFFINE, 4, 32, false, false",
    "ABSMAX, 4, 64, true, false",
    "ABSMAX, 8, 128, false, false",
  })
  void everySchemeSurvives(Method method, int bits, int group, boolean rotated, boolean qjl)
      throws IOException {
    QuantScheme scheme = new QuantScheme(method, bits, group, rotated, qjl);
    write(file, 0, 1, List.of(quantized(Role.DOWN, 33, 1056, scheme)));
    try (ExpertFile experts = ExpertFile.open(file)) {
      assertEquals(scheme, experts.matrices().getFirst().scheme().orElseThrow());
      assertEquals(scheme.bytes(33, 1056), experts.recordBytes());
    }
  }

  /** The format's numbers, which the specification repeats: an enum's order is part of the file. */
  @Test
  void layoutIsTheSpecified() throws IOException {
    write(file, 7, 2, List.of(quantized(Role.DOWN, 64, 32, QuantScheme.turbo(2))));
    ByteBuffer bytes = little(Files.readAllBytes(file));
    int record = 64 + 2 * 256 + 16; // scale codes, two runs, one factor padded
    int stride = 640;
    int header = 56 + 48 + 4 * 4 + 4 * 16 + 2 * 4 + 4;
    assertEquals(0x50584551, bytes.getInt()); // QEXP
    assertEquals(2, bytes.getInt());
    assertEquals(header, bytes.getInt());
    assertEquals(7, bytes.getInt());
    assertEquals(2, bytes.getInt());
    assertEquals(1, bytes.getInt());
    assertEquals(64, bytes.getInt());
    assertEquals(0, bytes.getInt());
    assertEquals(record, bytes.getLong());
    assertEquals(stride, bytes.getLong());
    assertEquals(256, bytes.getLong());
    assertEquals(2, bytes.getInt()); // DOWN
    assertEquals(64, bytes.getInt());
    assertEquals(32, bytes.getInt());
    assertEquals(0, bytes.getInt()); // quantized
    assertEquals(0, bytes.getLong());
    assertEquals(record, bytes.getLong());
    byte[] scheme = new byte[8];
    bytes.get(scheme);
    assertArrayEquals(new byte[] {0, 2, 16, 1, 0, 16, 0, 64}, scheme);
    assertEquals(4, bytes.getInt());
    assertEquals(16, bytes.getInt());
    assertEquals(-0.6f, bytes.getFloat());
    bytes.position(header - 12);
    CRC32C crc = new CRC32C();
    crc.update(Arrays.copyOf(record(0, record), stride));
    assertEquals((int) crc.getValue(), bytes.getInt());
    assertEquals(256 + 2 * stride, bytes.capacity());
    assertArrayEquals(
        new Method[] {
          Method.LLOYD_U4, Method.LLOYD_F16, Method.RMS_F16, Method.AFFINE, Method.ABSMAX
        },
        Method.values());
    assertEquals(11, DType.F16.ordinal());
    assertEquals(12, DType.BF16.ordinal());
    assertEquals(15, DType.F32.ordinal());
  }

  @Test
  void largeRecordsBeginOnPages() throws IOException {
    // 1024 x 2048 at 3 bits: 851,968 bytes and row factors, padded by under a page
    write(file, 0, 2, List.of(quantized(Role.GATE, 1024, 2048, QuantScheme.turbo(3))));
    try (ExpertFile experts = ExpertFile.open(file)) {
      assertEquals(0, experts.recordOffset(1) % 4096);
      assertTrue(experts.recordStride() - experts.recordBytes() < 4096);
      assertTrue(experts.recordStride() <= experts.recordBytes() * 129 / 128);
      experts.verify(1);
    }
  }

  @Test
  void copiesRecordsFromOtherFiles() throws IOException {
    byte[] expected = good();
    long recordBytes;
    try (ExpertFile experts = ExpertFile.open(file)) {
      recordBytes = experts.recordBytes();
    }
    Path records = folder.resolve("records.bin");
    ByteBuffer all = ByteBuffer.allocate(10 + (int) recordBytes * EXPERTS).position(10);
    for (int e = 0; e < EXPERTS; e++) {
      all.put(record(e, recordBytes));
    }
    Files.write(records, all.array());
    try (FileChannel source = FileChannel.open(records);
        ExpertFileWriter out = ExpertFileWriter.create(file, 7, EXPERTS, mixed())) {
      for (int e = 0; e < EXPERTS; e++) {
        out.append(source, 10 + e * recordBytes, recordBytes);
      }
      out.finish();
    }
    assertArrayEquals(expected, Files.readAllBytes(file));
    try (FileChannel source = FileChannel.open(records);
        ExpertFileWriter out = ExpertFileWriter.create(file, 7, EXPERTS, mixed())) {
      long tooLate = all.capacity() - recordBytes + 1;
      assertThrows(IOException.class, () -> out.append(source, tooLate, recordBytes));
    }
  }

  @Test
  void writerWantsWholeRecordsAndAllExperts() throws IOException {
    try (ExpertFileWriter out = ExpertFileWriter.create(file, 0, 1, mixed())) {
      MemorySegment record = MemorySegment.ofArray(new byte[(int) out.recordBytes()]);
      assertThrows(IllegalStateException.class, out::finish);
      assertThrows(IllegalArgumentException.class, () -> out.append(record.asSlice(1)));
      out.append(record);
      assertThrows(IllegalStateException.class, () -> out.append(record));
    }
    try (var entries = Files.list(folder)) {
      assertEquals(0, entries.count(), "an unfinished file leaves nothing behind");
    }
    List<ExpertMatrix> twice = List.of(mixed().get(0), mixed().get(0));
    assertThrows(IllegalArgumentException.class, () -> ExpertFileWriter.create(file, 0, 1, twice));
  }

  @Test
  void refusesOldNewAndForeignFiles() throws IOException {
    byte[] bytes = good();
    little(bytes).putInt(4, 1);
    refuses(bytes, "byte 8: version: expected 2, found 1", "too old");
    little(bytes).putInt(4, 3);
    refuses(bytes, "version: expected 2, found 3", "too new");
    little(bytes).putInt(4, -1);
    refuses(bytes, "found 4294967295", "too new");
    little(bytes).putInt(0, 0x46554747);
    refuses(bytes, "magic: expected \"QEXP\", found 46554747");
  }

  @Test
  void refusesEveryTruncationAndTrailingBytes() throws IOException {
    byte[] bytes = good();
    for (int length = 0; length < bytes.length; length += length < 1024 ? 1 : 61) {
      refuses(Arrays.copyOf(bytes, length));
    }
    refuses(Arrays.copyOf(bytes, bytes.length - 1), "file length", "Is it complete?");
    refuses(Arrays.copyOf(bytes, bytes.length + 1), "file length");
  }

  @Test
  void everyFlippedBitIsFound() throws IOException {
    byte[] bytes = good();
    Random random = new Random(11);
    for (int i = 0; i < 8 * bytes.length; i += i < 8 * 600 ? 1 : random.nextInt(1, 401)) {
      byte flipped = (byte) (bytes[i / 8] ^ 1 << i % 8);
      overwrite(i / 8, new byte[] {flipped}, 1);
      assertThrows(FormatException.class, this::verifyAll, "bit " + i);
      overwrite(i / 8, new byte[] {bytes[i / 8]}, 1);
    }
    verifyAll();
  }

  private void verifyAll() throws IOException {
    try (ExpertFile experts = ExpertFile.open(file)) {
      for (int e = 0; e < EXPERTS; e++) {
        experts.verify(e);
      }
    }
  }

  private void overwrite(long at, byte[] bytes, int length) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(bytes, 0, length), at);
    }
  }

  @Test
  void aDamagedRecordIsNamed() throws IOException {
    byte[] bytes = good();
    bytes[bytes.length - 1] ^= 1;
    Files.write(file, bytes);
    try (ExpertFile experts = ExpertFile.open(file)) {
      experts.verify(0);
      experts.verify(1);
      FormatException e = assertThrows(FormatException.class, () -> experts.verify(2));
      assertTrue(
          e.getMessage().startsWith("layer-00007.qexp, expert 2: CRC32C: expected "),
          e.getMessage());
    }
  }

  /** Someone who can repair the checksum can still not make the reader trip. */
  @Test
  void liesWithARepairedChecksumAreRefusedOrConsistent() throws IOException {
    byte[] bytes = good();
    int header = headerBytes(bytes);
    long seed = 12;
    Random random = new Random(seed);
    int refused = 0;
    for (int i = 0; i < 20_000; i++) {
      byte[] lie = bytes.clone();
      int at = random.nextInt(8, header - 4);
      if (i % 2 == 0) {
        lie[at] ^= (byte) (1 << random.nextInt(8));
      } else {
        int[] extremes = {0, -1, Integer.MIN_VALUE, Integer.MAX_VALUE, 1 << 24, 1 << 16};
        little(lie).putInt(Math.min(at & ~3, header - 8), extremes[random.nextInt(6)]);
      }
      if (headerBytes(lie) == header) {
        withChecksum(lie);
      }
      overwrite(0, lie, header);
      try (ExpertFile experts = ExpertFile.open(file)) {
        for (int e = 0; e < experts.numExperts(); e++) {
          assertEquals(experts.recordBytes(), experts.record(e).byteSize());
        }
      } catch (FormatException e) {
        refused++;
      }
    }
    assertTrue(refused > 8_000, refused + " refused with seed " + seed);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "12|-1|layer: expected 0 to 65535, found 4294967295",
        "16|0|experts: expected 1 to 65536, found 0",
        "16|2147483647|experts: expected 1 to 65536, found 2147483647",
        "20|9|matrices: expected 1 to 3",
        "24|4096|sizes: expected",
        "28|1|padding: expected 0, found 1",
        "56|7|role: expected 0 to 2, found 7",
        "60|0|rows: expected 1 to 16777216, found 0",
        "64|2147483647|cols: expected 1 to 16777216",
        "68|2|storage: expected 0 to 1, found 2",
        "72|64|offset of matrix 0: expected 0, found 64",
        "88|-1|method: expected below 5, found 255",
        "92|0|layout: expected scales 0, groups of 16, offsets 0, factor per 64 rows, found scales 0, groups of 0",
        "96|7|levels of the codebook: expected 8, found 7",
        "104|2143289344|codebook: expected finite, ascending values, found NaN",
      })
  void refusesFields(int at, int value, String message) throws IOException {
    byte[] bytes = good();
    little(bytes).putInt(at, value);
    refuses(withChecksum(bytes), message);
  }

  @Test
  void refusesSizesWhoseProductOverflows() throws IOException {
    write(file, 0, 1, List.of(ExpertMatrix.dense(Role.UP, 1, 2, DType.F64)));
    byte[] bytes = Files.readAllBytes(file);
    ByteBuffer lie = little(bytes);
    lie.putInt(16, 1 << 16).putInt(60, 1 << 24).putInt(64, 1 << 24).putLong(80, 1L << 51);
    refuses(withChecksum(bytes), "file length: expected over 2251799813685248");
  }

  @Test
  void allocatesNoMoreThanTheFileHolds() throws IOException {
    byte[] bytes = good();
    little(bytes).putInt(16, 1 << 16); // experts: their checksums alone would be 256 KiB
    withChecksum(bytes);
    refuses(bytes);
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    refuses(bytes);
    long allocated = threads.getCurrentThreadAllocatedBytes() - before;
    assertTrue(allocated < 200_000, allocated + " bytes");
  }
}
