package dev.quern.bench.synth;

import dev.quern.converter.plan.Precision;
import dev.quern.converter.quantize.Tables;
import dev.quern.format.AtomicFile;
import dev.quern.format.DType;
import dev.quern.format.ExpertFileWriter;
import dev.quern.format.ExpertMatrix;
import dev.quern.format.FloatConversion;
import dev.quern.format.FormatException;
import dev.quern.format.Pack;
import dev.quern.format.PackManifest;
import dev.quern.format.PackManifest.QuantizedTensor;
import dev.quern.format.SafetensorsWriter;
import dev.quern.format.SafetensorsWriter.Declared;
import dev.quern.kernels.TileLayout;
import dev.quern.model.ConfigJson;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelSource;
import dev.quern.model.TensorKey;
import dev.quern.model.TensorRole;
import dev.quern.quant.CounterRandom;
import dev.quern.quant.QuantScheme;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.LongConsumer;

/**
 * Writes a pack of random weights without a model it was converted from: what decides speed, shapes
 * and the distribution of levels, scales and routes, is that of a converted model. Memory stays at
 * the largest matrix, and writing is bound by the disk.
 */
public final class SyntheticPack {
  private static final List<TensorRole> EXPERT_ROLES =
      List.of(TensorRole.EXPERT_GATE, TensorRole.EXPERT_UP, TensorRole.EXPERT_DOWN);

  /** What decides how fast a DeltaNet layer forgets; any value below 0 is as fast to compute. */
  static final float DECAY = -0.5f;

  private static final int BF16_BYTES_AT_ONCE = 32 << 20;

  private final ModelConfig config;
  private final Precision precision;
  private final long seed;
  private final Map<List<Object>, PackedPool> pools = new HashMap<>();
  private final RandomWeights random;
  private LongConsumer progress = bytes -> {};
  private long written;

  /**
   * @param precision of every part; 16 bits are BF16
   */
  public SyntheticPack(ModelConfig config, Precision precision, long seed) {
    this.config = config;
    this.precision = precision;
    this.seed = seed;
    random = new RandomWeights(seed);
  }

  /** Bytes of all weights. */
  public long bytes() {
    long bytes = 0;
    for (TensorKey key : (Iterable<TensorKey>) config.tensorKeys()::iterator) {
      Optional<QuantScheme> scheme = scheme(key);
      List<Long> shape = config.shape(key);
      bytes +=
          scheme.isPresent()
              ? scheme.get().bytes(rows(shape), cols(shape))
              : declared(key, scheme).bytes();
    }
    return bytes;
  }

  /**
   * Writes the pack; it is one when its manifest is there, which comes last.
   *
   * @param folder created; files of the same names in it are replaced
   * @param name of the model that the manifest gives as the source
   * @param listener told the bytes written so far
   * @throws FormatException if the disk cannot take the pack
   */
  public void write(Path folder, String name, LongConsumer listener) throws IOException {
    progress = listener;
    Files.createDirectories(folder.resolve(Pack.EXPERTS_FOLDER));
    long usable = Files.getFileStore(folder).getUsableSpace();
    if (usable < bytes()) {
      throw new FormatException(
          "%s: the weights need %,d MB, the disk has %,d MB. Choose fewer --layers or another --work"
              .formatted(folder, bytes() >> 20, usable >> 20));
    }
    SortedMap<String, QuantizedTensor> quantized = new TreeMap<>();
    try (Arena arena = Arena.ofShared()) {
      writeDense(folder.resolve(Pack.DENSE_NAME), quantized, arena);
      for (int layer = 0; layer < config.numLayers(); layer++) {
        if (config.hasExperts(layer)) {
          writeExperts(folder.resolve(Pack.expertPath(layer)), layer, arena);
        }
      }
    } finally {
      pools.clear();
    }
    AtomicFile.writeText(folder.resolve("tokenizer.json"), ByteTokenizer.json(config.vocabSize()));
    AtomicFile.writeText(
        folder.resolve("tokenizer_config.json"),
        "{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}\n");
    new PackManifest(
            PackManifest.FORMAT_VERSION,
            "quern bench",
            new PackManifest.Source(name, "random weights, seed " + seed),
            ConfigJson.write(config),
            precision.seed(),
            precision.summary(),
            quantized,
            PackManifest.listFiles(folder))
        .write(folder);
  }

  private Optional<QuantScheme> scheme(TensorKey key) {
    return precision.scheme(key.role(), key.layer(), config.tieWordEmbeddings());
  }

  private static int rows(List<Long> shape) {
    return shape.size() == 1 ? 1 : Math.toIntExact(shape.getFirst());
  }

  private static int cols(List<Long> shape) {
    return Math.toIntExact(shape.getLast());
  }

  private Declared declared(TensorKey key, Optional<QuantScheme> scheme) {
    List<Long> shape = config.shape(key);
    if (scheme.isPresent()) {
      long bytes = scheme.get().bytes(rows(shape), cols(shape));
      return new Declared(key.path(), DType.U8, List.of(bytes));
    }
    return new Declared(key.path(), key.role().isMap() ? DType.BF16 : DType.F32, shape);
  }

  /** Packed matrices first, so that each begins at a multiple of 64 bytes. */
  private void writeDense(Path file, SortedMap<String, QuantizedTensor> quantized, Arena arena)
      throws IOException {
    List<TensorKey> keys =
        config.tensorKeys().filter(key -> key.role().scope() != TensorRole.Scope.EXPERT).toList();
    List<TensorKey> packed = new ArrayList<>();
    List<TensorKey> plain = new ArrayList<>();
    for (TensorKey key : keys) {
      (scheme(key).isPresent() ? packed : plain).add(key);
    }
    List<Declared> tensors = new ArrayList<>();
    packed.forEach(key -> tensors.add(declared(key, scheme(key))));
    plain.forEach(key -> tensors.add(declared(key, Optional.empty())));
    try (SafetensorsWriter out = SafetensorsWriter.create(file, tensors, Map.of("format", "pt"))) {
      for (TensorKey key : packed) {
        List<Long> shape = config.shape(key);
        QuantScheme scheme = scheme(key).orElseThrow();
        Tables tables = Tables.of(scheme);
        quantized.put(
            key.path(),
            new QuantizedTensor(
                rows(shape), cols(shape), scheme, tables.codebook(), tables.scaleTable()));
        try (Arena matrix = Arena.ofConfined()) {
          MemorySegment bytes =
              matrix.allocate(scheme.bytes(rows(shape), cols(shape)), TileLayout.ALIGNMENT);
          fillPacked(key, scheme, bytes, arena);
          out.write(key.path(), bytes);
          written(bytes.byteSize());
        }
      }
      for (TensorKey key : plain) {
        writePlain(out, key);
      }
      out.finish();
    }
  }

  private void writePlain(SafetensorsWriter out, TensorKey key) throws IOException {
    List<Long> shape = config.shape(key);
    int rows = rows(shape);
    int cols = cols(shape);
    DType dtype = declared(key, Optional.empty()).dtype();
    int atOnce = (int) Math.clamp(BF16_BYTES_AT_ONCE / dtype.bytes(cols), 1, rows);
    for (int first = 0; first < rows; first += atOnce) {
      int count = Math.min(atOnce, rows - first);
      try (Arena arena = Arena.ofShared()) {
        MemorySegment bytes = arena.allocate(dtype.bytes((long) count * cols));
        if (dtype == DType.BF16) {
          random.fill(key.path(), first, count, cols, 1 / Math.sqrt(cols), false, bytes);
        } else {
          fillVector(key.role(), count, cols, bytes);
        }
        out.write(key.path(), bytes);
        written(bytes.byteSize());
      }
    }
  }

  private static void fillVector(TensorRole role, int count, int cols, MemorySegment out) {
    float value = RandomModel.filling(role, cols);
    float[] row = new float[cols];
    Arrays.fill(row, value);
    for (int r = 0; r < count; r++) {
      FloatConversion.fromFloat(DType.F32, row, 0, out, (long) r * cols * Float.BYTES, cols);
    }
  }

  private void writeExperts(Path file, int layer, Arena arena) throws IOException {
    List<ExpertMatrix> matrices = new ArrayList<>();
    for (TensorRole role : EXPERT_ROLES) {
      matrices.add(expertMatrix(new TensorKey(role, layer, 0)));
    }
    try (ExpertFileWriter out =
            ExpertFileWriter.create(file, layer, config.numExperts(), matrices);
        Arena confined = Arena.ofShared()) {
      MemorySegment record = confined.allocate(out.recordBytes(), TileLayout.ALIGNMENT);
      for (int expert = 0; expert < config.numExperts(); expert++) {
        for (int m = 0; m < matrices.size(); m++) {
          ExpertMatrix matrix = out.matrices().get(m);
          TensorKey key = new TensorKey(EXPERT_ROLES.get(m), layer, expert);
          MemorySegment bytes = record.asSlice(matrix.offset(), matrix.bytes());
          if (matrix.scheme().isPresent()) {
            fillPacked(key, matrix.scheme().get(), bytes, arena);
          } else {
            random.fill(
                key.path(),
                0,
                matrix.rows(),
                matrix.cols(),
                1 / Math.sqrt(matrix.cols()),
                false,
                bytes);
          }
        }
        out.append(record);
        written(record.byteSize());
      }
      out.finish();
    }
  }

  private ExpertMatrix expertMatrix(TensorKey key) {
    ExpertMatrix.Role role = ModelSource.expertRole(key.role());
    List<Long> shape = config.shape(key);
    Optional<QuantScheme> scheme = scheme(key);
    if (scheme.isEmpty()) {
      return ExpertMatrix.dense(role, rows(shape), cols(shape), DType.BF16);
    }
    Tables tables = Tables.of(scheme.get());
    return ExpertMatrix.quantized(
        role, rows(shape), cols(shape), scheme.get(), tables.codebook(), tables.scaleTable());
  }

  private void fillPacked(TensorKey key, QuantScheme scheme, MemorySegment out, Arena arena)
      throws IOException {
    List<Long> shape = config.shape(key);
    List<Object> kind = List.of(scheme, cols(shape));
    PackedPool pool = pools.get(kind);
    if (pool == null) {
      pool = new PackedPool(scheme, cols(shape), config.totalParameters(), seed, arena);
      pools.put(kind, pool);
    }
    long stream = CounterRandom.key(seed, key.role().ordinal(), key.layer(), key.expert());
    pool.fill(rows(shape), stream, out);
  }

  private void written(long bytes) {
    written += bytes;
    progress.accept(written);
  }
}
