package dev.quern.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsIndexTest {
  /** 24 bytes of data. */
  private static final String TWO_TENSORS =
      "{\"__metadata__\":{\"format\":\"pt\"},"
          + "\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
          + "\"b\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[16,24]}}";

  @TempDir private Path folder;

  static byte[] bytes(String header, int dataBytes) {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + json.length + dataBytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(json.length)
        .put(json)
        .array();
  }

  private SafetensorsIndex read(byte[] bytes) throws IOException {
    Path file = folder.resolve("t.safetensors");
    InPlace.write(file, bytes);
    return SafetensorsIndex.read(file);
  }

  private void refuses(byte[] bytes, String... fragments) {
    FormatException e = assertThrows(FormatException.class, () -> read(bytes));
    assertTrue(e.getMessage().startsWith("t.safetensors, "), e.getMessage());
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
    for (String fragment : fragments) {
      assertTrue(e.getMessage().contains(fragment), e.getMessage());
    }
  }

  private void refusesTensor(String fields, int dataBytes, String... fragments) {
    refuses(bytes("{\"a\":{" + fields + "}}", dataBytes), fragments);
  }

  @Test
  void readsTensorsAndMetadata() throws IOException {
    SafetensorsIndex index = read(bytes(TWO_TENSORS, 24));
    long start = 8L + TWO_TENSORS.length();
    Path file = index.file();
    assertEquals(
        List.of(
            new TensorInfo("a", DType.F32, List.of(2L, 2L), file, start, 16),
            new TensorInfo("b", DType.BF16, List.of(4L), file, start + 16, 8)),
        index.tensors());
    assertEquals(Map.of("format", "pt"), index.metadata());
    assertEquals(start, index.dataStart());
  }

  @Test
  void ordersTensorsAsTheyLieAndReadsScalarsAndEmptyOnes() throws IOException {
    String header =
        "{\"z\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[3,4]},"
            + "\"e\":{\"dtype\":\"F64\",\"shape\":[0,7],\"data_offsets\":[3,3]},"
            + "\"f\":{\"dtype\":\"F6_E2M3\",\"shape\":[4],\"data_offsets\":[0,3]}}   ";
    SafetensorsIndex index = read(bytes(header, 4));
    assertEquals(List.of("f", "e", "z"), index.tensors().stream().map(TensorInfo::name).toList());
    assertEquals(List.of(4L, 0L, 1L), index.tensors().stream().map(TensorInfo::elements).toList());
  }

  @Test
  void refusesHeaderLengths() {
    byte[] good = bytes(TWO_TENSORS, 24);
    refuses(withLength(good, 1), "byte 0: header length: expected 2 to", "found 1.");
    refuses(withLength(good, good.length - 7), "found " + (good.length - 7), "fully downloaded?");
    refuses(withLength(good, -1), "found 18446744073709551615");
    refuses(withLength(good, 7310034283826L), "found 7310034283826");
    refuses(new byte[0], "file length", "at least 8, found 0");
  }

  @Test
  void refusesHeadersBeyondTheLimitOfTheReferenceReader() throws IOException {
    Path file = folder.resolve("t.safetensors");
    try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
      sparse.setLength(200_000_000);
      sparse.writeLong(Long.reverseBytes(100_000_001));
    }
    FormatException e = assertThrows(FormatException.class, () -> SafetensorsIndex.read(file));
    assertTrue(e.getMessage().contains("expected 2 to 100000000, found 100000001"));
  }

  private static byte[] withLength(byte[] bytes, long length) {
    byte[] changed = bytes.clone();
    ByteBuffer.wrap(changed).order(ByteOrder.LITTLE_ENDIAN).putLong(0, length);
    return changed;
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      delimiter = '|',
      value = {
        "[]|expected a JSON object beginning with '{', found byte 91",
        "{]|byte 9: JSON: ",
        "{} {}|after the closing brace",
        "{\"a\":1}|tensor 'a': value: expected a JSON object, found 1",
        "{\"__metadata__\":[]}|__metadata__: value: expected a JSON object of strings, found [",
        "{\"__metadata__\":{\"k\":1}}|__metadata__ 'k': value: expected text, found 1",
      })
  void refusesWhatIsNotAHeader(String header, String message) {
    refuses(bytes(header, 0), message);
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      delimiter = '|',
      value = {
        "\"shape\":[4],\"data_offsets\":[0,4]|found no dtype",
        "\"dtype\":\"U8\",\"data_offsets\":[0,4]|found no shape",
        "\"dtype\":\"U8\",\"shape\":[4]|found no data_offsets",
        "\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"x\":1|field: expected dtype, shape, data_offsets, found x",
        "\"dtype\":\"F7\",\"shape\":[4],\"data_offsets\":[0,4]|dtype: expected one of [BOOL, F4, F6_E2M3",
        "\"dtype\":8,\"shape\":[4],\"data_offsets\":[0,4]|expected the name of a dtype, found 8",
        "\"dtype\":\"U8\",\"shape\":[-4],\"data_offsets\":[0,4]|shape: expected an array of integers from 0",
        "\"dtype\":\"U8\",\"shape\":[4.0],\"data_offsets\":[0,4]|found 4.0",
        "\"dtype\":\"U8\",\"shape\":4,\"data_offsets\":[0,4]|found 4",
        "\"dtype\":\"U8\",\"shape\":[9223372036854775808],\"data_offsets\":[0,4]|found 9223372036854775808",
        "\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]|shape: expected whole bytes that fit a long",
        "\"dtype\":\"U8\",\"shape\":[4294967296,4294967296,0],\"data_offsets\":[0,0]|shape: expected whole bytes that fit a long",
        "\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,4]|found F64 [2305843009213693952]",
        "\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,4]|found F4 [3]",
        "\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[0,4]|data_offsets: expected 5 bytes for U8 [5], found 4",
        "\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[0,5]|ascending, up to 4, found [0, 5]. Is the download complete?",
        "\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[4,0]|ascending, up to 4, found [4, 0]",
        "\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4]|found [4]",
        "\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[1,4]|data_offsets gap: begin: expected 0, found 1",
        "\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]|end of the last tensor: expected",
        "\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]|JSON: Duplicate Object property \"dtype\"",
      })
  void refusesTensors(String fields, String message) {
    refusesTensor(fields, 4, message);
  }

  @Test
  void refusesGapsOverlapsAndDuplicateNames() {
    String first = "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}";
    String second = "\"%s\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[%d,%d]}";
    String header = "{" + first + "," + second + "}";
    refuses(bytes(header.formatted("b", 5, 9), 9), "tensor 'b'", "gap", "expected 4, found 5");
    refuses(bytes(header.formatted("b", 3, 7), 7), "tensor 'b'", "overlap", "expected 4, found 3");
    refuses(bytes(header.formatted("a", 4, 8), 8), "Duplicate");
  }

  @Test
  void refusesDeepNestingInsteadOfOverflowingTheStack() {
    refuses(bytes("{\"a\":" + "[".repeat(1_000_000), 0), "tensor 'a'");
    String inShape = "\"dtype\":\"U8\",\"shape\":" + "[".repeat(100_000);
    refusesTensor(inShape, 4, "shape: expected an array of integers");
  }

  @Test
  void messagesStayOnOneShortLine() {
    String name = "n\\n".repeat(5_000);
    refuses(bytes("{\"" + name + "\":1}", 0), "tensor 'n?n?");
    FormatException e =
        assertThrows(FormatException.class, () -> read(bytes("{\"" + name + "\":1}", 0)));
    assertTrue(e.getMessage().length() < 400, e.getMessage());
  }

  @Test
  void refusesEveryTruncation() {
    byte[] good = bytes(TWO_TENSORS, 24);
    for (int length = 0; length < good.length; length++) {
      byte[] truncated = Arrays.copyOf(good, length);
      assertThrows(FormatException.class, () -> read(truncated), "length " + length);
    }
  }

  /** A flip either shows or gives an index that is true of the file it is read from. */
  @Test
  void flippedBitsGiveARefusalOrAConsistentIndex() throws IOException {
    long seed = 20_000;
    Random random = new Random(seed);
    byte[] good = bytes(TWO_TENSORS, 24);
    int refused = 0;
    for (int i = 0; i < 20_000; i++) {
      byte[] flipped = good.clone();
      for (int flips = random.nextInt(1, 4); flips > 0; flips--) {
        flipped[random.nextInt(flipped.length)] ^= (byte) (1 << random.nextInt(8));
      }
      try {
        SafetensorsIndex index = read(flipped);
        long at = index.dataStart();
        for (TensorInfo tensor : index.tensors()) {
          assertEquals(at, tensor.offset());
          assertEquals(tensor.dtype().bytes(tensor.elements()), tensor.bytes());
          at += tensor.bytes();
        }
        assertEquals(flipped.length, at);
      } catch (FormatException e) {
        refused++;
      }
    }
    assertTrue(refused > 10_000, refused + " refused with seed " + seed);
  }

  /** Two pages of buffers, and the objects of a header no longer than the file. */
  @Test
  void allocatesNoMoreThanTheFileHolds() throws IOException {
    byte[] lying = withLength(bytes(TWO_TENSORS, 24), 99_000_000);
    refuses(lying, "header length"); // classes are loaded now
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    refuses(lying, "header length");
    long allocated = threads.getCurrentThreadAllocatedBytes() - before;
    assertTrue(allocated < 200_000, allocated + " bytes");
  }
}
