package dev.quern.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.format.ExpertMatrix.Role;
import dev.quern.format.SafetensorsWriter.Declared;
import dev.quern.quant.QuantScheme;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PackTest {
  private static final QuantScheme SCHEME = QuantScheme.turbo(2);

  @TempDir private Path dir;

  @BeforeEach
  void writePack() throws IOException {
    Files.createDirectories(dir.resolve("experts"));
    Files.writeString(dir.resolve("config.json"), "{\"model_type\":\"qwen3_moe\"}");
    float[] levels = ExpertFileTest.ascending(4);
    float[] scales = ExpertFileTest.ascending(16);
    List<ExpertMatrix> matrices =
        List.of(
            ExpertMatrix.quantized(Role.GATE, 64, 32, SCHEME, levels, scales),
            ExpertMatrix.dense(Role.DOWN, 3, 3, DType.F32));
    for (int layer : new int[] {1, 3}) {
      ExpertFileTest.write(dir.resolve(Pack.expertPath(layer)), layer, 2, matrices);
    }
    Declared packed = new Declared("q_proj", DType.U8, List.of(SCHEME.bytes(64, 32)));
    Declared norm = new Declared("norm", DType.F32, List.of(4L));
    try (SafetensorsWriter out =
        SafetensorsWriter.create(dir.resolve(Pack.DENSE_NAME), List.of(packed, norm), Map.of())) {
      out.write("q_proj", ByteBuffer.wrap(ExpertFileTest.record(5, packed.bytes())));
      out.write("norm", ByteBuffer.wrap(ExpertFileTest.record(6, norm.bytes())));
      out.finish();
    }
    Files.writeString(dir.resolve("left-over.part"), "of an interrupted run");
    manifest(PackManifest.listFiles(dir)).write(dir);
  }

  private static PackManifest manifest(Map<String, PackManifest.FileEntry> files) {
    float[] levels = {-1.1f, -0.3f, 0.3f, Math.nextUp(1.1f)};
    return new PackManifest(
        PackManifest.FORMAT_VERSION,
        "quern test",
        new PackManifest.Source("tiny", "ab12"),
        Json.mapper().createObjectNode().put("modelType", "qwen3_moe"),
        -5_000_000_000L,
        new TreeMap<>(Map.of("experts", 2, "attention", 16)),
        new TreeMap<>(
            Map.of(
                "q_proj",
                new PackManifest.QuantizedTensor(
                    64, 32, SCHEME, levels, ExpertFileTest.ascending(16)))),
        new TreeMap<>(files));
  }

  private void flip(String path, long at) throws IOException {
    byte[] bytes = Files.readAllBytes(dir.resolve(path));
    bytes[(int) (at < 0 ? bytes.length + at : at)] ^= 4;
    InPlace.write(dir.resolve(path), bytes);
  }

  private List<String> problems() throws IOException {
    List<String> problems = new ArrayList<>();
    PackVerifier.Result result =
        PackVerifier.verify(
            dir,
            (record, message) -> {
              assertFalse(message.contains("\n"), message);
              problems.add(record);
            });
    assertEquals(problems.size(), result.problems());
    return problems;
  }

  private void refuses(String... fragments) {
    FormatException e = assertThrows(FormatException.class, () -> Pack.open(dir).close());
    for (String fragment : fragments) {
      assertTrue(e.getMessage().contains(fragment), e.getMessage());
    }
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
  }

  @Test
  void opensWhatWasWritten() throws IOException {
    try (Pack pack = Pack.open(dir)) {
      assertTrue(Pack.isPack(dir));
      assertEquals(3, pack.expertFile(3).orElseThrow().layer());
      assertTrue(pack.expertFile(0).isEmpty());
      assertEquals(List.of("q_proj", "norm"), List.copyOf(pack.dense().tensors().keySet()));
      PackManifest manifest = pack.manifest();
      assertEquals(-5_000_000_000L, manifest.seed());
      assertEquals(Map.of("experts", 2, "attention", 16), manifest.bits());
      assertEquals(new PackManifest.Source("tiny", "ab12"), manifest.source());
      assertEquals(
          List.of(
              "config.json",
              "dense.safetensors",
              "experts/layer-00001.qexp",
              "experts/layer-00003.qexp"),
          List.copyOf(manifest.files().keySet()));
      PackManifest.QuantizedTensor tensor = manifest.tensors().get("q_proj");
      assertEquals(SCHEME, tensor.scheme());
      assertArrayEquals(new float[] {-1.1f, -0.3f, 0.3f, Math.nextUp(1.1f)}, tensor.codebook());
    }
  }

  @Test
  void equalManifestsAreEqualBytes() throws IOException {
    byte[] first = Files.readAllBytes(dir.resolve("quern.json"));
    PackManifest.read(dir).write(dir);
    assertArrayEquals(first, Files.readAllBytes(dir.resolve("quern.json")));
  }

  @Test
  void awkwardNamesSurvive() throws IOException {
    PackManifest.FileEntry entry =
        new PackManifest.FileEntry(1, -1, new TreeMap<>(Map.of("\"crc32c\" \\ é\n", 7)));
    manifest(Map.of("z", entry)).write(dir);
    assertEquals(Map.of("z", entry), PackManifest.read(dir).files());
  }

  @Test
  void verifyReadsEveryByte() throws IOException {
    List<String> progress = new ArrayList<>();
    PackVerifier.Result result =
        PackVerifier.verify(
            dir,
            new PackVerifier.Listener() {
              @Override
              public void progress(String path, long done, long total) {
                progress.add(path + " " + (done == total));
              }

              @Override
              public void problem(String record, String message) {
                throw new AssertionError(message);
              }
            });
    long bytes =
        PackManifest.read(dir).files().values().stream()
            .mapToLong(PackManifest.FileEntry::bytes)
            .sum();
    assertEquals(new PackVerifier.Result(4, 6, bytes, 0), result);
    assertEquals("experts/layer-00003.qexp true", progress.getLast());
    assertEquals("config.json false", progress.getFirst());
  }

  @Test
  void verifyNamesTheDamagedRecord() throws IOException {
    flip("experts/layer-00001.qexp", -1);
    flip("experts/layer-00003.qexp", 20);
    flip("dense.safetensors", -1);
    flip("config.json", 3);
    assertEquals(
        List.of(
            "config.json",
            "dense.safetensors, tensor 'norm'",
            "experts/layer-00001.qexp, expert 1",
            "experts/layer-00003.qexp"),
        problems());
  }

  @Test
  void everyFlippedBitOfEveryFileIsFound() throws IOException {
    for (String path : PackManifest.read(dir).files().keySet()) {
      byte[] good = Files.readAllBytes(dir.resolve(path));
      for (int at = 0; at < good.length; at += at < 400 ? 11 : 97) {
        flip(path, at);
        assertEquals(1, problems().size(), path + " byte " + at);
        InPlace.write(dir.resolve(path), good);
      }
    }
  }

  @Test
  void swappedFilesAreFound() throws IOException {
    Path one = dir.resolve(Pack.expertPath(1));
    Path three = dir.resolve(Pack.expertPath(3));
    Files.copy(three, one, StandardCopyOption.REPLACE_EXISTING);
    assertEquals(List.of("experts/layer-00001.qexp"), problems());
    refuses("layer-00001.qexp", "layer: expected the one of its name, found 3");
  }

  @Test
  void verifyReportsMissingAndLongerFiles() throws IOException {
    Files.delete(dir.resolve("config.json"));
    Files.write(dir.resolve("dense.safetensors"), new byte[1], StandardOpenOption.APPEND);
    assertEquals(List.of("config.json", "dense.safetensors"), problems());
    refuses("config.json: file length: expected 26, found no file");
  }

  @Test
  void refusesUnfinishedPacks() throws IOException {
    Files.delete(dir.resolve("quern.json"));
    refuses("no quern.json: not a pack, or its conversion not finished");
    assertFalse(Pack.isPack(dir));
  }

  @Test
  void refusesTensorsThatDoNotFitTheManifest() throws IOException {
    Declared packed = new Declared("q_proj", DType.I8, List.of(SCHEME.bytes(64, 32)));
    try (SafetensorsWriter out =
        SafetensorsWriter.create(dir.resolve(Pack.DENSE_NAME), List.of(packed), Map.of())) {
      out.write("q_proj", ByteBuffer.allocate((int) packed.bytes()));
      out.finish();
    }
    manifest(PackManifest.listFiles(dir)).write(dir);
    refuses("tensor 'q_proj': packed bytes: expected U8 [", "found I8 [");
  }

  @Test
  void refusesPathsOutOfThePack() {
    PackManifest.FileEntry entry = new PackManifest.FileEntry(1, 1, new TreeMap<>());
    for (String path : new String[] {"../x", "/x", "a//b", "a\\b", "C:x", ".", "", "quern.json"}) {
      assertThrows(
          IllegalArgumentException.class, () -> manifest(Map.of(path, entry)), "path " + path);
    }
  }

  @Test
  void oldAndNewManifestsHaveDifferentMessages() throws IOException {
    Path file = dir.resolve("quern.json");
    String text = Files.readString(file);
    Files.writeString(file, text.replace("\"formatVersion\" : 3", "\"formatVersion\" : 2"));
    refuses("quern.json, field 'formatVersion': value: expected 3, found 2", "too old");
    Files.writeString(file, text.replace("\"formatVersion\" : 3", "\"formatVersion\" : 4"));
    refuses("found 4", "too new");
    Files.writeString(file, text.replace("-5000000000", "-5000000001"));
    refuses("field 'crc32c'", "damaged or was edited");
  }

  @Test
  void everyFlippedBitAndTruncationOfAManifestIsRefused() throws IOException {
    Path file = dir.resolve("quern.json");
    byte[] good = Files.readAllBytes(file);
    int end = good.length - "\n}\n".length(); // what follows the checksum may be other spaces
    for (int bit = 0; bit < 8 * end; bit++) {
      byte[] flipped = good.clone();
      flipped[bit / 8] ^= (byte) (1 << bit % 8);
      InPlace.write(file, flipped);
      assertThrows(FormatException.class, () -> PackManifest.read(dir), "bit " + bit);
    }
    for (int length = 0; length < end + 2; length++) {
      InPlace.write(file, Arrays.copyOf(good, length));
      assertThrows(FormatException.class, () -> PackManifest.read(dir), "length " + length);
    }
  }

  /** Someone who can repair the checksum can still not make the reader trip. */
  @Test
  void editedManifestsAreRefusedOrValid() throws IOException {
    Path file = dir.resolve("quern.json");
    String good = Files.readString(file);
    int end = good.lastIndexOf("\"crc32c\"");
    String[] values = {
      "null", "-1", "1e99999999999", "[]", "{}", "\"\"", "true", "9223372036854775808", "0.5", ","
    };
    long seed = 13;
    Random random = new Random(seed);
    int refused = 0;
    for (int i = 0; i < 5_000; i++) {
      StringBuilder edited = new StringBuilder(good.substring(0, end));
      int at = random.nextInt(end);
      if (i % 2 == 0) {
        edited.setCharAt(at, (char) random.nextInt(' ', 127));
      } else { // another value after some colon
        at = edited.indexOf(" : ", at);
        int stop = at < 0 ? -1 : edited.indexOf("\n", at);
        if (stop < 0) {
          continue;
        }
        boolean comma = edited.charAt(stop - 1) == ',';
        edited.replace(at + 3, stop, values[random.nextInt(values.length)] + (comma ? "," : ""));
      }
      CRC32C crc = new CRC32C();
      crc.update(edited.toString().getBytes(StandardCharsets.UTF_8));
      edited.append("\"crc32c\" : \"%08x\"\n}\n".formatted(crc.getValue()));
      InPlace.write(file, edited.toString().getBytes(StandardCharsets.UTF_8));
      try {
        assertEquals(PackManifest.FORMAT_VERSION, PackManifest.read(dir).formatVersion());
      } catch (FormatException e) {
        refused++;
        assertFalse(e.getMessage().contains("\n"), e.getMessage());
      }
    }
    assertTrue(refused > 2_000, refused + " refused with seed " + seed);
  }

  @Test
  void fingerprintTellsSourcesApart() throws IOException {
    Path source = Files.createDirectory(dir.resolve("source"));
    Files.copy(dir.resolve("config.json"), source.resolve("config.json"));
    Files.copy(dir.resolve("dense.safetensors"), source.resolve("model.safetensors"));
    String first = Fingerprint.of(source);
    assertTrue(first.matches("[0-9a-f]{64}"), first);
    assertEquals(first, Fingerprint.of(source));
    Files.writeString(source.resolve("config.json"), "{}");
    String other = Fingerprint.of(source);
    assertNotEquals(first, other);
    Files.move(source.resolve("model.safetensors"), source.resolve("renamed.safetensors"));
    assertNotEquals(other, Fingerprint.of(source));
  }
}
