package dev.quern.model;

import dev.quern.experts.ExpertStore;
import dev.quern.experts.ExpertViews;
import dev.quern.experts.ResidentExperts;
import dev.quern.experts.StandInStore;
import dev.quern.format.DType;
import dev.quern.format.ExpertFile;
import dev.quern.format.FloatConversion;
import dev.quern.format.FormatException;
import dev.quern.format.PackManifest;
import dev.quern.format.RowDecoder;
import dev.quern.format.RowEncoding;
import dev.quern.format.StoredMatrix;
import dev.quern.kernels.Matrix;
import dev.quern.quant.Linear;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Makes {@link Weights} of a source. Packed and 16- or 32-bit matrices are used where they lie;
 * others are converted to float32 once, in memory of the given arena.
 */
final class WeightsLoader {
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final ModelSource source;
  private final ModelConfig config;
  private final Arena arena;
  private final PackedMaps maps;

  private WeightsLoader(ModelSource source, Arena arena) {
    this.source = source;
    this.config = source.config();
    this.arena = arena;
    maps = new PackedMaps(source.path());
  }

  /** Opens a store that reads the experts of a pack when they are needed. */
  @FunctionalInterface
  interface StoreOpener {
    ExpertStore open(ModelSource.Packed pack, ExpertViews views) throws IOException;
  }

  /**
   * All experts in the mapped files.
   *
   * @param arena lives as long as the weights
   * @throws FormatException if a tensor's type cannot be converted
   */
  static Weights load(ModelSource source, Arena arena) throws IOException {
    WeightsLoader loader = new WeightsLoader(source, arena);
    List<List<ExpertStore.Expert>> experts = new ArrayList<>();
    for (int layer = 0; layer < loader.config.numLayers(); layer++) {
      experts.add(loader.config.hasExperts(layer) ? loader.experts(layer) : List.of());
    }
    return loader.load(new ResidentExperts(experts));
  }

  /**
   * Experts from the store that the opener makes.
   *
   * @param standInBits of the pack's stand-ins, which answer for experts that are not in memory; 0
   *     to do without
   * @throws FormatException as {@link #load(ModelSource, Arena)}, or if the pack has no such
   *     stand-ins
   */
  static Weights load(ModelSource.Packed pack, Arena arena, StoreOpener opener, int standInBits)
      throws IOException {
    WeightsLoader loader = new WeightsLoader(pack, arena);
    PackedExperts experts = new PackedExperts(pack, loader.maps);
    List<List<ExpertStore.Expert>> standIns =
        standInBits > 0 ? experts.standIns(standInBits) : List.of();
    ExpertStore store = opener.open(pack, experts.views());
    try {
      return loader.load(standInBits > 0 ? new StandInStore(store, standIns) : store);
    } catch (Throwable e) {
      store.close();
      throw e;
    }
  }

  /** One map alone, an expert's or another. */
  static Linear map(ModelSource source, TensorKey key, Arena arena) throws IOException {
    WeightsLoader loader = new WeightsLoader(source, arena);
    return key.role().scope() == TensorRole.Scope.EXPERT
        ? loader.expertLinear(key)
        : loader.linear(key.role(), key.layer());
  }

  private Weights load(ExpertStore experts) throws IOException {
    List<Weights.Layer> layers = new ArrayList<>();
    for (int layer = 0; layer < config.numLayers(); layer++) {
      layers.add(layer(layer));
    }
    Linear embedding = linear(TensorRole.EMBEDDING, -1);
    return new Weights(
        embedding,
        List.copyOf(layers),
        vector(TensorRole.FINAL_NORM, -1),
        source.hasHead() ? linear(TensorRole.HEAD, -1) : embedding,
        experts);
  }

  private Weights.Layer layer(int layer) throws IOException {
    ModelConfig.Layer kind = config.layers().get(layer);
    return new Weights.Layer(
        vector(TensorRole.ATTENTION_NORM, layer),
        mixer(kind.mixer(), layer),
        vector(TensorRole.MLP_NORM, layer),
        switch (kind.feedForward()) {
          case FeedForward.Dense dense ->
              new Weights.DenseMlp(
                  new ExpertStore.Expert(
                      linear(TensorRole.MLP_GATE, layer),
                      linear(TensorRole.MLP_UP, layer),
                      linear(TensorRole.MLP_DOWN, layer)));
          case FeedForward.Experts experts -> moe(experts, layer);
        });
  }

  private Weights.Mixer mixer(TokenMixer kind, int layer) throws IOException {
    return switch (kind) {
      case TokenMixer.GroupedQuery m ->
          new Weights.GroupedQuery(
              m,
              linear(TensorRole.QUERY, layer),
              linear(TensorRole.KEY, layer),
              linear(TensorRole.VALUE, layer),
              linear(TensorRole.ATTENTION_OUTPUT, layer),
              vector(TensorRole.QUERY_BIAS, layer),
              vector(TensorRole.KEY_BIAS, layer),
              vector(TensorRole.VALUE_BIAS, layer),
              vector(TensorRole.ATTENTION_OUTPUT_BIAS, layer),
              vector(TensorRole.QUERY_NORM, layer),
              vector(TensorRole.KEY_NORM, layer),
              vector(TensorRole.SINKS, layer));
      case TokenMixer.Latent m ->
          new Weights.Latent(
              m,
              m.queryRank() == 0
                  ? Optional.empty()
                  : Optional.of(
                      new Weights.QueryDown(
                          linear(TensorRole.QUERY_DOWN, layer),
                          vector(TensorRole.QUERY_DOWN_NORM, layer))),
              linear(m.queryRank() == 0 ? TensorRole.QUERY : TensorRole.QUERY_UP, layer),
              linear(TensorRole.LATENT, layer),
              vector(TensorRole.LATENT_NORM, layer),
              perHead(TensorRole.KEY_UP, layer, m.latentSize()),
              perHead(TensorRole.VALUE_UP, layer, m.valueDim()),
              linear(TensorRole.ATTENTION_OUTPUT, layer));
      case TokenMixer.DeltaNet m ->
          new Weights.DeltaNet(
              m,
              linear(TensorRole.DELTA_QUERY, layer),
              linear(TensorRole.DELTA_KEY, layer),
              linear(TensorRole.DELTA_VALUE, layer),
              linear(TensorRole.DELTA_GATE, layer),
              linear(TensorRole.DELTA_BETA, layer),
              linear(TensorRole.DELTA_ALPHA, layer),
              vector(TensorRole.DELTA_CONVOLUTION, layer),
              vector(TensorRole.DELTA_DECAY, layer),
              vector(TensorRole.DELTA_TIME_BIAS, layer),
              vector(TensorRole.DELTA_NORM, layer),
              linear(TensorRole.DELTA_OUTPUT, layer));
    };
  }

  private Weights.MoeMlp moe(FeedForward.Experts experts, int layer) throws IOException {
    Optional<Weights.SharedExpert> shared = Optional.empty();
    if (experts.sharedSize() > 0) {
      ExpertStore.Expert expert =
          new ExpertStore.Expert(
              linear(TensorRole.SHARED_GATE, layer),
              linear(TensorRole.SHARED_UP, layer),
              linear(TensorRole.SHARED_DOWN, layer));
      shared =
          Optional.of(
              new Weights.SharedExpert(
                  expert,
                  experts.sharedGate()
                      ? Optional.of(linear(TensorRole.SHARED_ROUTER, layer))
                      : Optional.empty()));
    }
    return new Weights.MoeMlp(
        experts,
        linear(TensorRole.ROUTER, layer),
        vector(TensorRole.ROUTER_BIAS, layer),
        vector(TensorRole.SELECTION_BIAS, layer),
        vector(TensorRole.EXPERT_GATE_BIAS, layer),
        vector(TensorRole.EXPERT_UP_BIAS, layer),
        vector(TensorRole.EXPERT_DOWN_BIAS, layer),
        shared);
  }

  /** The blocks of rows that belong to one head each. */
  private List<Matrix> perHead(TensorRole role, int layer, int rows) throws FormatException {
    StoredMatrix matrix = source.stored(new TensorKey(role, layer, -1));
    Matrix.Dense all =
        inPlace(matrix)
            .orElseGet(() -> {
              MemorySegment floats = converted(matrix);
              return new Matrix.Dense(Matrix.Element.F32, matrix.rows(), matrix.cols(), floats);
            });
    List<Matrix> heads = new ArrayList<>();
    long headBytes = (long) rows * all.cols() * all.element().bytes();
    for (long at = 0; at < all.bytes(); at += headBytes) {
      heads.add(
          new Matrix.Dense(all.element(), rows, all.cols(), all.data().asSlice(at, headBytes)));
    }
    return List.copyOf(heads);
  }

  private List<ExpertStore.Expert> experts(int layer) throws IOException {
    if (source instanceof ModelSource.Packed packed) {
      packed.pack().expertFile(layer).orElseThrow().preferHugePages();
    }
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
      case ModelSource.Unconverted unconverted -> plain(key);
      case ModelSource.Packed packed -> {
        ExpertFile file = packed.pack().expertFile(key.layer()).orElseThrow();
        yield new PackedExperts(packed, maps)
            .map(packed.expertMatrix(key), file.file(), key, file.record(key.expert()));
      }
    };
  }

  private Linear linear(TensorRole role, int layer) throws IOException {
    TensorKey key = new TensorKey(role, layer, -1);
    if (source instanceof ModelSource.Packed packed) {
      Optional<PackManifest.QuantizedTensor> quantized = packed.quantized(key);
      if (quantized.isPresent()) {
        PackManifest.QuantizedTensor tensor = quantized.get();
        return maps.packed(
            key,
            tensor.rows(),
            tensor.cols(),
            tensor.scheme(),
            tensor.codebook(),
            tensor.scaleTable(),
            packed.packedBytes(key),
            packed.pack().manifest().seed());
      }
    }
    return plain(key);
  }

  /** Used where it lies if the kernels can multiply it there, else decoded row by row. */
  private Linear plain(TensorKey key) throws FormatException {
    StoredMatrix matrix = source.stored(key);
    checkNumbers(key, matrix);
    Optional<Matrix.Dense> inPlace = inPlace(matrix);
    Matrix weight =
        inPlace.isPresent()
            ? inPlace.get()
            : new Matrix.Decoded(
                matrix.rows(), matrix.cols(), matrix.bytes(), RowDecoder.of(matrix, source::map));
    return new Linear(weight, maps.identity(matrix.cols()), Optional.empty());
  }

  private Optional<Matrix.Dense> inPlace(StoredMatrix matrix) {
    if (!matrix.inOnePiece()
        || !(matrix.encoding() instanceof RowEncoding.Plain(DType dtype))
        || element(dtype).isEmpty()) {
      return Optional.empty();
    }
    MemorySegment data =
        source
            .map(matrix.extents().getFirst())
            .asSlice(matrix.firstByte(), dtype.bytes(matrix.elements()));
    return Optional.of(new Matrix.Dense(element(dtype).get(), matrix.rows(), matrix.cols(), data));
  }

  /** How the kernels know a type; empty if they cannot multiply it. */
  static Optional<Matrix.Element> element(DType dtype) {
    return switch (dtype) {
      case F32 -> Optional.of(Matrix.Element.F32);
      case F16 -> Optional.of(Matrix.Element.F16);
      case BF16 -> Optional.of(Matrix.Element.BF16);
      default -> Optional.empty();
    };
  }

  private MemorySegment converted(StoredMatrix matrix) {
    MemorySegment floats =
        arena.allocate(Math.multiplyExact(matrix.elements(), Float.BYTES), Float.BYTES);
    float[] row = new float[matrix.cols()];
    RowDecoder decoder = RowDecoder.of(matrix, source::map);
    for (int r = 0; r < matrix.rows(); r++) {
      decoder.row(r, row, 0);
      MemorySegment.copy(
          row, 0, floats, FLOAT, (long) r * matrix.cols() * Float.BYTES, matrix.cols());
    }
    return floats;
  }

  /** The values of a vector; none if the layer has no such tensor. */
  private float[] vector(TensorRole role, int layer) throws IOException {
    TensorKey key = new TensorKey(role, layer, -1);
    if (layer >= 0 && !TensorShapes.rolesOf(config.layers().get(layer)).contains(role)) {
      return new float[0];
    }
    checkNumbers(key, source.stored(key));
    return source.values(key);
  }

  private void checkNumbers(TensorKey key, StoredMatrix matrix) throws FormatException {
    boolean numbers =
        !(matrix.encoding() instanceof RowEncoding.Plain(DType dtype))
            || FloatConversion.supports(dtype) && dtype.name().matches("B?F.*");
    if (!numbers) {
      throw FormatException.of(
          source.path(),
          "tensor '" + matrix.name() + "'",
          "dtype of " + key.describe(),
          "F32, F16, BF16, F64 or F8",
          matrix.encoding().label(),
          "");
    }
  }
}
