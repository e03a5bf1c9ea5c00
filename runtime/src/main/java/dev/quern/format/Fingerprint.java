package dev.quern.format;

import dev.quern.format.gguf.GgufFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Tells one source model from another without reading all its weights: SHA-256 over {@code
 * config.json} where there is one, then of each shard, in the order of their names, its name,
 * length, header (of safetensors the JSON, of GGUF all that precedes the first tensor) and a sample
 * of each of its tensors. So tensors that were trained further differ; one in which a few numbers
 * were changed elsewhere does not.
 */
public final class Fingerprint {
  private static final long MAX_CONFIG_BYTES = 64 << 20;
  private static final int PIECE_BYTES = 1 << 20;

  /** From the middle of each tensor. */
  private static final int SAMPLE_BYTES = 256;

  private static final SortedMap<Long, Long> NO_TENSORS = Collections.emptySortedMap();

  private Fingerprint() {}

  /**
   * @param model a folder, or a GGUF file
   * @return 64 hexadecimal digits
   */
  public static String of(Path model) throws IOException {
    MessageDigest sha = sha256();
    if (GgufFile.isGguf(model)) {
      addGguf(sha, model);
    } else {
      addFolder(sha, model);
    }
    return HexFormat.of().formatHex(sha.digest());
  }

  private static void addFolder(MessageDigest sha, Path folder) throws IOException {
    Path config = folder.resolve("config.json");
    if (Files.exists(config)) {
      addBytes(sha, Json.readBytes(config, MAX_CONFIG_BYTES));
    }
    try (SafetensorsFolder source = SafetensorsFolder.open(folder)) {
      Map<Path, SortedMap<Long, Long>> tensors = new HashMap<>();
      source.tensors().values().forEach(t -> add(tensors, t.file(), t.offset(), t.bytes()));
      for (Path file : source.files()) {
        addNameAndLength(sha, file);
        try (FileCursor in = FileCursor.open(file)) {
          long headerBytes = in.readLong(); // as SafetensorsFolder has just checked it
          addBytes(sha, in.readBytes(Math.toIntExact(headerBytes)));
          addSamples(sha, in, tensors.getOrDefault(file, NO_TENSORS));
        }
      }
    }
  }

  private static void addGguf(MessageDigest sha, Path model) throws IOException {
    try (GgufFile source = GgufFile.open(model)) {
      Map<Path, SortedMap<Long, Long>> tensors = new HashMap<>();
      source.tensors().values().forEach(t -> add(tensors, t.file(), t.offset(), t.bytes()));
      for (Path file : source.files()) {
        addNameAndLength(sha, file);
        SortedMap<Long, Long> own = tensors.getOrDefault(file, NO_TENSORS);
        // A first shard may hold metadata and no tensor.
        long bytes = own.isEmpty() ? Files.size(file) : own.firstKey();
        addLong(sha, bytes);
        try (FileCursor in = FileCursor.open(file)) {
          for (long left = bytes; left > 0; left -= PIECE_BYTES) {
            sha.update(in.readBytes((int) Math.min(PIECE_BYTES, left)));
          }
          addSamples(sha, in, own);
        }
      }
    }
  }

  private static void add(
      Map<Path, SortedMap<Long, Long>> tensors, Path file, long offset, long bytes) {
    tensors.computeIfAbsent(file, f -> new TreeMap<>()).merge(offset, bytes, Math::max);
  }

  /**
   * @param tensors offset in the file → length
   */
  private static void addSamples(MessageDigest sha, FileCursor in, SortedMap<Long, Long> tensors)
      throws IOException {
    for (Map.Entry<Long, Long> tensor : tensors.entrySet()) {
      int bytes = (int) Math.min(SAMPLE_BYTES, tensor.getValue());
      sha.update(in.bytesAt(tensor.getKey() + (tensor.getValue() - bytes) / 2, bytes));
    }
  }

  private static void addNameAndLength(MessageDigest sha, Path file) throws IOException {
    addBytes(sha, file.getFileName().toString().getBytes(StandardCharsets.UTF_8));
    addLong(sha, Files.size(file));
  }

  /** Lengths go first: "ab" + "c" and "a" + "bc" differ. */
  private static void addBytes(MessageDigest sha, byte[] bytes) {
    addLong(sha, bytes.length);
    sha.update(bytes);
  }

  private static void addLong(MessageDigest sha, long value) {
    sha.update(
        ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).flip());
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }
}
