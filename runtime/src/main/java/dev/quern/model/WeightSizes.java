package dev.quern.model;

import dev.quern.format.DType;
import dev.quern.format.ExpertFileWriter;
import dev.quern.format.ExpertMatrix;
import dev.quern.format.FormatException;
import dev.quern.format.Pack;
import dev.quern.format.PackManifest;
import dev.quern.format.RowEncoding;
import dev.quern.format.SafetensorsWriter;
import dev.quern.format.SafetensorsWriter.Declared;
import dev.quern.format.StoredMatrix;
import dev.quern.quant.QuantScheme;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntFunction;

/**
 * What the weights of a model take when they are stored in one way: as they are, or as {@code
 * convert} would store them.
 *
 * @param expertWeights weights of all routed experts; 0 for a dense model
 * @param expertBytes bytes of all routed experts, with what their files have beside the matrices
 * @param restWeights weights of everything else
 * @param restBytes bytes of everything else
 * @param restResident bytes of everything else in memory: vectors become float32
 * @param standInBytes bytes of the files of stand-ins, on top of everything else; 0 without
 * @param readPerToken bytes that decoding one token reads: of the experts topK per layer, of an
 *     embedding that is not also the head one row
 */
public record WeightSizes(
    long expertWeights,
    long expertBytes,
    long restWeights,
    long restBytes,
    long restResident,
    long standInBytes,
    long readPerToken) {

  /** The largest table of a scheme; what it holds changes no size. */
  private static final int SCALES = 16;

  private static final List<TensorRole> EXPERT_ROLES =
      List.of(TensorRole.EXPERT_GATE, TensorRole.EXPERT_UP, TensorRole.EXPERT_DOWN);

  /** Bytes of one tensor on disk and in memory. */
  private record Bytes(long stored, long resident) {}

  @FunctionalInterface
  private interface Storage {
    Bytes of(TensorKey key) throws FormatException;
  }

  /** How a model's own files store a tensor, for conversions; see {@link #encodings}. */
  @FunctionalInterface
  public interface Encodings {
    /**
     * @throws FormatException if the tensor is missing
     */
    RowEncoding of(TensorKey key) throws FormatException;
  }

  /** Everything as its files have it. */
  public static WeightSizes of(ModelSource source) throws FormatException {
    return switch (source) {
      case ModelSource.Unconverted unconverted ->
          new Sum(source.config(), source.hasHead())
              .addAll(key -> inSource(unconverted, key))
              .all();
      case ModelSource.Packed packed ->
          new Sum(source.config(), source.hasHead())
              .addAll(key -> inPack(packed, key))
              .withFiles(expertFiles(packed, Pack::expertPath))
              .withStandIns(expertFiles(packed, Pack::standInPath));
    };
  }

  /** A model of which only the configuration is known, all weights of one type. */
  public static WeightSizes of(ModelConfig config, DType dtype) {
    try {
      return new Sum(config, !config.tieWordEmbeddings())
          .addKinds(key -> numbers(config, key, dtype))
          .all();
    } catch (FormatException e) {
      throw new AssertionError("no file is read", e);
    }
  }

  /**
   * As {@code convert --bits} stores it unless told more: routed experts quantized, the rest at the
   * precision of the source.
   *
   * @param bits 2, 3 or 4 per weight of a routed expert
   */
  public static WeightSizes converted(ModelConfig config, Encodings encodings, int bits)
      throws FormatException {
    QuantScheme scheme = QuantScheme.turbo(bits);
    Sum sum =
        new Sum(config, !config.tieWordEmbeddings())
            .addKinds(key -> inNewPack(config, encodings, key, scheme));
    long files = 0;
    for (int layer = 0; layer < config.numLayers(); layer++) {
      if (config.hasExperts(layer)) {
        long file = ExpertFileWriter.fileBytes(record(config, layer, scheme), config.numExperts());
        files = Math.addExact(files, file);
      }
    }
    List<Declared> dense = new ArrayList<>();
    for (TensorKey key : outsideExperts(config)) {
      DType dtype = key.role().keptAs(encodings.of(key));
      dense.add(new Declared(key.path(), dtype, config.shape(key)));
    }
    return sum.withFiles(files, SafetensorsWriter.fileBytes(dense, Map.of("format", "pt")));
  }

  /** The encodings of a model that is not converted. */
  public static Encodings encodings(ModelSource.Unconverted source) {
    return key -> source.stored(key).encoding();
  }

  private static List<TensorKey> outsideExperts(ModelConfig config) {
    return config.tensorKinds().filter(key -> key.expert() < 0).toList();
  }

  private static Bytes inSource(ModelSource.Unconverted source, TensorKey key)
      throws FormatException {
    StoredMatrix matrix = source.stored(key);
    boolean asFloats =
        switch (key.role()) {
          // Cut into heads, so what the kernels cannot multiply in place is decoded once.
          case KEY_UP, VALUE_UP -> !matrix.inOnePiece();
          default -> !key.role().isMap();
        };
    long stored = matrix.bytes();
    return new Bytes(stored, asFloats ? matrix.elements() * Float.BYTES : stored);
  }

  private static Bytes inPack(ModelSource.Packed pack, TensorKey key) throws FormatException {
    if (key.role().scope() == TensorRole.Scope.EXPERT) {
      long bytes = pack.expertMatrix(key).bytes();
      return new Bytes(bytes, bytes);
    }
    Optional<PackManifest.QuantizedTensor> quantized = pack.quantized(key);
    StoredMatrix matrix = quantized.isPresent() ? null : pack.stored(key);
    long bytes = matrix == null ? quantized.orElseThrow().bytes() : matrix.bytes();
    return new Bytes(bytes, bytes);
  }

  private static Bytes inNewPack(
      ModelConfig config, Encodings encodings, TensorKey key, QuantScheme scheme)
      throws FormatException {
    if (key.role().scope() == TensorRole.Scope.EXPERT) {
      long bytes = matrix(config, key, scheme).bytes();
      return new Bytes(bytes, bytes);
    }
    return numbers(config, key, key.role().keptAs(encodings.of(key)));
  }

  private static Bytes numbers(ModelConfig config, TensorKey key, DType dtype) {
    long elements = elements(config, key);
    long bytes = dtype.bytes(elements);
    return new Bytes(bytes, key.role().isMap() ? bytes : elements * Float.BYTES);
  }

  private static List<ExpertMatrix> record(ModelConfig config, int layer, QuantScheme scheme) {
    return EXPERT_ROLES.stream()
        .map(role -> matrix(config, new TensorKey(role, layer, 0), scheme))
        .toList();
  }

  private static ExpertMatrix matrix(ModelConfig config, TensorKey key, QuantScheme scheme) {
    List<Long> shape = config.shape(key);
    return ExpertMatrix.quantized(
        ModelSource.expertRole(key.role()),
        Math.toIntExact(shape.get(0)),
        Math.toIntExact(shape.get(1)),
        scheme,
        new float[1 << scheme.bits()],
        new float[SCALES]);
  }

  private static long expertFiles(ModelSource.Packed pack, IntFunction<String> path) {
    long bytes = 0;
    for (int layer = 0; layer < pack.config().numLayers(); layer++) {
      PackManifest.FileEntry file = pack.pack().manifest().files().get(path.apply(layer));
      bytes += pack.config().hasExperts(layer) && file != null ? file.bytes() : 0;
    }
    return bytes;
  }

  private static long elements(ModelConfig config, TensorKey key) {
    return config.shape(key).stream().reduce(1L, Math::multiplyExact);
  }

  /** One pass over all tensors. */
  private static final class Sum {
    private final ModelConfig config;
    private final boolean hasHead;
    private long expertWeights;
    private long expertBytes;
    private long restWeights;
    private long restBytes;
    private long restResident;
    private long perToken;

    /**
     * @param hasHead see {@link ModelSource#hasHead}
     */
    Sum(ModelConfig config, boolean hasHead) {
      this.config = config;
      this.hasHead = hasHead;
    }

    /** Every tensor on its own: experts may be stored differently. */
    Sum addAll(Storage storage) throws FormatException {
      Iterator<TensorKey> keys = config.tensorKeys().iterator();
      while (keys.hasNext()) {
        TensorKey key = keys.next();
        if (key.expert() < 0) {
          addRest(key, storage.of(key));
        } else {
          addExperts(key, storage.of(key), 1, key.expert() < config.topK() ? 1 : 0);
        }
      }
      if (hasHead && config.tieWordEmbeddings()) {
        TensorKey head = TensorKey.of(TensorRole.HEAD);
        addRest(head, storage.of(head));
      }
      return this;
    }

    /** One expert stands for all of its layer: what is claimed to be there costs no time. */
    Sum addKinds(Storage storage) throws FormatException {
      Iterator<TensorKey> keys = config.tensorKinds().iterator();
      while (keys.hasNext()) {
        TensorKey key = keys.next();
        if (key.expert() < 0) {
          addRest(key, storage.of(key));
        } else {
          addExperts(key, storage.of(key), config.numExperts(), config.topK());
        }
      }
      return this;
    }

    private void addExperts(TensorKey key, Bytes bytes, int count, int perTokenCount) {
      expertWeights = plus(expertWeights, elements(config, key), count);
      expertBytes = plus(expertBytes, bytes.stored, count);
      perToken = plus(perToken, bytes.resident, perTokenCount);
    }

    private void addRest(TensorKey key, Bytes bytes) {
      restWeights = plus(restWeights, elements(config, key), 1);
      restBytes = plus(restBytes, bytes.stored, 1);
      restResident = plus(restResident, bytes.resident, 1);
      boolean oneRow = key.role() == TensorRole.EMBEDDING && hasHead;
      long read = oneRow ? bytes.resident / config.vocabSize() : bytes.resident;
      perToken = plus(perToken, read, 1);
    }

    private static long plus(long sum, long value, int count) {
      return Math.addExact(sum, Math.multiplyExact(value, count));
    }

    WeightSizes all() {
      return new WeightSizes(
          expertWeights, expertBytes, restWeights, restBytes, restResident, 0, perToken);
    }

    WeightSizes withFiles(long experts) {
      return withFiles(experts, restBytes);
    }

    WeightSizes withFiles(long experts, long rest) {
      return new WeightSizes(expertWeights, experts, restWeights, rest, restResident, 0, perToken);
    }
  }

  private WeightSizes withStandIns(long bytes) {
    return new WeightSizes(
        expertWeights, expertBytes, restWeights, restBytes, restResident, bytes, readPerToken);
  }

  /** Everything stored once: without stand-ins. */
  public long bytes() {
    return expertBytes + restBytes;
  }

  /** Everything in memory, without stand-ins, which are used only where experts are not. */
  public long resident() {
    return expertBytes + restResident;
  }

  public double bitsPerWeight() {
    return (double) bytes() * Byte.SIZE / (expertWeights + restWeights);
  }

  /** Of the routed experts; 0 for a dense model. */
  public double expertBitsPerWeight() {
    return expertWeights == 0 ? 0 : (double) expertBytes * Byte.SIZE / expertWeights;
  }
}
