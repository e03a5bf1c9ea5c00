package dev.quern.bench.synth;

import dev.quern.format.AtomicFile;
import dev.quern.format.FormatException;
import dev.quern.format.Json;
import dev.quern.format.SafetensorsFolder;
import dev.quern.format.SafetensorsWriter;
import dev.quern.format.SafetensorsWriter.Declared;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import java.util.stream.Stream;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes the weights of a model as shards of safetensors with their index. Memory stays at one
 * buffer, whatever the size.
 */
final class ModelFolder {
  private static final long MAX_SHARD_BYTES = 4L << 30;
  private static final int BUFFER_BYTES = 32 << 20;

  /** Gives rows of a tensor. */
  @FunctionalInterface
  interface Rows {
    /**
     * @param tensor of one or two dimensions; a vector is one row
     * @param out written from its start: count rows of the tensor's type
     */
    void fill(Declared tensor, long firstRow, int count, MemorySegment out) throws IOException;
  }

  private final Path folder;
  private final List<Declared> tensors;

  /**
   * @param folder made by {@link #write}; must be empty if it exists
   * @param tensors in the order in which they are written
   */
  ModelFolder(Path folder, List<Declared> tensors) {
    this.folder = folder;
    this.tensors = List.copyOf(tensors);
  }

  /** Bytes of all weights. */
  static long bytes(List<Declared> tensors) {
    return tensors.stream().mapToLong(Declared::bytes).reduce(0, Math::addExact);
  }

  /**
   * Writes shards and index.
   *
   * @param advice what to choose if the disk is too small
   * @param progress told the bytes written so far
   * @throws FormatException if the folder holds anything, or the disk cannot take the model
   */
  void write(Rows rows, String advice, LongConsumer progress) throws IOException {
    prepare(advice);
    List<List<Declared>> shards = shards();
    ObjectNode index = Json.mapper().createObjectNode();
    index.putObject("metadata").put("total_size", bytes(tensors));
    ObjectNode map = index.putObject("weight_map");
    try (Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(BUFFER_BYTES, 64);
      long written = 0;
      for (int s = 0; s < shards.size(); s++) {
        String name = "model-%05d-of-%05d.safetensors".formatted(s + 1, shards.size());
        try (SafetensorsWriter writer =
            SafetensorsWriter.create(folder.resolve(name), shards.get(s), Map.of("format", "pt"))) {
          for (Declared tensor : shards.get(s)) {
            map.put(tensor.name(), name);
            writeTensor(writer, tensor, rows, buffer);
            written += tensor.bytes();
            progress.accept(written);
          }
          writer.finish();
        }
      }
    }
    AtomicFile.writeText(folder.resolve(SafetensorsFolder.INDEX_NAME), index.toString());
  }

  private void prepare(String advice) throws IOException {
    if (Files.exists(folder)) {
      try (Stream<Path> entries = Files.list(folder)) {
        if (entries.findAny().isPresent()) {
          throw new FormatException(
              folder + " is not empty. Name a new folder, or remove this one");
        }
      }
    }
    Files.createDirectories(folder);
    long usable = Files.getFileStore(folder).getUsableSpace();
    if (usable < bytes(tensors)) {
      throw new FormatException(
          "%s: the model needs %,d MB, the disk has %,d MB. %s"
              .formatted(folder, bytes(tensors) >> 20, usable >> 20, advice));
    }
  }

  private List<List<Declared>> shards() {
    List<List<Declared>> shards = new ArrayList<>();
    long bytes = MAX_SHARD_BYTES;
    for (Declared tensor : tensors) {
      if (bytes + tensor.bytes() > MAX_SHARD_BYTES) {
        shards.add(new ArrayList<>());
        bytes = 0;
      }
      shards.getLast().add(tensor);
      bytes += tensor.bytes();
    }
    return shards;
  }

  private static void writeTensor(
      SafetensorsWriter writer, Declared tensor, Rows rows, MemorySegment buffer)
      throws IOException {
    long count = tensor.shape().size() == 1 ? 1 : tensor.shape().getFirst();
    long rowBytes = tensor.dtype().bytes(tensor.shape().getLast());
    int atOnce = Math.toIntExact(Math.min(count, BUFFER_BYTES / rowBytes));
    for (long row = 0; row < count; row += atOnce) {
      int some = (int) Math.min(atOnce, count - row);
      rows.fill(tensor, row, some, buffer);
      writer.write(tensor.name(), buffer.asSlice(0, some * rowBytes));
    }
  }
}
