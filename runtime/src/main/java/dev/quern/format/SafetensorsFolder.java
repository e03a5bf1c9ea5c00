package dev.quern.format;

import dev.quern.system.MappedPages;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * The tensors of a model in safetensors: one file, or the shards that {@code
 * model.safetensors.index.json} lists. Files are memory-mapped; nothing is read before it is
 * touched.
 */
public final class SafetensorsFolder implements TensorFiles {
  public static final String INDEX_NAME = "model.safetensors.index.json";
  public static final String SINGLE_NAME = "model.safetensors";
  private static final String SUFFIX = ".safetensors";
  private static final long MAX_INDEX_BYTES = 100_000_000;

  private final Arena arena = Arena.ofShared();
  private final Map<String, TensorInfo> tensors = new LinkedHashMap<>();
  private final Map<String, RawTensor> rawTensors = new LinkedHashMap<>();
  private final Map<String, String> metadata = new LinkedHashMap<>();
  private final List<Path> files = new ArrayList<>();
  private final Map<Path, MemorySegment> mapped = new HashMap<>(); // by absolute path

  private SafetensorsFolder() {}

  /**
   * @param folderOrFile a .safetensors file, or a folder with the index of shards, with {@code
   *     model.safetensors} or with exactly one .safetensors file
   * @throws FormatException if a file contradicts itself or the index
   */
  public static SafetensorsFolder open(Path folderOrFile) throws IOException {
    SafetensorsFolder folder = new SafetensorsFolder();
    try {
      if (Files.isDirectory(folderOrFile)) {
        Path index = folderOrFile.resolve(INDEX_NAME);
        if (Files.exists(index)) {
          folder.addShards(index);
        } else {
          folder.addFile(SafetensorsIndex.read(singleFile(folderOrFile)));
        }
      } else {
        folder.addFile(SafetensorsIndex.read(folderOrFile));
      }
      return folder;
    } catch (Throwable e) {
      folder.close();
      throw e;
    }
  }

  private static Path singleFile(Path folder) throws IOException {
    Path usual = folder.resolve(SINGLE_NAME);
    if (Files.exists(usual)) {
      return usual;
    }
    List<Path> files;
    try (Stream<Path> entries = Files.list(folder)) {
      files = entries.filter(file -> file.getFileName().toString().endsWith(SUFFIX)).toList();
    }
    if (files.size() != 1) {
      throw FormatException.of(
          folder,
          "folder",
          "model",
          INDEX_NAME + ", " + SINGLE_NAME + " or one file *" + SUFFIX,
          files.size() + " such files",
          "Is it the folder of a model?");
    }
    return files.getFirst();
  }

  private void addShards(Path index) throws IOException {
    Map<String, String> weightMap = readWeightMap(index);
    Map<String, Integer> tensorsPerShard = new TreeMap<>();
    for (String shard : weightMap.values()) {
      tensorsPerShard.merge(shard, 1, Integer::sum);
    }
    for (String shard : tensorsPerShard.keySet()) {
      Path file = index.resolveSibling(shard);
      if (!Files.exists(file)) {
        throw FormatException.of(
            index, "weight_map", "shard", shard, "no such file", "Is the download complete?");
      }
      SafetensorsIndex shardIndex = SafetensorsIndex.read(file);
      for (TensorInfo tensor : shardIndex.tensors()) {
        String listed = weightMap.get(tensor.name());
        if (!shard.equals(listed)) {
          throw FormatException.of(
              index,
              "tensor '" + FormatException.quote(tensor.name()) + "'",
              "shard",
              shard + ", which holds it",
              listed == null ? "no entry" : listed,
              "Do index and shards belong together?");
        }
      }
      if (shardIndex.tensors().size() != tensorsPerShard.get(shard)) {
        Map<String, String> absent = new TreeMap<>(weightMap);
        absent.values().removeIf(other -> !other.equals(shard));
        shardIndex.tensors().forEach(tensor -> absent.remove(tensor.name()));
        throw FormatException.of(
            index,
            "tensor '" + FormatException.quote(absent.keySet().iterator().next()) + "'",
            "shard",
            "the tensor in " + shard,
            "none there",
            "Do index and shards belong together?");
      }
      addFile(shardIndex);
    }
  }

  /** Tensor name → shard name, in file order. */
  private static Map<String, String> readWeightMap(Path index) throws IOException {
    Map<String, String> shards = new LinkedHashMap<>();
    boolean found = false;
    try (JsonParser json = Json.parser(Json.readBytes(index, MAX_INDEX_BYTES))) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        throw FormatException.of(
            index, "byte 0", "index", "a JSON object", json.currentToken(), "");
      }
      while (json.nextToken() == JsonToken.PROPERTY_NAME) {
        boolean weightMap = json.currentName().equals("weight_map");
        JsonToken value = json.nextToken();
        if (!weightMap) {
          json.skipChildren();
          continue;
        }
        if (value != JsonToken.START_OBJECT) {
          throw FormatException.of(index, "weight_map", "value", "a JSON object", value, "");
        }
        found = true;
        readEntries(index, json, shards);
      }
      if (json.nextToken() != null) {
        throw FormatException.of(
            index, "end", "after the closing brace", "nothing", json.currentToken(), "");
      }
    } catch (JacksonException e) {
      throw Json.invalid(index, 0, e);
    }
    if (!found) {
      throw FormatException.of(index, "byte 0", "index", "a weight_map", "none", "");
    }
    return shards;
  }

  private static void readEntries(Path index, JsonParser json, Map<String, String> shards)
      throws FormatException {
    while (json.nextToken() == JsonToken.PROPERTY_NAME) {
      String name = json.currentName();
      boolean text = json.nextToken() == JsonToken.VALUE_STRING;
      if (!text || !isPlainFileName(json.getString())) {
        throw FormatException.of(
            index,
            "tensor '" + FormatException.quote(name) + "'",
            "shard",
            "the name of a file *" + SUFFIX + " beside the index",
            json.getString(),
            "");
      }
      shards.put(name, json.getString());
    }
  }

  /** No separators of any system: a shard cannot point outside the folder. */
  private static boolean isPlainFileName(String name) {
    return name.endsWith(SUFFIX)
        && name.chars().noneMatch(c -> c == '/' || c == '\\' || c == ':' || c < ' ');
  }

  private void addFile(SafetensorsIndex index) throws IOException {
    try (FileChannel channel = FileChannel.open(index.file(), StandardOpenOption.READ)) {
      MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, index.fileBytes(), arena);
      MappedPages.preferHuge(bytes);
      mapped.put(index.file().toAbsolutePath(), bytes);
      files.add(index.file());
    }
    for (TensorInfo tensor : index.tensors()) {
      tensors.put(tensor.name(), tensor);
      rawTensors.put(tensor.name(), RawTensor.of(tensor));
    }
    index.metadata().forEach(metadata::putIfAbsent);
  }

  /** By name; shards in the order of their names, tensors of a shard in file order. */
  public Map<String, TensorInfo> tensors() {
    return Collections.unmodifiableMap(tensors);
  }

  @Override
  public Map<String, RawTensor> rawTensors() {
    return Collections.unmodifiableMap(rawTensors);
  }

  /** The {@code __metadata__} of all files; of equal keys the first shard's. */
  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  @Override
  public List<Path> files() {
    return List.copyOf(files);
  }

  /**
   * The bytes of a tensor, read-only, in place in the mapped file; valid until {@link #close}.
   *
   * @throws IllegalArgumentException if the tensor is not one of {@link #tensors}
   */
  public MemorySegment map(TensorInfo tensor) {
    if (!tensor.equals(tensors.get(tensor.name()))) {
      throw new IllegalArgumentException("not a tensor of this folder: " + tensor);
    }
    return map(
        new Extent(tensor.file().toAbsolutePath().toString(), tensor.offset(), tensor.bytes()));
  }

  @Override
  public MemorySegment map(Extent extent) {
    MemorySegment file = mapped.get(Path.of(extent.file()));
    if (file == null) {
      throw new IllegalArgumentException("not a file of this folder: " + extent.file());
    }
    return file.asSlice(extent.offset(), extent.bytes());
  }

  @Override
  public void close() {
    arena.close();
  }
}
