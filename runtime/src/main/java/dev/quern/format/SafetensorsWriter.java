package dev.quern.format;

import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes one safetensors file: tensors are declared first, then their bytes streamed in the same
 * order. Equal declarations and bytes give equal files.
 *
 * <p>The data section begins at a multiple of 64 bytes, and so does each tensor whose predecessors
 * all are multiples of 64 bytes long: declare packed matrices first.
 */
public final class SafetensorsWriter implements Closeable {
  private static final int ALIGNMENT = 64;
  private static final int MAX_PIECE_BYTES = 1 << 30;

  /** A tensor to be written. */
  public record Declared(String name, DType dtype, List<Long> shape) {
    public Declared {
      shape = List.copyOf(shape);
    }

    public long bytes() {
      return dtype.bytes(TensorInfo.elements(shape));
    }
  }

  private final AtomicFile out;
  private final List<Declared> tensors;
  private int current;
  private long missing;

  private SafetensorsWriter(AtomicFile out, List<Declared> tensors) {
    this.out = out;
    this.tensors = tensors;
    this.current = -1;
    next();
  }

  /**
   * Begins {@code <file>.part}.
   *
   * @throws IllegalArgumentException if a name occurs twice or is {@code __metadata__}
   */
  public static SafetensorsWriter create(
      Path file, List<Declared> tensors, Map<String, String> metadata) throws IOException {
    byte[] header = header(tensors, metadata);
    AtomicFile out = AtomicFile.create(file);
    try {
      ByteBuffer start = ByteBuffer.allocate(Long.BYTES + header.length);
      start.order(ByteOrder.LITTLE_ENDIAN).putLong(header.length).put(header).flip();
      out.write(start);
      return new SafetensorsWriter(out, List.copyOf(tensors));
    } catch (Throwable e) {
      out.close();
      throw e;
    }
  }

  /** Length of a finished file with these tensors. */
  public static long fileBytes(List<Declared> tensors, Map<String, String> metadata) {
    long data = tensors.stream().mapToLong(Declared::bytes).sum();
    return Long.BYTES + header(tensors, metadata).length + data;
  }

  private static byte[] header(List<Declared> tensors, Map<String, String> metadata) {
    ObjectNode root = Json.mapper().createObjectNode();
    if (!metadata.isEmpty()) {
      ObjectNode texts = root.putObject(SafetensorsIndex.METADATA);
      new TreeMap<>(metadata).forEach(texts::put);
    }
    Set<String> names = new HashSet<>(Set.of(SafetensorsIndex.METADATA));
    long offset = 0;
    for (Declared tensor : tensors) {
      if (!names.add(tensor.name())) {
        throw new IllegalArgumentException("tensor name declared twice: " + tensor.name());
      }
      ObjectNode entry = root.putObject(tensor.name());
      entry.put("dtype", tensor.dtype().name());
      ArrayNode shape = entry.putArray("shape");
      tensor.shape().forEach(shape::add);
      long end = Math.addExact(offset, tensor.bytes());
      entry.putArray("data_offsets").add(offset).add(end);
      offset = end;
    }
    byte[] json = Json.mapper().writeValueAsString(root).getBytes(StandardCharsets.UTF_8);
    int padding = Math.floorMod(-(Long.BYTES + json.length), ALIGNMENT);
    byte[] padded = Arrays.copyOf(json, json.length + padding);
    Arrays.fill(padded, json.length, padded.length, (byte) ' ');
    if (padded.length > SafetensorsIndex.MAX_HEADER_BYTES) {
      throw new IllegalArgumentException(
          tensors.size() + " tensors need a header of " + padded.length + " bytes");
    }
    return padded;
  }

  private void next() {
    do {
      current++;
      missing = current < tensors.size() ? tensors.get(current).bytes() : 0;
    } while (missing == 0 && current < tensors.size());
  }

  /**
   * The next bytes of a tensor; a tensor may come in many pieces.
   *
   * @throws IllegalArgumentException if it is not this tensor's turn or it would be exceeded
   */
  public void write(String name, ByteBuffer piece) throws IOException {
    take(name, piece.remaining());
    out.write(piece);
  }

  /** The next bytes of a tensor, see {@link #write(String, ByteBuffer)}. */
  public void write(String name, MemorySegment piece) throws IOException {
    take(name, piece.byteSize());
    for (long at = 0; at < piece.byteSize(); at += MAX_PIECE_BYTES) {
      long bytes = Math.min(MAX_PIECE_BYTES, piece.byteSize() - at);
      out.write(piece.asSlice(at, bytes).asByteBuffer());
    }
  }

  /** The next bytes of a tensor, copied from [offset, offset + bytes) of another file. */
  public void write(String name, FileChannel source, long offset, long bytes) throws IOException {
    take(name, bytes);
    out.copy(source, offset, bytes);
  }

  private void take(String name, long bytes) {
    if (bytes == 0) {
      return;
    }
    if (current == tensors.size() || !tensors.get(current).name().equals(name)) {
      throw new IllegalArgumentException(
          "bytes of tensor %s where %s comes next"
              .formatted(name, current == tensors.size() ? "none" : tensors.get(current).name()));
    }
    if (bytes > missing) {
      throw new IllegalArgumentException(
          "tensor %s: %d bytes where %d are missing".formatted(name, bytes, missing));
    }
    missing -= bytes;
    if (missing == 0) {
      next();
    }
  }

  /**
   * Makes the file appear under its name.
   *
   * @throws IllegalStateException if bytes of a tensor are missing
   */
  public void finish() throws IOException {
    if (current < tensors.size()) {
      throw new IllegalStateException(
          "tensor %s: %d bytes missing".formatted(tensors.get(current).name(), missing));
    }
    out.commit();
  }

  /** Deletes the part unless finished. */
  @Override
  public void close() throws IOException {
    out.close();
  }
}
