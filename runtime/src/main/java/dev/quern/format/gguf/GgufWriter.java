package dev.quern.format.gguf;

import dev.quern.format.AtomicFile;
import dev.quern.format.TensorInfo;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Writes one GGUF file of version 3: metadata and tensors are declared first, then the bytes of the
 * tensors streamed in the same order. Equal declarations and bytes give equal files.
 *
 * <p>Source: github.com/ggml-org/ggml, {@code docs/gguf.md}. Every tensor, the last too, is padded
 * to the default alignment.
 */
public final class GgufWriter implements Closeable {
  private static final int VERSION = 3;
  private static final int MAX_PIECE_BYTES = 1 << 30;

  /**
   * A tensor to be written.
   *
   * @param shape outermost dimension first, one to four
   */
  public record Declared(String name, GgufType type, List<Long> shape) {
    public Declared {
      shape = List.copyOf(shape);
      int nameBytes = name.getBytes(StandardCharsets.UTF_8).length;
      if (nameBytes < 1 || nameBytes > GgufIndex.MAX_NAME_BYTES) {
        throw new IllegalArgumentException(
            "tensor name of %d bytes, expected 1 to %d: %s"
                .formatted(nameBytes, GgufIndex.MAX_NAME_BYTES, name));
      }
      if (shape.isEmpty() || shape.size() > GgufIndex.MAX_DIMENSIONS) {
        throw new IllegalArgumentException("tensor %s of shape %s".formatted(name, shape));
      }
      type.bytes(shape.getLast()); // rows are whole blocks
    }

    public long bytes() {
      return type.bytes(TensorInfo.elements(shape));
    }

    private long paddedBytes() {
      return padded(bytes());
    }
  }

  private final AtomicFile out;
  private final List<Declared> tensors;
  private int current;
  private long missing;

  private GgufWriter(AtomicFile out, List<Declared> tensors) {
    this.out = out;
    this.tensors = tensors;
    this.missing = tensors.isEmpty() ? 0 : tensors.getFirst().bytes();
  }

  /**
   * Begins {@code <file>.part}.
   *
   * @throws IllegalArgumentException if a name occurs twice
   */
  public static GgufWriter create(Path file, GgufPairs pairs, List<Declared> tensors)
      throws IOException {
    byte[] head = head(pairs, tensors);
    AtomicFile out = AtomicFile.create(file);
    try {
      out.write(ByteBuffer.wrap(head));
      return new GgufWriter(out, List.copyOf(tensors));
    } catch (Throwable e) {
      out.close();
      throw e;
    }
  }

  /** Length of a finished file. */
  public static long fileBytes(GgufPairs pairs, List<Declared> tensors) {
    long data = tensors.stream().mapToLong(Declared::paddedBytes).reduce(0, Math::addExact);
    return Math.addExact(head(pairs, tensors).length, data);
  }

  /** Everything before the data, padded. */
  private static byte[] head(GgufPairs pairs, List<Declared> tensors) {
    ByteArrayOutputStream head = new ByteArrayOutputStream();
    head.writeBytes(
        GgufPairs.little(2 * Integer.BYTES + 2 * Long.BYTES)
            .putInt(GgufIndex.MAGIC)
            .putInt(VERSION)
            .putLong(tensors.size())
            .putLong(pairs.count())
            .array());
    head.writeBytes(pairs.bytes());
    Set<String> names = new HashSet<>();
    long offset = 0;
    for (Declared tensor : tensors) {
      if (!names.add(tensor.name())) {
        throw new IllegalArgumentException("tensor name declared twice: " + tensor.name());
      }
      head.writeBytes(GgufPairs.string(tensor.name()));
      int dimensions = tensor.shape().size();
      ByteBuffer line =
          GgufPairs.little(2 * Integer.BYTES + (dimensions + 1) * Long.BYTES).putInt(dimensions);
      tensor.shape().reversed().forEach(line::putLong);
      head.writeBytes(line.putInt(tensor.type().id()).putLong(offset).array());
      offset = Math.addExact(offset, tensor.paddedBytes());
    }
    head.writeBytes(new byte[(int) (padded(head.size()) - head.size())]);
    return head.toByteArray();
  }

  private static long padded(long bytes) {
    return Math.ceilDiv(bytes, GgufIndex.DEFAULT_ALIGNMENT) * GgufIndex.DEFAULT_ALIGNMENT;
  }

  /**
   * The next bytes of a tensor; a tensor may come in many pieces.
   *
   * @throws IllegalArgumentException if it is not this tensor's turn or it would be exceeded
   */
  public void write(String name, MemorySegment piece) throws IOException {
    String expected = current == tensors.size() ? "none" : tensors.get(current).name();
    if (!expected.equals(name) || piece.byteSize() > missing) {
      throw new IllegalArgumentException(
          "%d bytes of tensor %s where %d of %s come next"
              .formatted(piece.byteSize(), name, missing, expected));
    }
    for (long at = 0; at < piece.byteSize(); at += MAX_PIECE_BYTES) {
      long bytes = Math.min(MAX_PIECE_BYTES, piece.byteSize() - at);
      out.write(piece.asSlice(at, bytes).asByteBuffer());
    }
    missing -= piece.byteSize();
    if (missing == 0) {
      Declared done = tensors.get(current++);
      out.write(ByteBuffer.allocate((int) (done.paddedBytes() - done.bytes())));
      missing = current == tensors.size() ? 0 : tensors.get(current).bytes();
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
