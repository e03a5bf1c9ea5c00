package dev.quern.bench.synth;

import dev.quern.format.Extent;
import dev.quern.format.FormatException;
import dev.quern.format.RowDecoder;
import dev.quern.format.RowEncoding;
import dev.quern.format.StoredMatrix;
import dev.quern.format.gguf.GgufPairs;
import dev.quern.format.gguf.GgufType;
import dev.quern.format.gguf.GgufWriter;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelSource;
import dev.quern.model.RopePairing;
import dev.quern.model.TensorKey;
import dev.quern.model.TensorRole;
import dev.quern.model.TokenMixer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;

/**
 * Writes a model as GGUF, for runtimes that read nothing else: matrices of one type, vectors and
 * routers in float32. Memory stays at one buffer, whatever the size.
 */
public final class GgufExport {
  private static final int PIECE_WEIGHTS = 4 << 20;

  /** Tensors of the model that are one in GGUF, one below the other. */
  private record Stack(GgufWriter.Declared declared, List<TensorKey> keys) {}

  private final ModelSource source;
  private final ModelConfig config;
  private final GgufPairs pairs;
  private final boolean permuted;
  private final List<Stack> stacks = new ArrayList<>();
  private final List<GgufWriter.Declared> declared;

  /**
   * @param source of any form; its configuration and weights are what is written
   * @param type of matrices: F32, F16, BF16 or Q8_0; F16 where rows are no whole blocks
   * @param tokens of the vocabulary, spelled in GPT-2's alphabet of bytes, without merges
   * @throws FormatException if no name of GGUF is known for the family
   * @throws IllegalArgumentException if the type is another
   */
  public GgufExport(ModelSource source, String name, GgufType type, List<String> tokens)
      throws FormatException {
    if (type != GgufType.Q8_0 && type != GgufType.F32 && type.bytes(1) != Short.BYTES) {
      throw new IllegalArgumentException("GGUF is written as f32, f16, bf16 or q8_0, not " + type);
    }
    this.source = source;
    this.config = source.config();
    this.pairs = GgufDescription.of(source, name, type, tokens);
    this.permuted = GgufDescription.architecture(config.modelType()).equals("llama");
    Map<String, List<TensorKey>> byName = new LinkedHashMap<>();
    Iterator<TensorKey> keys = config.tensorKeys().iterator();
    while (keys.hasNext()) {
      TensorKey key = keys.next();
      byName
          .computeIfAbsent(GgufDescription.tensorName(config, key), n -> new ArrayList<>())
          .add(key);
    }
    byName.forEach((tensor, of) -> stacks.add(new Stack(declare(tensor, of, type), of)));
    declared = stacks.stream().map(Stack::declared).toList();
  }

  /** Length of the file. */
  public long bytes() {
    return GgufWriter.fileBytes(pairs, declared);
  }

  private GgufWriter.Declared declare(String name, List<TensorKey> keys, GgufType type) {
    TensorKey first = keys.getFirst();
    List<Long> shape = config.shape(first);
    if (first.role().scope() == TensorRole.Scope.EXPERT) {
      shape = List.of((long) keys.size(), shape.get(0), shape.get(1));
    } else if (first.role() == TensorRole.KEY_UP || first.role() == TensorRole.VALUE_UP) {
      long heads = ((TokenMixer.Latent) mixer(first)).numHeads();
      shape = List.of(heads, shape.get(0) / heads, shape.get(1));
    } else if (first.role() == TensorRole.SHARED_ROUTER) {
      shape = List.of(shape.getLast());
    } else if (keys.size() > 1) {
      long rows = keys.stream().mapToLong(key -> config.shape(key).getFirst()).sum();
      shape = List.of(rows, shape.getLast());
    }
    return new GgufWriter.Declared(name, typeOf(first.role(), shape, type), shape);
  }

  private static GgufType typeOf(TensorRole role, List<Long> shape, GgufType matrices) {
    boolean latent = role == TensorRole.KEY_UP || role == TensorRole.VALUE_UP;
    if (role.input().isEmpty() && !latent) {
      return GgufType.F32;
    }
    return shape.getLast() % matrices.blockElements() == 0 ? matrices : GgufType.F16;
  }

  private TokenMixer mixer(TensorKey key) {
    return config.layers().get(key.layer()).mixer();
  }

  /**
   * Writes the file, which appears when it is complete.
   *
   * @param progress told the bytes of tensors written so far
   * @throws FormatException if the disk cannot take it
   */
  public void write(Path file, LongConsumer progress) throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    Files.createDirectories(folder);
    long usable = Files.getFileStore(folder).getUsableSpace();
    if (usable < bytes()) {
      throw new FormatException(
          "%s: the model needs %,d MB, the disk has %,d MB. Choose fewer --layers"
              .formatted(file, bytes() >> 20, usable >> 20));
    }
    try (GgufWriter writer = GgufWriter.create(file, pairs, declared)) {
      long written = 0;
      for (Stack stack : stacks) {
        for (TensorKey key : stack.keys()) {
          write(writer, stack.declared(), key);
        }
        written += stack.declared().bytes();
        progress.accept(written);
      }
      writer.finish();
    }
  }

  private void write(GgufWriter writer, GgufWriter.Declared tensor, TensorKey key)
      throws IOException {
    StoredMatrix matrix = source.stored(key);
    int cols = matrix.cols();
    int unit = unitRows(key, matrix);
    int atOnce = Math.max(1, PIECE_WEIGHTS / cols / unit) * unit;
    for (int first = 0; first < matrix.rows(); first += atOnce) {
      int count = Math.min(atOnce, matrix.rows() - first);
      RowDecoder rows = decoder(matrix, first, count);
      int[] order = order(key, matrix.rows());
      int from = first;
      long rowBytes = tensor.type().bytes(cols);
      MemorySegment out = MemorySegment.ofArray(new byte[Math.toIntExact(count * rowBytes)]);
      IntStream.range(0, count)
          .parallel()
          .forEach(i -> {
            float[] row = new float[cols];
            rows.row(order.length == 0 ? from + i : order[from + i], row, 0);
            GgufEncoder.encode(tensor.type(), row, cols, out, i * rowBytes);
          });
      writer.write(tensor.name(), out);
    }
  }

  /** The bytes of these rows alone, and what lies between them. */
  private RowDecoder decoder(StoredMatrix matrix, int first, int count) {
    long stored = matrix.firstStored(first, count);
    long storedRows = matrix.storedCount(first, count);
    List<RowEncoding.Part> parts = matrix.encoding().parts(matrix.storedCols());
    List<MemorySegment> bytes = new ArrayList<>();
    for (int i = 0; i < parts.size(); i++) {
      Extent whole = matrix.extents().get(i);
      long offset = whole.offset() + parts.get(i).offset(stored);
      bytes.add(
          source.map(new Extent(whole.file(), offset, parts.get(i).bytes(stored, storedRows))));
    }
    return new RowDecoder(matrix, bytes, stored);
  }

  /** Rows that must be read together, because their order changes. */
  private int unitRows(TensorKey key, StoredMatrix matrix) {
    return order(key, matrix.rows()).length == 0 ? 1 : matrix.rows();
  }

  /**
   * Which row stands where; empty if all stand where they are. The family llama turns neighbours,
   * while its folders turn halves of heads: its converter interleaves the rows of a head. Source:
   * llama.cpp, convert_hf_to_gguf.py, {@code LlamaModel.permute}.
   */
  private int[] order(TensorKey key, int rows) {
    boolean turned = key.role() == TensorRole.QUERY || key.role() == TensorRole.KEY;
    if (!turned
        || !permuted
        || !(mixer(key) instanceof TokenMixer.GroupedQuery m)
        || m.rope().stream().noneMatch(rope -> rope.pairing() == RopePairing.HALVES)) {
      return new int[0];
    }
    int half = m.headDim() / 2;
    int[] order = new int[rows];
    for (int row = 0; row < rows; row++) {
      int head = row / m.headDim();
      int inHead = row % m.headDim();
      order[row] = head * m.headDim() + inHead / 2 + inHead % 2 * half;
    }
    return order;
  }
}
