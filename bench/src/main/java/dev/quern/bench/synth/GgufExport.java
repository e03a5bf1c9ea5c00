package dev.quern.bench.synth;

import dev.quern.format.FormatException;
import dev.quern.format.gguf.GgufPairs;
import dev.quern.format.gguf.GgufType;
import dev.quern.format.gguf.GgufWriter;
import dev.quern.kernels.RowSource;
import dev.quern.model.ModelConfig;
import dev.quern.model.RopePairing;
import dev.quern.model.TensorKey;
import dev.quern.model.TensorRole;
import dev.quern.model.TokenMixer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;

/**
 * Writes a model as GGUF, for runtimes that read nothing else: matrices of one type, vectors and
 * routers in float32. Memory stays at one buffer, whatever the size.
 */
public final class GgufExport {
  private static final Set<GgufType> TYPES =
      EnumSet.of(GgufType.F32, GgufType.F16, GgufType.BF16, GgufType.Q8_0, GgufType.Q4_0);
  private static final int PIECE_WEIGHTS = 4 << 20;

  /** Where weights come from. */
  @FunctionalInterface
  public interface Weights {
    /**
     * Rows of a tensor, vectors as one.
     *
     * @return asked, by several threads, for rows [first, first + count) of the tensor
     */
    RowSource rows(TensorKey key, int first, int count) throws IOException;
  }

  /** Tensors of the model that are one in GGUF, one below the other. */
  private record Stack(GgufWriter.Declared declared, List<TensorKey> keys) {}

  private final ModelConfig config;
  private final Weights weights;
  private final GgufPairs pairs;
  private final boolean permuted;
  private final List<Stack> stacks = new ArrayList<>();
  private final List<GgufWriter.Declared> declared;

  /**
   * @param weights of all tensors of the configuration
   * @param type of matrices: F32, F16, BF16, Q8_0 or Q4_0; F16 where rows are no whole blocks
   * @param tokens of the vocabulary, spelled in GPT-2's alphabet of bytes, without merges
   * @throws FormatException if no name of GGUF is known for the family
   * @throws IllegalArgumentException if the type is another
   */
  public GgufExport(
      ModelConfig config, Weights weights, String name, GgufType type, List<String> tokens)
      throws FormatException {
    if (!TYPES.contains(type)) {
      throw new IllegalArgumentException(
          "GGUF is written as f32, f16, bf16, q8_0 or q4_0, not " + type);
    }
    this.config = config;
    this.weights = weights;
    this.pairs = GgufDescription.of(config, name, type, tokens);
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
        writeStack(writer, stack);
        written += stack.declared().bytes();
        progress.accept(written);
      }
      writer.finish();
    }
  }

  private void writeStack(GgufWriter writer, Stack stack) throws IOException {
    boolean turns = GgufDescription.rowsTakeTurns(stack.keys());
    if (turns && mixer(stack.keys().getFirst()) instanceof TokenMixer.DeltaNet m) {
      int values = m.numValueHeads() / m.numKeyHeads();
      for (int head = 0; head < m.numKeyHeads(); head++) {
        for (TensorKey key : stack.keys()) {
          write(writer, stack.declared(), key, head * values, values);
        }
      }
      return;
    }
    for (TensorKey key : stack.keys()) {
      List<Long> shape = config.shape(key);
      int rows = shape.size() == 1 ? 1 : Math.toIntExact(shape.getFirst());
      write(writer, stack.declared(), key, 0, rows);
    }
  }

  private void write(
      GgufWriter writer, GgufWriter.Declared tensor, TensorKey key, int firstRow, int rows)
      throws IOException {
    int cols = Math.toIntExact(config.shape(key).getLast());
    int[] order = order(key, rows);
    int atOnce = order.length > 0 ? rows : Math.clamp(PIECE_WEIGHTS / cols, 1, rows);
    long rowBytes = tensor.type().bytes(cols);
    for (int first = 0; first < rows; first += atOnce) {
      int from = firstRow + first;
      int count = Math.min(atOnce, rows - first);
      RowSource some = weights.rows(key, from, count);
      MemorySegment out = MemorySegment.ofArray(new byte[Math.toIntExact(count * rowBytes)]);
      IntStream.range(0, count)
          .parallel()
          .forEach(i -> {
            float[] row = new float[cols];
            some.row(order.length == 0 ? from + i : order[i], row, 0);
            GgufEncoder.encode(tensor.type(), row, cols, out, i * rowBytes);
          });
      writer.write(tensor.name(), out);
    }
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
