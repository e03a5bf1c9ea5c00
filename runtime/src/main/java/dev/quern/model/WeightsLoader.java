package dev.quern.model;

import dev.quern.experts.ExpertStore;
import dev.quern.experts.ResidentExperts;
import dev.quern.format.DType;
import dev.quern.format.ExpertFile;
import dev.quern.format.ExpertMatrix;
import dev.quern.format.FloatConversion;
import dev.quern.format.FormatException;
import dev.quern.format.PackManifest;
import dev.quern.format.TensorInfo;
import dev.quern.kernels.Matrix;
import dev.quern.kernels.TileLayout;
import dev.quern.quant.Linear;
import dev.quern.quant.QuantScheme;
import dev.quern.quant.Rotation;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Makes {@link Weights} of a source. Packed and 16- or 32-bit matrices are used where they lie;
 * others are converted to float32 once, in memory of the given arena.
 */
final class WeightsLoader {
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final float[] SIGNS = {-1, 1};

  private final ModelSource source;
  private final ModelConfig config;
  private final Arena arena;

  /** One object per rotation, so that the forward pass rotates each input once. */
  private final Map<RotationKey, Rotation> rotations = new HashMap<>();

  private record RotationKey(
      boolean none, int layer, Rotation.Input input, boolean residual, int length) {}

  private WeightsLoader(ModelSource source, Arena arena) {
    this.source = source;
    this.config = source.config();
    this.arena = arena;
  }

  /**
   * @param arena lives as long as the weights
   * @throws FormatException if a tensor's type cannot be converted
   */
  static Weights load(ModelSource source, Arena arena) throws IOException {
    return new WeightsLoader(source, arena).load();
  }

  private Weights load() throws IOException {
    List<Weights.Layer> layers = new ArrayList<>();
    List<List<ExpertStore.Expert>> experts = new ArrayList<>();
    for (int layer = 0; layer < config.numLayers(); layer++) {
      layers.add(layer(layer));
      experts.add(config.hasExperts(layer) ? experts(layer) : List.of());
    }
    Linear embedding = linear(TensorRole.EMBEDDING, -1);
    return new Weights(
        embedding,
        List.copyOf(layers),
        vector(TensorRole.FINAL_NORM, -1),
        hasHead() ? linear(TensorRole.HEAD, -1) : embedding,
        new ResidentExperts(experts));
  }

  /** A pack of a tied model has a head of its own where the two are stored at different bits. */
  private boolean hasHead() {
    String name = source.name(new TensorKey(TensorRole.HEAD, -1, -1));
    return !config.tieWordEmbeddings()
        || source instanceof ModelSource.Packed && source.tensors().containsKey(name);
  }

  private Weights.Layer layer(int layer) throws IOException {
    boolean norms = source.architecture().qkNorm() == QkNorm.PER_HEAD;
    return new Weights.Layer(
        vector(TensorRole.ATTENTION_NORM, layer),
        linear(TensorRole.QUERY, layer),
        linear(TensorRole.KEY, layer),
        linear(TensorRole.VALUE, layer),
        linear(TensorRole.ATTENTION_OUTPUT, layer),
        norms ? vector(TensorRole.QUERY_NORM, layer) : new float[0],
        norms ? vector(TensorRole.KEY_NORM, layer) : new float[0],
        vector(TensorRole.MLP_NORM, layer),
        config.hasExperts(layer)
            ? new Weights.MoeMlp(linear(TensorRole.ROUTER, layer))
            : new Weights.DenseMlp(
                new ExpertStore.Expert(
                    linear(TensorRole.MLP_GATE, layer),
                    linear(TensorRole.MLP_UP, layer),
                    linear(TensorRole.MLP_DOWN, layer))));
  }

  private List<ExpertStore.Expert> experts(int layer) throws IOException {
    List<ExpertStore.Expert> experts = new ArrayList<>();
    for (int expert = 0; expert < config.numExperts(); expert++) {
      experts.add(
          new ExpertStore.Expert(
              expertLinear(new TensorKey(TensorRole.EXPERT_GATE, layer, expert)),
              expertLinear(new TensorKey(TensorRole.EXPERT_UP, layer, expert)),
              expertLinear(new TensorKey(TensorRole.EXPERT_DOWN, layer, expert))));
    }
    return experts;
  }

  private Linear expertLinear(TensorKey key) throws IOException {
    return switch (source) {
      case ModelSource.Folder folder -> linear(key);
      case ModelSource.Packed packed -> {
        ExpertMatrix matrix = packed.expertMatrix(key);
        ExpertFile file = packed.pack().expertFile(key.layer()).orElseThrow();
        MemorySegment data = file.data(key.expert(), matrix);
        yield matrix.scheme().isPresent()
            ? packed(
                key,
                matrix.rows(),
                matrix.cols(),
                matrix.scheme().get(),
                matrix.codebook(),
                matrix.scaleTable(),
                data,
                packed.pack().manifest().seed())
            : plain(key, matrix.dense().orElseThrow(), matrix.rows(), matrix.cols(), data);
      }
    };
  }

  private Linear linear(TensorRole role, int layer) throws IOException {
    return linear(new TensorKey(role, layer, -1));
  }

  private Linear linear(TensorKey key) throws IOException {
    TensorInfo info = source.tensor(key);
    MemorySegment data = source.files().map(info);
    if (source instanceof ModelSource.Packed packed) {
      PackManifest manifest = packed.pack().manifest();
      PackManifest.QuantizedTensor tensor = manifest.tensors().get(info.name());
      if (tensor != null) {
        return packed(
            key,
            tensor.rows(),
            tensor.cols(),
            tensor.scheme(),
            tensor.codebook(),
            tensor.scaleTable(),
            data,
            manifest.seed());
      }
    }
    int rows = Math.toIntExact(info.shape().get(0));
    int cols = Math.toIntExact(info.shape().get(1));
    return plain(key, info.dtype(), rows, cols, data);
  }

  private Linear packed(
      TensorKey key,
      int rows,
      int cols,
      QuantScheme scheme,
      float[] codebook,
      float[] scaleTable,
      MemorySegment data,
      long seed)
      throws FormatException {
    Rotation.Input input =
        key.role()
            .input()
            .orElseThrow(() ->
                new FormatException(
                    "%s: %s is quantized, which this reader does not allow"
                        .formatted(source.path(), key.describe())));
    TileLayout layout = scheme.layout(rows, cols);
    Matrix.Packed weight =
        new Matrix.Packed(layout, data.asSlice(0, layout.bytes()), codebook, scaleTable);
    Optional<Linear.Residual> residual = Optional.empty();
    if (scheme.qjl()) {
      TileLayout signs = scheme.residualLayout(rows, cols);
      MemorySegment signData = data.asSlice(layout.bytes(), signs.bytes());
      residual =
          Optional.of(
              new Linear.Residual(
                  new Matrix.Packed(signs, signData, SIGNS, new float[0]),
                  rotation(true, key.layer(), input, true, cols, seed)));
    }
    Rotation rotation = rotation(scheme.rotated(), key.layer(), input, false, cols, seed);
    return new Linear(weight, rotation, residual);
  }

  private Rotation rotation(
      boolean rotated, int layer, Rotation.Input input, boolean residual, int length, long seed) {
    // The identity depends on the length alone.
    RotationKey key =
        rotated
            ? new RotationKey(false, layer, input, residual, length)
            : new RotationKey(true, -1, Rotation.Input.ATTENTION, false, length);
    return rotations.computeIfAbsent(
        key,
        k ->
            k.none
                ? Rotation.none(length)
                : k.residual
                    ? Rotation.residual(seed, layer, input, length)
                    : Rotation.hadamard(seed, layer, input, length));
  }

  private Linear plain(TensorKey key, DType dtype, int rows, int cols, MemorySegment data)
      throws FormatException {
    Rotation none = rotation(false, -1, Rotation.Input.ATTENTION, false, cols, 0);
    Optional<Matrix.Element> element =
        switch (dtype) {
          case F32 -> Optional.of(Matrix.Element.F32);
          case F16 -> Optional.of(Matrix.Element.F16);
          case BF16 -> Optional.of(Matrix.Element.BF16);
          default -> Optional.empty();
        };
    Matrix.Dense matrix =
        element.isPresent()
            ? new Matrix.Dense(element.get(), rows, cols, data)
            : new Matrix.Dense(
                Matrix.Element.F32, rows, cols, converted(key, dtype, rows, cols, data));
    return new Linear(matrix, none, Optional.empty());
  }

  private MemorySegment converted(
      TensorKey key, DType dtype, int rows, int cols, MemorySegment data) throws FormatException {
    checkConvertible(key, dtype);
    MemorySegment floats =
        arena.allocate(Math.multiplyExact((long) rows * Float.BYTES, (long) cols), Float.BYTES);
    float[] row = new float[cols];
    for (int r = 0; r < rows; r++) {
      FloatConversion.toFloat(dtype, data, dtype.bytes((long) r * cols), row, 0, cols);
      MemorySegment.copy(row, 0, floats, FLOAT, (long) r * cols * Float.BYTES, cols);
    }
    return floats;
  }

  private float[] vector(TensorRole role, int layer) throws IOException {
    TensorKey key = new TensorKey(role, layer, -1);
    TensorInfo info = source.tensor(key);
    checkConvertible(key, info.dtype());
    float[] vector = new float[Math.toIntExact(info.elements())];
    MemorySegment data = source.files().map(info);
    FloatConversion.toFloat(info.dtype(), data, 0, vector, 0, vector.length);
    return vector;
  }

  private void checkConvertible(TensorKey key, DType dtype) throws FormatException {
    boolean isFloat = dtype.name().startsWith("F") || dtype == DType.BF16;
    if (!isFloat || !FloatConversion.supports(dtype)) {
      throw FormatException.of(
          source.path(),
          "tensor '" + source.name(key) + "'",
          "dtype of " + key.describe(),
          "F32, F16, BF16, F64 or F8",
          dtype,
          "");
    }
  }
}
