package dev.quern.format.gguf;

import dev.quern.format.Extent;
import dev.quern.format.FileCursor;
import dev.quern.format.FormatException;
import dev.quern.format.RawTensor;
import dev.quern.format.RowEncoding;
import dev.quern.format.TensorFiles;
import dev.quern.system.MappedPages;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The tensors and metadata of a model in GGUF: one file, or the shards {@code
 * <prefix>-00001-of-0000N.gguf} of a split one. Files are memory-mapped; of the tensors nothing is
 * read before it is touched.
 */
public final class GgufFile implements TensorFiles {
  private static final String SPLIT_NO = "split.no";
  private static final String SPLIT_COUNT = "split.count";
  private static final String SPLIT_TENSORS = "split.tensors.count";
  private static final int MAX_SHARDS = 65535; // split.count is a u16
  // The names that gguf-split writes and the reference runtime asks for.
  private static final Pattern SHARD_NAME = Pattern.compile("(.*)-(\\d{5})-of-(\\d{5})\\.gguf");

  private final Path path;
  private final Arena arena = Arena.ofShared();
  private final Map<String, GgufTensor> tensors = new LinkedHashMap<>();
  private final Map<Path, MemorySegment> mapped = new LinkedHashMap<>();
  private final Map<String, MemorySegment> byAbsolutePath = new HashMap<>();
  private final GgufMetadata metadata;

  private GgufFile(Path path) throws IOException {
    this.path = path;
    try {
      GgufIndex index = GgufIndex.read(path);
      GgufMetadata own = new GgufMetadata(path, index.values());
      long shards = own.integer(SPLIT_COUNT, 0, MAX_SHARDS, 0);
      if (shards <= 1) {
        metadata = own;
        add(index);
      } else {
        metadata = addShards((int) shards);
      }
    } catch (Throwable e) {
      arena.close();
      throw e;
    }
  }

  /** Whether a file begins with the magic of GGUF; nothing else is looked at. */
  public static boolean isGguf(Path file) throws IOException {
    if (!Files.isRegularFile(file) || Files.size(file) < Integer.BYTES) {
      return false;
    }
    try (FileCursor in = FileCursor.open(file)) {
      return in.readInt() == GgufIndex.MAGIC;
    }
  }

  /**
   * @param file the file, or any shard of a split one: the others lie beside it
   * @throws FormatException if a file contradicts itself or the other shards
   */
  public static GgufFile open(Path file) throws IOException {
    return new GgufFile(file);
  }

  private GgufMetadata addShards(int count) throws IOException {
    Matcher name = SHARD_NAME.matcher(path.getFileName().toString());
    if (!name.matches() || Integer.parseInt(name.group(3)) != count) {
      throw FormatException.of(
          path,
          "name",
          "a shard of " + count,
          "<prefix>-00001-of-%05d.gguf".formatted(count),
          path.getFileName(),
          "Give the shards the names under which they were made.");
    }
    GgufMetadata first = null;
    for (int i = 0; i < count; i++) {
      Path shard =
          path.resolveSibling("%s-%05d-of-%05d.gguf".formatted(name.group(1), i + 1, count));
      if (!Files.exists(shard)) {
        throw FormatException.of(
            path,
            "shards",
            "shard " + (i + 1),
            shard.getFileName(),
            "no such file",
            "Is the download complete?");
      }
      GgufIndex index = GgufIndex.read(shard);
      GgufMetadata own = new GgufMetadata(shard, index.values());
      own.integer(SPLIT_COUNT, count, count);
      own.integer(SPLIT_NO, i, i);
      add(index);
      if (first == null) {
        first = own; // the first shard alone describes the model
      }
    }
    first.integer(SPLIT_TENSORS, tensors.size(), tensors.size());
    return first;
  }

  private void add(GgufIndex index) throws IOException {
    for (GgufTensor tensor : index.tensors()) {
      GgufTensor before = tensors.putIfAbsent(tensor.name(), tensor);
      if (before != null) {
        throw FormatException.of(
            index.file(),
            "tensor '" + FormatException.quote(tensor.name()) + "'",
            "shard",
            "one that holds it",
            before.file().getFileName() + " and this one",
            "");
      }
    }
    try (FileChannel channel = FileChannel.open(index.file(), StandardOpenOption.READ)) {
      if (channel.size() < index.fileBytes()) { // mapping further would fail when touched
        throw FormatException.of(
            index.file(),
            "end",
            "file length",
            index.fileBytes(),
            channel.size(),
            "The file has shrunk meanwhile.");
      }
      MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, index.fileBytes(), arena);
      MappedPages.preferHuge(bytes);
      mapped.put(index.file(), bytes);
      byAbsolutePath.put(index.file().toAbsolutePath().toString(), bytes);
    }
  }

  /** The file that was asked for. */
  public Path path() {
    return path;
  }

  /** All shards in order; of a file that is not split, the file. */
  @Override
  public List<Path> files() {
    return List.copyOf(mapped.keySet());
  }

  /** The model's metadata; of a split file, what the first shard says. */
  public GgufMetadata metadata() {
    return metadata;
  }

  /** By name, in file order, shards one after the other; unmodifiable. */
  public Map<String, GgufTensor> tensors() {
    return Collections.unmodifiableMap(tensors);
  }

  /**
   * The bytes of a tensor, read-only, in place in the mapped file; valid until {@link #close}.
   *
   * @throws IllegalArgumentException if the tensor is not one of {@link #tensors}
   */
  public MemorySegment map(GgufTensor tensor) {
    if (!tensor.equals(tensors.get(tensor.name()))) {
      throw new IllegalArgumentException("not a tensor of this file: " + tensor);
    }
    return mapped.get(tensor.file()).asSlice(tensor.offset(), tensor.bytes());
  }

  @Override
  public Map<String, RawTensor> rawTensors() {
    Map<String, RawTensor> raw = new LinkedHashMap<>();
    for (GgufTensor t : tensors.values()) {
      RowEncoding encoding =
          t.type().plain().isPresent()
              ? new RowEncoding.Plain(t.type().plain().get())
              : new RowEncoding.Blocks(t.type());
      raw.put(
          t.name(), new RawTensor(t.name(), encoding, t.shape(), t.file(), t.offset(), t.bytes()));
    }
    return raw;
  }

  @Override
  public MemorySegment map(Extent extent) {
    MemorySegment file = byAbsolutePath.get(extent.file());
    if (file == null) {
      throw new IllegalArgumentException("not a file of this model: " + extent.file());
    }
    return file.asSlice(extent.offset(), extent.bytes());
  }

  @Override
  public void close() {
    arena.close();
  }
}
