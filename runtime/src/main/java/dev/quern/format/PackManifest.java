package dev.quern.format;

import dev.quern.quant.QuantScheme;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import tools.jackson.databind.node.ObjectNode;

/**
 * {@code quern.json}: what a pack is, and the length and checksum of every file in it. Written
 * last: a pack without it is unfinished. Described in {@code docs/format-expert.md}.
 *
 * @param formatVersion {@link #FORMAT_VERSION}
 * @param creator program and version that wrote the pack
 * @param model the model's configuration, see {@code dev.quern.model.ConfigJson}
 * @param seed of all rotations
 * @param bits per component, such as {@code experts} → 3; 16 stands for the source's precision
 * @param tensors of {@code dense.safetensors} that are quantized, by name
 * @param files by path relative to the pack, {@code /} between folders; the manifest not among them
 */
public record PackManifest(
    int formatVersion,
    String creator,
    Source source,
    ObjectNode model,
    long seed,
    SortedMap<String, Integer> bits,
    SortedMap<String, QuantizedTensor> tensors,
    SortedMap<String, FileEntry> files) {
  public static final String NAME = "quern.json";
  public static final int FORMAT_VERSION = 3;

  /** The model that was converted; see {@link Fingerprint}. */
  public record Source(String name, String fingerprint) {}

  /**
   * A quantized matrix that lies in {@code dense.safetensors} as U8 [bytes], laid out as {@link
   * QuantScheme#layout} says.
   */
  public record QuantizedTensor(
      int rows, int cols, QuantScheme scheme, float[] codebook, float[] scaleTable) {
    public QuantizedTensor {
      // An expert matrix has the same parts: one place knows when they fit each other.
      ExpertMatrix.quantized(ExpertMatrix.Role.GATE, rows, cols, scheme, codebook, scaleTable);
    }

    public long bytes() {
      return scheme.bytes(rows, cols);
    }
  }

  /**
   * Length and checksum of one file.
   *
   * @param crc32c of all its bytes
   * @param tensors CRC32C per tensor of a safetensors file; empty for other files, whose parts, if
   *     any, carry their own
   */
  public record FileEntry(long bytes, int crc32c, SortedMap<String, Integer> tensors) {
    public FileEntry {
      tensors = Collections.unmodifiableSortedMap(new TreeMap<>(tensors));
      if (bytes < 0) {
        throw new IllegalArgumentException("bytes: expected at least 0, found " + bytes);
      }
    }

    /** Reads a file from end to end. */
    public static FileEntry of(Path file) throws IOException {
      return FileChecksums.of(file);
    }
  }

  public PackManifest {
    model = model.deepCopy();
    bits = Collections.unmodifiableSortedMap(new TreeMap<>(bits));
    tensors = Collections.unmodifiableSortedMap(new TreeMap<>(tensors));
    files = Collections.unmodifiableSortedMap(new TreeMap<>(files));
    if (formatVersion != FORMAT_VERSION) {
      throw new IllegalArgumentException("pack format " + formatVersion);
    }
    for (String path : files.keySet()) {
      checkRelative(path);
    }
  }

  /** The family of the model. */
  public String modelType() {
    return model.path("modelType").asString("");
  }

  private static void checkRelative(String path) {
    boolean plain = path.chars().noneMatch(c -> c == '\\' || c == ':' || c < ' ');
    for (String part : path.split("/", -1)) {
      plain &= !part.isEmpty() && !part.equals(".") && !part.equals("..");
    }
    if (!plain || path.equals(NAME)) {
      throw new IllegalArgumentException(
          "files: expected paths inside the pack, found " + FormatException.quote(path));
    }
  }

  /**
   * Length and checksum of every finished file under a folder, the manifest excluded; parts of
   * interrupted writes are not listed.
   */
  public static SortedMap<String, FileEntry> listFiles(Path dir) throws IOException {
    SortedMap<String, FileEntry> entries = new TreeMap<>();
    try (Stream<Path> paths = Files.walk(dir)) {
      for (Path file : (Iterable<Path>) paths.filter(Files::isRegularFile)::iterator) {
        String path = dir.relativize(file).toString().replace('\\', '/');
        if (!path.equals(NAME) && !path.endsWith(AtomicFile.PART_SUFFIX)) {
          entries.put(path, FileEntry.of(file));
        }
      }
    }
    return entries;
  }

  /**
   * @throws FormatException if the manifest is missing, damaged or of another format version
   */
  public static PackManifest read(Path dir) throws IOException {
    try {
      return ManifestJson.read(dir.resolve(NAME));
    } catch (NoSuchFileException e) {
      throw new FormatException(
          "%s: no %s: not a pack, or its conversion not finished; run quern convert to make or resume it"
              .formatted(dir, NAME),
          e);
    }
  }

  /** Writes {@link #NAME}; equal manifests give equal bytes. */
  public void write(Path dir) throws IOException {
    ManifestJson.write(this, dir.resolve(NAME));
  }
}
