package dev.quern.format;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A trained predictor of experts beside a model: {@code shadow/shadow.json}, which says what it is
 * for, and {@code shadow/shadow.safetensors} with its weights. Described in {@code docs/shadow.md}.
 *
 * @param tensors the weights in memory of their own, by name; they live as long as they are
 *     reachable
 */
public record ShadowFile(Header header, Map<String, MemorySegment> tensors) {
  public static final String FOLDER = "shadow";
  public static final String HEADER_NAME = "shadow.json";
  public static final String WEIGHTS_NAME = "shadow.safetensors";
  public static final int FORMAT_VERSION = 1;

  /** Name of the token table, F16 [vocabSize, tokenWidth]. */
  public static final String TOKENS = "tokens";

  private static final String FORMAT_KEY = "format";
  private static final String OLD_SUFFIX = ".old";
  private static final int MAX_HEADER_BYTES = 16 << 20;
  private static final int MAX_LAYERS = 1 << 12;
  private static final int MAX_WIDTH = 1 << 22;

  /** How a head turns its input into logits. */
  public enum Kind {
    /** logits = W [input; token row] + bias. */
    LINEAR,
    /** logits = W silu(hidden of its layer) + bias. */
    TWO_LAYER
  }

  /**
   * What one prediction is made with.
   *
   * @param distance layers ahead; 0 for the next token in the layer itself
   */
  public record Head(int layer, int distance, Kind kind) {
    public Head {
      if (layer < 0 || distance < 0) {
        throw new IllegalArgumentException("head: layer " + layer + ", distance " + distance);
      }
    }

    String place() {
      return distance == 0 ? "next" : "ahead." + distance;
    }
  }

  /**
   * For which model it was made, and its sizes.
   *
   * @param numLayers all layers of the model
   * @param tokenWidth elements of a token's row
   * @param width hidden units of the two-layer heads of a layer; 0 if all heads are linear
   */
  public record Header(
      int numLayers,
      int hiddenSize,
      int numExperts,
      int topK,
      int vocabSize,
      int tokenWidth,
      int width,
      List<Head> heads) {
    public Header {
      heads = List.copyOf(heads);
      check("layers", numLayers, 1, MAX_LAYERS);
      check("hiddenSize", hiddenSize, 1, MAX_WIDTH);
      check("experts", numExperts, 1, MAX_WIDTH);
      check("topK", topK, 1, numExperts);
      check("vocabSize", vocabSize, 1, MAX_WIDTH);
      check("tokenWidth", tokenWidth, 1, MAX_WIDTH);
      check("width", width, 0, MAX_WIDTH);
      check("heads", heads.size(), 1, MAX_WIDTH);
      Set<List<Integer>> places = new HashSet<>();
      for (Head head : heads) {
        check("heads: layer", head.layer(), 0, numLayers - 1);
        check("heads: distance", head.distance(), 0, numLayers - 1 - head.layer());
        if (!places.add(List.of(head.layer(), head.distance()))) {
          throw new IllegalArgumentException(
              "heads: layer %d, distance %d twice".formatted(head.layer(), head.distance()));
        }
        if (head.kind() == Kind.TWO_LAYER && width == 0) {
          throw new IllegalArgumentException("heads: two-layer without a width");
        }
      }
    }

    private static void check(String what, long value, long from, long to) {
      if (value < from || value > to) {
        throw new IllegalArgumentException(
            "%s: expected %d to %d, found %d".formatted(what, from, to, value));
      }
    }

    /** The tensors that belong to it, in the order of the file. */
    public List<SafetensorsWriter.Declared> declared() {
      List<SafetensorsWriter.Declared> all = new ArrayList<>();
      add(all, DType.F16, TOKENS, vocabSize, tokenWidth);
      Set<Integer> encoded = new HashSet<>();
      for (Head head : heads) {
        String at = name(head.layer(), "");
        switch (head.kind()) {
          case TWO_LAYER -> {
            if (encoded.add(head.layer())) {
              add(all, DType.F16, at + "hidden.input", width, hiddenSize);
              add(all, DType.F16, at + "hidden.token", width, tokenWidth);
              add(all, DType.F32, at + "hidden.bias", width);
            }
            add(all, DType.F16, at + head.place() + ".weight", numExperts, width);
          }
          case LINEAR -> {
            add(all, DType.F16, at + head.place() + ".input", numExperts, hiddenSize);
            add(all, DType.F16, at + head.place() + ".token", numExperts, tokenWidth);
          }
        }
        add(all, DType.F32, at + head.place() + ".bias", numExperts);
      }
      return all;
    }

    private static void add(
        List<SafetensorsWriter.Declared> all, DType dtype, String name, long... shape) {
      List<Long> sizes = new ArrayList<>();
      for (long size : shape) {
        sizes.add(size);
      }
      all.add(new SafetensorsWriter.Declared(name, dtype, sizes));
    }

    /** Bytes of all weights. */
    public long bytes() {
      return declared().stream().mapToLong(SafetensorsWriter.Declared::bytes).sum();
    }
  }

  /** A tensor of a layer's hidden units: {@code input}, {@code token} or {@code bias}. */
  public static String hiddenName(int layer, String part) {
    return name(layer, "hidden." + part);
  }

  /** A tensor of a head: {@code weight}, {@code input}, {@code token} or {@code bias}. */
  public static String headName(Head head, String part) {
    return name(head.layer(), head.place() + "." + part);
  }

  private static String name(int layer, String rest) {
    return "layer." + layer + "." + rest;
  }

  public ShadowFile {
    tensors = Map.copyOf(tensors);
  }

  /** Whether a folder has a predictor. */
  public static boolean isIn(Path pack) {
    return Files.exists(pack.resolve(FOLDER).resolve(HEADER_NAME));
  }

  /**
   * Reads a predictor and compares its checksum.
   *
   * @param pack the folder in which {@code shadow/} lies
   * @throws FormatException if something is wrong, before memory is taken for what a file claims
   */
  public static ShadowFile read(Path pack) throws IOException {
    Path headerFile = pack.resolve(FOLDER).resolve(HEADER_NAME);
    JsonNode json = Json.read(headerFile, MAX_HEADER_BYTES);
    Header header = header(headerFile, json);
    Path file = headerFile.resolveSibling(WEIGHTS_NAME);
    if (!Files.isRegularFile(file)) {
      throw wrong(headerFile, "weights", WEIGHTS_NAME, "no such file");
    }
    SafetensorsIndex index = SafetensorsIndex.read(file);
    checkTensors(file, header, index);
    long fileBytes = number(headerFile, json, "bytes", Long.MAX_VALUE);
    if (fileBytes != index.fileBytes()) {
      throw wrong(file, "file length", fileBytes, index.fileBytes());
    }
    int expected = (int) number(headerFile, json, "crc32c", 0xFFFF_FFFFL);
    MemorySegment data = load(file, index, expected);
    Map<String, MemorySegment> tensors = new HashMap<>();
    for (TensorInfo tensor : index.tensors()) {
      tensors.put(tensor.name(), data.asSlice(tensor.offset() - index.dataStart(), tensor.bytes()));
    }
    return new ShadowFile(header, tensors);
  }

  private static Header header(Path file, JsonNode json) throws FormatException {
    long version = number(file, json, FORMAT_KEY, Integer.MAX_VALUE);
    if (version != FORMAT_VERSION) {
      throw FormatException.of(
          file,
          FORMAT_KEY,
          "format version",
          FORMAT_VERSION,
          version,
          version < FORMAT_VERSION ? "It is too old: train again." : "A newer quern wrote it.");
    }
    JsonNode entries = json.path("heads");
    if (!entries.isArray() || entries.size() > MAX_WIDTH) {
      throw wrong(file, "heads", "an array", entries.getNodeType());
    }
    try {
      List<Head> heads = new ArrayList<>();
      for (JsonNode entry : entries) {
        int layer = (int) number(file, entry, "layer", MAX_LAYERS);
        int distance = (int) number(file, entry, "distance", MAX_LAYERS);
        heads.add(new Head(layer, distance, kind(file, entry.path("kind").asString(""))));
      }
      return new Header(
          (int) number(file, json, "layers", MAX_LAYERS),
          (int) number(file, json, "hiddenSize", MAX_WIDTH),
          (int) number(file, json, "experts", MAX_WIDTH),
          (int) number(file, json, "topK", MAX_WIDTH),
          (int) number(file, json, "vocabSize", MAX_WIDTH),
          (int) number(file, json, "tokenWidth", MAX_WIDTH),
          (int) number(file, json, "width", MAX_WIDTH),
          heads);
    } catch (IllegalArgumentException e) {
      throw new FormatException(file.getFileName() + ": " + e.getMessage(), e);
    }
  }

  private static Kind kind(Path file, String name) throws FormatException {
    return switch (name) {
      case "linear" -> Kind.LINEAR;
      case "two-layer" -> Kind.TWO_LAYER;
      default -> throw wrong(file, "kind", "linear or two-layer", name);
    };
  }

  private static String name(Kind kind) {
    return switch (kind) {
      case LINEAR -> "linear";
      case TWO_LAYER -> "two-layer";
    };
  }

  private static long number(Path file, JsonNode json, String key, long max)
      throws FormatException {
    JsonNode value = json.path(key);
    if (!value.isIntegralNumber() || !value.canConvertToLong()) {
      throw wrong(file, key, "an integer", value.isMissingNode() ? "nothing" : value);
    }
    long number = value.asLong();
    if (number < 0 || number > max) {
      throw wrong(file, key, "0 to " + max, number);
    }
    return number;
  }

  private static void checkTensors(Path file, Header header, SafetensorsIndex index)
      throws FormatException {
    List<String> expected =
        header.declared().stream().map(t -> t.name() + " " + t.dtype() + " " + t.shape()).toList();
    List<String> found =
        index.tensors().stream().map(t -> t.name() + " " + t.dtype() + " " + t.shape()).toList();
    for (int i = 0; i < Math.max(expected.size(), found.size()); i++) {
      String wanted = i < expected.size() ? expected.get(i) : "the end";
      String there = i < found.size() ? found.get(i) : "the end";
      if (!wanted.equals(there)) {
        throw wrong(file, "tensor " + i, wanted, there);
      }
    }
  }

  private static MemorySegment load(Path file, SafetensorsIndex index, int expected)
      throws IOException {
    CRC32C checksum = new CRC32C();
    MemorySegment data = Arena.ofAuto().allocate(index.fileBytes() - index.dataStart(), 64);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      FileCursor.update(checksum, channel, file, 0, index.dataStart());
      for (long at = 0; at < data.byteSize(); at += MAX_HEADER_BYTES) {
        long bytes = Math.min(MAX_HEADER_BYTES, data.byteSize() - at);
        ByteBuffer piece = data.asSlice(at, bytes).asByteBuffer();
        while (piece.hasRemaining()) {
          if (channel.read(piece, index.dataStart() + at + piece.position()) < 0) {
            throw wrong(file, "file length", index.fileBytes(), channel.size());
          }
        }
        checksum.update(piece.flip());
      }
    }
    int found = (int) checksum.getValue();
    if (found != expected) {
      throw wrong(file, "CRC32C", "%08x".formatted(expected), "%08x".formatted(found));
    }
    return data;
  }

  private static FormatException wrong(Path file, String what, Object expected, Object found) {
    return FormatException.of(
        file, FOLDER, what, expected, found, "Is it damaged? Train the predictor again.");
  }

  /**
   * Writes {@code shadow/} into a folder: first under another name, then in the place of one that
   * was there. Whoever looks in between finds none, never half of one.
   *
   * @param figures what the predictor reaches, kept in the header for readers; may be empty
   */
  public void write(Path pack, ObjectNode figures) throws IOException {
    Path target = pack.resolve(FOLDER);
    Path part = pack.resolve(FOLDER + AtomicFile.PART_SUFFIX);
    Path old = pack.resolve(FOLDER + OLD_SUFFIX);
    delete(part);
    delete(old);
    Files.createDirectories(part);
    Path weights = part.resolve(WEIGHTS_NAME);
    try (SafetensorsWriter out =
        SafetensorsWriter.create(weights, header.declared(), Map.of("format", "quern-shadow"))) {
      for (SafetensorsWriter.Declared tensor : header.declared()) {
        out.write(tensor.name(), tensors.get(tensor.name()));
      }
      out.finish();
    }
    PackManifest.FileEntry entry = PackManifest.FileEntry.of(weights);
    AtomicFile.writeText(part.resolve(HEADER_NAME), Json.pretty(json(entry, figures)));
    if (Files.exists(target)) {
      Files.move(target, old, StandardCopyOption.ATOMIC_MOVE);
    }
    Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
    AtomicFile.forceDirectory(pack.toAbsolutePath());
    delete(old);
  }

  private ObjectNode json(PackManifest.FileEntry weights, ObjectNode figures) {
    ObjectNode json = Json.mapper().createObjectNode();
    json.put(FORMAT_KEY, FORMAT_VERSION);
    json.put("layers", header.numLayers);
    json.put("hiddenSize", header.hiddenSize);
    json.put("experts", header.numExperts);
    json.put("topK", header.topK);
    json.put("vocabSize", header.vocabSize);
    json.put("tokenWidth", header.tokenWidth);
    json.put("width", header.width);
    json.put("bytes", weights.bytes());
    json.put("crc32c", Integer.toUnsignedLong(weights.crc32c()));
    ArrayNode heads = json.putArray("heads");
    for (Head head : header.heads) {
      ObjectNode entry = heads.addObject();
      entry.put("layer", head.layer).put("distance", head.distance).put("kind", name(head.kind));
    }
    json.set("figures", figures);
    return json;
  }

  private static void delete(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }
}
