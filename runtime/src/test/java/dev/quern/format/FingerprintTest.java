package dev.quern.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.quern.format.gguf.GgufTestWriter;
import dev.quern.format.gguf.GgufType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Of GGUF files; folders are covered where conversions are told apart. */
class FingerprintTest {
  private static final byte[] WEIGHTS = {1, 2, 3, 4, 5, 6, 7, 8};

  @TempDir private Path temp;

  private Path write(String file, GgufTestWriter writer) throws IOException {
    return Files.write(Files.createDirectories(temp).resolve(file), writer.toBytes());
  }

  private static GgufTestWriter model(String name, String tensor, byte[] data) {
    return new GgufTestWriter()
        .text("general.name", name)
        .tensor(tensor, GgufType.F32, List.of((long) data.length / 4), data);
  }

  @Test
  void nameLengthHeaderAndWeightsCount() throws IOException {
    String original = Fingerprint.of(write("a.gguf", model("m", "t", WEIGHTS)));
    byte[] others = {9, 9, 9, 9, 9, 9, 9, 9};
    Set<String> all = new HashSet<>(List.of(original));
    all.add(Fingerprint.of(write("a.gguf", model("m", "t", others))));
    all.add(Fingerprint.of(write("b.gguf", model("m", "t", WEIGHTS))));
    all.add(Fingerprint.of(write("a.gguf", model("n", "t", WEIGHTS))));
    all.add(Fingerprint.of(write("a.gguf", model("m", "u", WEIGHTS))));
    Path longer = write("a.gguf", model("m", "t", WEIGHTS));
    byte[] bytes = Files.readAllBytes(longer);
    Files.write(longer, Arrays.copyOf(bytes, bytes.length + 32));
    all.add(Fingerprint.of(longer));
    assertEquals(6, all.size());
    assertEquals(original, Fingerprint.of(write("a.gguf", model("m", "t", WEIGHTS))));
  }

  /** Wherever one of many is, its middle is read. */
  @Test
  void everyTensorIsSampled() throws IOException {
    byte[][] weights = new byte[3][4096];
    String original = Fingerprint.of(write("a.gguf", three(weights)));
    for (byte[] tensor : weights) {
      for (int at : new int[] {1920, 2175}) {
        tensor[at] ^= 1;
        assertNotEquals(original, Fingerprint.of(write("a.gguf", three(weights))));
        tensor[at] ^= 1;
      }
    }
    assertEquals(original, Fingerprint.of(write("a.gguf", three(weights))));
  }

  private static GgufTestWriter three(byte[][] weights) {
    GgufTestWriter writer = new GgufTestWriter().text("general.name", "m");
    for (int i = 0; i < weights.length; i++) {
      writer.tensor("t" + i, GgufType.F32, List.of(weights[i].length / 4L), weights[i]);
    }
    return writer;
  }

  /** The first shard may hold metadata alone; any shard stands for all. */
  @Test
  void everyShardCounts() throws IOException {
    Path first = write("s-00001-of-00002.gguf", shard(0).text("general.name", "m"));
    Path second =
        write("s-00002-of-00002.gguf", shard(1).tensor("t", GgufType.F32, List.of(2L), WEIGHTS));
    String original = Fingerprint.of(first);
    assertEquals(original, Fingerprint.of(second));
    write("s-00002-of-00002.gguf", shard(1).tensor("u", GgufType.F32, List.of(2L), WEIGHTS));
    assertNotEquals(original, Fingerprint.of(first));
  }

  private static GgufTestWriter shard(int number) {
    return new GgufTestWriter()
        .with("split.no", GgufTestWriter.U16, (short) number)
        .with("split.count", GgufTestWriter.U16, (short) 2)
        .with("split.tensors.count", GgufTestWriter.I32, 1);
  }
}
