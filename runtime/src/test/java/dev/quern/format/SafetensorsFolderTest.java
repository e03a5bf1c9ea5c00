package dev.quern.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.format.SafetensorsWriter.Declared;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFolderTest {
  @TempDir private Path folder;

  private static byte[] contents(String name, int bytes) {
    byte[] contents = new byte[bytes];
    new Random(name.hashCode()).nextBytes(contents);
    return contents;
  }

  private static void write(Path file, Declared... tensors) throws IOException {
    try (SafetensorsWriter out =
        SafetensorsWriter.create(file, List.of(tensors), Map.of("format", "pt"))) {
      for (Declared tensor : tensors) {
        byte[] bytes = contents(tensor.name(), (int) tensor.bytes());
        out.write(tensor.name(), ByteBuffer.wrap(bytes));
      }
      out.finish();
    }
  }

  private static Declared u8(String name, long size) {
    return new Declared(name, DType.U8, List.of(size));
  }

  private void writeIndex(String weightMap) throws IOException {
    Files.writeString(
        folder.resolve("model.safetensors.index.json"),
        "{\"metadata\":{\"total_size\":9,\"deep\":[[{}]]},\"weight_map\":{" + weightMap + "}}");
  }

  private void refuses(String... fragments) {
    FormatException e =
        assertThrows(FormatException.class, () -> SafetensorsFolder.open(folder).close());
    for (String fragment : fragments) {
      assertTrue(e.getMessage().contains(fragment), e.getMessage());
    }
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
  }

  @Test
  void everyDTypeIsReadAsItWasWritten() throws IOException {
    List<Declared> tensors = new ArrayList<>();
    for (DType dtype : DType.values()) {
      tensors.add(new Declared("t." + dtype, dtype, List.of(3L, 8L)));
    }
    tensors.add(new Declared("empty", DType.F16, List.of(0L)));
    tensors.add(new Declared("scalar", DType.F16, List.of()));
    Path file = folder.resolve("model.safetensors");
    write(file, tensors.toArray(Declared[]::new));
    try (SafetensorsFolder model = SafetensorsFolder.open(folder)) {
      assertEquals(
          tensors.stream().map(Declared::name).toList(), List.copyOf(model.tensors().keySet()));
      assertEquals(Map.of("format", "pt"), model.metadata());
      for (Declared tensor : tensors) {
        TensorInfo info = model.tensors().get(tensor.name());
        assertEquals(tensor.shape(), info.shape());
        assertArrayEquals(
            contents(tensor.name(), (int) tensor.bytes()),
            model.map(info).toArray(ValueLayout.JAVA_BYTE));
        assertTrue(model.map(info).isReadOnly());
      }
      assertEquals(0, model.tensors().get("t.BOOL").offset() % 64);
    }
    assertFalse(Files.exists(folder.resolve("model.safetensors.part")));
  }

  @Test
  void mapsShardsInAStableOrder() throws IOException {
    write(folder.resolve("model-00002.safetensors"), u8("c", 5));
    write(folder.resolve("model-00001.safetensors"), u8("b", 3), u8("a", 4));
    writeIndex(
        "\"c\":\"model-00002.safetensors\",\"a\":\"model-00001.safetensors\","
            + "\"b\":\"model-00001.safetensors\"");
    try (SafetensorsFolder model = SafetensorsFolder.open(folder)) {
      assertEquals(List.of("b", "a", "c"), List.copyOf(model.tensors().keySet()));
      for (TensorInfo tensor : model.tensors().values()) {
        assertArrayEquals(
            contents(tensor.name(), (int) tensor.bytes()),
            model.map(tensor).toArray(ValueLayout.JAVA_BYTE));
      }
    }
  }

  @Test
  void mapsFilesLargerThanTwoGigabytes() throws IOException {
    long firstBytes = 3L << 30; // sparse: takes no room on the disk
    String header =
        "{\"first\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]},"
            + "\"last\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[%d,%d]}}";
    byte[] start =
        SafetensorsIndexTest.bytes(
            header.formatted(firstBytes, firstBytes, firstBytes, firstBytes + 4), 0);
    Path file = folder.resolve("big.safetensors");
    try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
      out.write(start);
      out.seek(start.length + firstBytes);
      out.writeInt(Integer.reverseBytes(4711));
    }
    try (SafetensorsFolder model = SafetensorsFolder.open(file)) {
      assertEquals(firstBytes, model.map(model.tensors().get("first")).byteSize());
      float[] value = new float[1];
      MemorySegment last = model.map(model.tensors().get("last"));
      FloatConversion.toFloat(DType.I32, last, 0, value, 0, 1);
      assertEquals(4711f, value[0]);
    }
  }

  /** Figures of {@code datasets/tiny-moe/golden/weight_stats.json}, computed by PyTorch. */
  @ParameterizedTest
  @CsvSource({
    "gate_proj, 0.06475260791026917",
    "up_proj, 0.059418429240830704",
    "down_proj, 0.05208067165383743"
  })
  void readsTheWeightsOfARealShardedModel(String matrix, double expectedRms) throws IOException {
    try (SafetensorsFolder model =
        SafetensorsFolder.open(Path.of("..", "datasets", "tiny-moe", "model"))) {
      double sumOfRms = 0;
      int experts = 0;
      for (TensorInfo tensor : model.tensors().values()) {
        if (tensor.name().startsWith("model.layers.0.mlp.experts.")
            && tensor.name().contains(matrix)) {
          float[] weights = new float[Math.toIntExact(tensor.elements())];
          FloatConversion.toFloat(tensor.dtype(), model.map(tensor), 0, weights, 0, weights.length);
          double squares = 0;
          for (float weight : weights) {
            squares += (double) weight * weight;
          }
          sumOfRms += Math.sqrt(squares / weights.length);
          experts++;
        }
      }
      // PyTorch summed in float32
      assertEquals(expectedRms, sumOfRms / experts, 1e-6 * expectedRms);
    }
  }

  @Test
  void readsTheOnlyFileOfAFolder() throws IOException {
    write(folder.resolve("dense.safetensors"), u8("a", 1));
    SafetensorsFolder.open(folder).close();
    write(folder.resolve("other.safetensors"), u8("a", 1));
    refuses("model.safetensors or one file *.safetensors, found 2 such files");
  }

  @Test
  void refusesMissingShards() throws IOException {
    write(folder.resolve("one.safetensors"), u8("a", 1));
    writeIndex("\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"");
    refuses("model.safetensors.index.json, weight_map: shard: expected two.safetensors");
  }

  @Test
  void refusesTensorsThatAreNotInTheirShard() throws IOException {
    write(folder.resolve("one.safetensors"), u8("a", 1));
    writeIndex("\"a\":\"one.safetensors\",\"b\":\"one.safetensors\"");
    refuses("tensor 'b'", "expected the tensor in one.safetensors, found none there");
  }

  @Test
  void refusesTensorsThatAreNotInTheIndex() throws IOException {
    write(folder.resolve("one.safetensors"), u8("a", 1), u8("b", 1));
    writeIndex("\"a\":\"one.safetensors\"");
    refuses("tensor 'b'", "expected one.safetensors, which holds it, found no entry");
  }

  @Test
  void refusesTensorsInAnotherShardThanTheIndexSays() throws IOException {
    write(folder.resolve("one.safetensors"), u8("a", 1), u8("b", 1));
    write(folder.resolve("two.safetensors"), u8("c", 1));
    writeIndex("\"a\":\"one.safetensors\",\"b\":\"two.safetensors\",\"c\":\"two.safetensors\"");
    refuses("tensor 'b'", "found two.safetensors");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../a.safetensors",
        "/a.safetensors",
        "..\\\\a.safetensors",
        "C:a.safetensors",
        "a\\u0000.safetensors",
        "config.json",
        ""
      })
  void refusesShardsOutsideTheFolder(String shard) throws IOException {
    writeIndex("\"a\":\"" + shard + "\"");
    refuses("tensor 'a'", "expected the name of a file *.safetensors beside the index");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{}",
        "{\"weight_map\":[]}",
        "{\"weight_map\":{\"a\":1}}",
        "{\"weight_map\":{}} {}",
        "{\"weight_map\":{\"a\":\"m.safetensors\",\"a\":\"m.safetensors\"}}"
      })
  void refusesIndexesThatAreNone(String index) throws IOException {
    Files.writeString(folder.resolve("model.safetensors.index.json"), index);
    refuses("model.safetensors.index.json, ");
  }

  @Test
  void flippedBitsInAnIndexGiveARefusal() throws IOException {
    write(folder.resolve("one.safetensors"), u8("a", 1), u8("b", 2));
    writeIndex("\"a\":\"one.safetensors\",\"b\":\"one.safetensors\"");
    Path index = folder.resolve("model.safetensors.index.json");
    byte[] good = Files.readAllBytes(index);
    for (int bit = 0; bit < 8 * good.length; bit++) {
      byte[] flipped = good.clone();
      flipped[bit / 8] ^= (byte) (1 << bit % 8);
      InPlace.write(index, flipped);
      try (SafetensorsFolder model = SafetensorsFolder.open(folder)) {
        assertEquals(List.of("a", "b"), List.copyOf(model.tensors().keySet()));
      } catch (FormatException e) {
        assertTrue(e.getMessage().startsWith("model.safetensors.index.json, "), e.getMessage());
      }
    }
  }

  @Test
  void handsOutOnlyItsOwnTensors() throws IOException {
    write(folder.resolve("model.safetensors"), u8("a", 4));
    try (SafetensorsFolder model = SafetensorsFolder.open(folder)) {
      TensorInfo a = model.tensors().get("a");
      TensorInfo beyond =
          new TensorInfo("a", DType.U8, List.of(4L), a.file(), a.offset() + 4, a.bytes());
      assertThrows(IllegalArgumentException.class, () -> model.map(beyond));
    }
  }

  @Test
  void writerTakesPiecesInOrderAndOnlyWhole() throws IOException {
    Path file = folder.resolve("w.safetensors");
    List<Declared> declared = List.of(u8("a", 4), u8("none", 0), u8("b", 2));
    try (SafetensorsWriter out = SafetensorsWriter.create(file, declared, Map.of())) {
      out.write("a", MemorySegment.ofArray(new byte[] {1, 2, 3}));
      assertThrows(IllegalArgumentException.class, () -> out.write("b", ByteBuffer.allocate(1)));
      assertThrows(IllegalArgumentException.class, () -> out.write("a", ByteBuffer.allocate(2)));
      out.write("a", MemorySegment.ofArray(new byte[] {4}));
      assertThrows(IllegalStateException.class, out::finish);
      out.write("b", ByteBuffer.wrap(new byte[] {5, 6}));
      out.finish();
    }
    byte[] bytes = Files.readAllBytes(file);
    assertArrayEquals(
        new byte[] {1, 2, 3, 4, 5, 6}, Arrays.copyOfRange(bytes, bytes.length - 6, bytes.length));
    assertThrows(
        IllegalArgumentException.class,
        () -> SafetensorsWriter.create(file, List.of(u8("a", 1), u8("a", 1)), Map.of()));
  }

  @Test
  void anUnfinishedFileLeavesNothingBehind() throws IOException {
    Path file = folder.resolve("w.safetensors");
    try (SafetensorsWriter out = SafetensorsWriter.create(file, List.of(u8("a", 4)), Map.of())) {
      out.write("a", ByteBuffer.allocate(3));
      assertTrue(Files.exists(folder.resolve("w.safetensors.part")));
    }
    try (var entries = Files.list(folder)) {
      assertEquals(0, entries.count());
    }
  }

  @Test
  void writerCopiesFromFilesAndIsDeterministic() throws IOException {
    Path source = folder.resolve("source.bin");
    Files.write(source, "0123456789".getBytes(StandardCharsets.UTF_8));
    Path[] files = {folder.resolve("x.safetensors"), folder.resolve("y.safetensors")};
    for (Path file : files) {
      Map<String, String> metadata = Map.of("k1", "v", "k2", "v", "k3", "v");
      try (SafetensorsWriter out = SafetensorsWriter.create(file, List.of(u8("a", 4)), metadata);
          var channel = FileChannel.open(source)) {
        assertThrows(IOException.class, () -> out.write("a", channel, 8, 4));
      }
      try (SafetensorsWriter out = SafetensorsWriter.create(file, List.of(u8("a", 4)), metadata);
          var channel = FileChannel.open(source)) {
        out.write("a", channel, 3, 4);
        out.finish();
      }
    }
    assertArrayEquals(Files.readAllBytes(files[0]), Files.readAllBytes(files[1]));
    try (SafetensorsFolder model = SafetensorsFolder.open(files[0])) {
      byte[] read = model.map(model.tensors().get("a")).toArray(ValueLayout.JAVA_BYTE);
      assertEquals("3456", new String(read, StandardCharsets.UTF_8));
    }
  }
}
