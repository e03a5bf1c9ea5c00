package dev.quern.converter.plan;

import dev.quern.format.DType;
import dev.quern.format.FloatConversion;
import dev.quern.format.FormatException;
import dev.quern.format.RowEncoding;
import dev.quern.format.StoredMatrix;
import dev.quern.model.ModelSource;
import dev.quern.model.TensorKey;
import dev.quern.model.TensorRole;
import dev.quern.quant.QuantScheme;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Plans the conversion of a model. Reads its configuration and headers only. */
public final class Planner {
  private static final TensorKey EMBEDDING = TensorKey.of(TensorRole.EMBEDDING);
  private static final TensorKey HEAD = TensorKey.of(TensorRole.HEAD);
  private final ModelSource.Unconverted source;
  private final Precision precision;

  private Planner(ModelSource.Unconverted source, Precision precision) {
    this.source = source;
    this.precision = precision;
  }

  /**
   * @param chunkBytes input of one piece of work, about; at least one expert
   * @throws FormatException if the model is damaged, incomplete, of an unknown family or converted
   *     already
   */
  public static ConversionPlan plan(Path model, Precision precision, long chunkBytes)
      throws IOException {
    try (ModelSource source = ModelSource.open(model)) {
      return switch (source) {
        case ModelSource.Unconverted unconverted ->
            new Planner(unconverted, precision).plan(chunkBytes);
        case ModelSource.Packed packed ->
            throw new FormatException(
                packed.path() + " is a pack already: convert the model it was made from");
      };
    }
  }

  private ConversionPlan plan(long chunkBytes) throws IOException {
    List<OutputFile.Layer> layers = new ArrayList<>();
    List<Chunk.Dense> chunks = new ArrayList<>();
    List<PlannedTensor> copied = new ArrayList<>();
    for (TensorKey key : keys()) {
      if (key.role().scope() != TensorRole.Scope.EXPERT) {
        addDense(planned(key, key), chunks, copied);
      }
    }
    if (needsHeadOfItsOwn()) {
      addDense(planned(HEAD, EMBEDDING), chunks, copied);
    }
    List<OutputFile.Layer> standIns = new ArrayList<>();
    for (int layer = 0; layer < source.config().numLayers(); layer++) {
      if (source.config().hasExperts(layer)) {
        layers.add(layer(layer, chunkBytes, Optional.empty()));
        if (precision.standIns().isPresent()) {
          standIns.add(layer(layer, chunkBytes, precision.standIns()));
        }
      }
    }
    return new ConversionPlan(
        source.config(),
        precision,
        layers,
        standIns,
        new OutputFile.DenseTensors(chunks, copied),
        source.leftAside());
  }

  private List<TensorKey> keys() {
    return source.config().tensorKeys().toList();
  }

  /** One matrix serves as embedding and head unless they are stored differently. */
  private boolean needsHeadOfItsOwn() {
    return source.config().tieWordEmbeddings() && !scheme(HEAD).equals(scheme(EMBEDDING));
  }

  private static void addDense(
      PlannedTensor tensor, List<Chunk.Dense> chunks, List<PlannedTensor> copied) {
    if (tensor.quantized()) {
      chunks.add(new Chunk.Dense(chunks.size(), tensor));
    } else {
      copied.add(tensor);
    }
  }

  /**
   * @param standIn how low-bit copies are quantized; empty for the experts themselves
   */
  private OutputFile.Layer layer(int layer, long chunkBytes, Optional<QuantScheme> standIn)
      throws IOException {
    List<List<PlannedTensor>> experts = new ArrayList<>();
    for (int expert = 0; expert < source.config().numExperts(); expert++) {
      List<PlannedTensor> matrices = new ArrayList<>();
      for (TensorRole role :
          List.of(TensorRole.EXPERT_GATE, TensorRole.EXPERT_UP, TensorRole.EXPERT_DOWN)) {
        TensorKey key = new TensorKey(role, layer, expert);
        PlannedTensor planned = planned(key, key);
        matrices.add(
            standIn.isPresent() ? planned.storedAs(quantized(role, standIn.get())) : planned);
      }
      experts.add(matrices);
    }
    checkSameTypes(experts);
    long expertBytes = experts.getFirst().stream().mapToLong(t -> t.source().bytes()).sum();
    int perChunk = (int) Math.clamp(chunkBytes / expertBytes, 1, experts.size());
    List<Chunk.Experts> chunks = new ArrayList<>();
    for (int first = 0; first < experts.size(); first += perChunk) {
      int count = Math.min(perChunk, experts.size() - first);
      List<PlannedTensor> matrices =
          experts.subList(first, first + count).stream().flatMap(List::stream).toList();
      chunks.add(new Chunk.Experts(standIn.isPresent(), layer, first, count, matrices));
    }
    return new OutputFile.Layer(standIn.isPresent(), layer, experts.size(), chunks);
  }

  /** Records of one file have one shape, so what is stored as numbers must have one type. */
  private static void checkSameTypes(List<List<PlannedTensor>> experts) throws FormatException {
    for (List<PlannedTensor> expert : experts) {
      for (int i = 0; i < expert.size(); i++) {
        Storage expected = experts.getFirst().get(i).storage();
        PlannedTensor tensor = expert.get(i);
        if (!tensor.quantized() && !tensor.storage().equals(expected)) {
          throw FormatException.of(
              Path.of(tensor.source().extents().getFirst().file()),
              "tensor '" + tensor.source().name() + "'",
              "type",
              expected + " as of expert 0",
              tensor.storage(),
              "Quantize this projection: experts at full precision must share a type.");
        }
      }
    }
  }

  /**
   * @param stored what it is in the pack
   * @param read what it is in the source: the embedding for the head of a tied model
   */
  private PlannedTensor planned(TensorKey stored, TensorKey read) throws IOException {
    StoredMatrix matrix = source.stored(read);
    if (matrix.encoding() instanceof RowEncoding.Plain(DType dtype)
        && !FloatConversion.supports(dtype)) {
      throw FormatException.of(
          Path.of(matrix.extents().getFirst().file()),
          "tensor '" + matrix.name() + "'",
          "dtype",
          "a type of numbers",
          dtype,
          "It cannot be converted.");
    }
    return new PlannedTensor(
        stored.path(),
        stored.role(),
        stored.layer(),
        stored.expert(),
        source.config().shape(read),
        matrix,
        scheme(stored)
            .<Storage>map(s -> quantized(stored.role(), s))
            .orElseGet(() -> new Storage.Numbers(stored.role().keptAs(matrix.encoding()))));
  }

  private Optional<QuantScheme> scheme(TensorKey key) {
    return precision.scheme(key.role(), key.layer(), source.config().tieWordEmbeddings());
  }

  private Storage.Quantized quantized(TensorRole role, QuantScheme scheme) {
    return new Storage.Quantized(scheme, role.input().orElseThrow(), precision.seed());
  }
}
