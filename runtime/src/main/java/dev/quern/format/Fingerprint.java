package dev.quern.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * Tells one source model from another without reading its weights: SHA-256 over {@code
 * config.json}, then of each shard, in the order of their names, its name, length and header.
 */
public final class Fingerprint {
  private static final long MAX_CONFIG_BYTES = 64 << 20;

  private Fingerprint() {}

  /**
   * @return 64 hexadecimal digits
   */
  public static String of(Path folder) throws IOException {
    MessageDigest sha = sha256();
    Path config = folder.resolve("config.json");
    if (Files.exists(config)) {
      addBytes(sha, Json.readBytes(config, MAX_CONFIG_BYTES));
    }
    try (SafetensorsFolder source = SafetensorsFolder.open(folder)) {
      for (Path file : source.files()) {
        addBytes(sha, file.getFileName().toString().getBytes(StandardCharsets.UTF_8));
        addLong(sha, Files.size(file));
        try (FileCursor in = FileCursor.open(file)) {
          long headerBytes = in.readLong(); // as SafetensorsFolder has just checked it
          addBytes(sha, in.readBytes(Math.toIntExact(headerBytes)));
        }
      }
    }
    return HexFormat.of().formatHex(sha.digest());
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
