package dev.quern.model;

import dev.quern.format.ElementChange;
import dev.quern.format.ExpertFile;
import dev.quern.format.ExpertMatrix;
import dev.quern.format.Extent;
import dev.quern.format.FormatException;
import dev.quern.format.Pack;
import dev.quern.format.PackManifest;
import dev.quern.format.RawTensor;
import dev.quern.format.RowDecoder;
import dev.quern.format.RowEncoding;
import dev.quern.format.RowMap;
import dev.quern.format.StoredMatrix;
import dev.quern.format.TensorFiles;
import dev.quern.format.TensorInfo;
import dev.quern.format.gguf.GgufFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A model on disk, as everybody reads it: a Hugging Face folder, a GGUF file or a pack. Opening
 * checks that every tensor the configuration asks for is there with its shape; nothing else is
 * read. Files stay mapped until {@link #close}.
 */
public sealed interface ModelSource extends AutoCloseable {
  String CONFIG_NAME = "config.json";

  /** The folder or file; a folder also holds the tokenizer's files. */
  Path path();

  ModelConfig config();

  /**
   * Where a tensor lies that is stored as numbers of some kind; vectors are one row.
   *
   * @throws FormatException if it is missing or its shape is not {@link ModelConfig#shape}
   */
  StoredMatrix stored(TensorKey key) throws FormatException;

  /** Whether the head has weights of its own, not the embedding's. */
  default boolean hasHead() {
    return !config().tieWordEmbeddings();
  }

  /** Bytes in place in a mapped file; valid until {@link #close}. */
  MemorySegment map(Extent extent);

  @Override
  void close();

  /**
   * A model as somebody else wrote it: a folder of safetensors with {@code config.json}, or GGUF.
   *
   * @param leftAside what the files hold beside the model
   */
  record Unconverted(
      Path path,
      ModelConfig config,
      TensorFiles files,
      TensorResolver resolver,
      List<LeftAside> leftAside)
      implements ModelSource {

    @Override
    public StoredMatrix stored(TensorKey key) throws FormatException {
      return resolver.resolve(key);
    }

    @Override
    public MemorySegment map(Extent extent) {
      return files.map(extent);
    }

    @Override
    public void close() {
      files.close();
    }
  }

  /** A converted model. */
  record Packed(Path path, ModelConfig config, Pack pack) implements ModelSource {

    /** How a tensor outside the experts is quantized; empty where it is not. */
    public Optional<PackManifest.QuantizedTensor> quantized(TensorKey key) throws FormatException {
      PackManifest.QuantizedTensor tensor = pack.manifest().tensors().get(key.path());
      if (tensor != null) {
        checkShape(key, List.of((long) tensor.rows(), (long) tensor.cols()));
      }
      return Optional.ofNullable(tensor);
    }

    /** The packed bytes of a tensor that is {@link #quantized}. */
    public MemorySegment packedBytes(TensorKey key) throws FormatException {
      return pack.dense().map(info(key));
    }

    @Override
    public StoredMatrix stored(TensorKey key) throws FormatException {
      TensorInfo info = info(key);
      checkShape(key, info.shape());
      RawTensor raw = pack.dense().rawTensors().get(info.name());
      int cols = Math.toIntExact(info.shape().getLast());
      int rows = Math.toIntExact(info.elements() / cols);
      return new StoredMatrix(
          info.name(),
          rows,
          cols,
          RowMap.range(rows, 0),
          cols,
          new RowEncoding.Plain(info.dtype()),
          ElementChange.NONE,
          List.of(raw.extent()));
    }

    /** That of a tied model, too, where the two are stored at different bits. */
    @Override
    public boolean hasHead() {
      return ModelSource.super.hasHead() || has(TensorKey.of(TensorRole.HEAD));
    }

    /** Whether a tensor lies among the dense ones. */
    boolean has(TensorKey key) {
      return pack.dense().tensors().containsKey(key.path());
    }

    private TensorInfo info(TensorKey key) throws FormatException {
      TensorInfo info = pack.dense().tensors().get(key.path());
      if (info == null) {
        throw new FormatException(
            "%s: no tensor %s in %s. Convert again.".formatted(path, key.path(), Pack.DENSE_NAME));
      }
      return info;
    }

    private void checkShape(TensorKey key, List<Long> shape) throws FormatException {
      if (!shape.equals(config.shape(key))) {
        throw FormatException.of(
            path.resolve(Pack.DENSE_NAME),
            "tensor '" + key.path() + "'",
            "shape of " + key.describe(),
            config.shape(key),
            shape,
            "Do manifest and weights belong together?");
      }
    }

    /**
     * How an expert's matrix is stored.
     *
     * @throws FormatException if the layer's file is missing or has other sizes
     */
    public ExpertMatrix expertMatrix(TensorKey key) throws FormatException {
      return matrix(key, pack.expertFile(key.layer()), Pack.expertPath(key.layer()));
    }

    /**
     * How the matrix of an expert's stand-in is stored.
     *
     * @throws FormatException as {@link #expertMatrix}
     */
    public ExpertMatrix standInMatrix(TensorKey key) throws FormatException {
      return matrix(key, pack.standInFile(key.layer()), Pack.standInPath(key.layer()));
    }

    private ExpertMatrix matrix(TensorKey key, Optional<ExpertFile> ofLayer, String name)
        throws FormatException {
      ExpertFile file =
          ofLayer.orElseThrow(
              () -> new FormatException(path + ": no " + name + ". Convert again."));
      ExpertMatrix matrix = file.matrix(expertRole(key.role()));
      List<Long> shape = List.of((long) matrix.rows(), (long) matrix.cols());
      if (file.numExperts() != config.numExperts() || !shape.equals(config.shape(key))) {
        throw FormatException.of(
            file.file(),
            "header",
            "sizes of " + key.describe(),
            config.numExperts() + " experts of " + config.shape(key),
            file.numExperts() + " experts of " + shape,
            "Do manifest and experts belong together?");
      }
      return matrix;
    }

    @Override
    public MemorySegment map(Extent extent) {
      return pack.dense().map(extent);
    }

    @Override
    public void close() {
      pack.close();
    }
  }

  /**
   * @param path a folder of a model, a pack, or a GGUF file
   * @throws FormatException if a file is wrong, the family is not supported, or a tensor is missing
   *     or of another shape than the configuration says
   */
  static ModelSource open(Path path) throws IOException {
    try {
      return openAny(path);
    } catch (ArithmeticException e) {
      throw new FormatException(
          path + ": sizes of tensors: expected a model that a machine can hold", e);
    }
  }

  private static ModelSource openAny(Path path) throws IOException {
    if (!Files.exists(path)) {
      throw new NoSuchFileException(path.toString());
    }
    if (GgufFile.isGguf(path)) {
      return GgufModel.open(path);
    }
    // An interrupted conversion leaves everything but the manifest: opening it as a pack says so.
    boolean packed =
        Pack.isPack(path)
            || Files.exists(path.resolve(Pack.DENSE_NAME))
            || Files.isDirectory(path.resolve(Pack.EXPERTS_FOLDER));
    if (packed) {
      return openPack(path);
    }
    if (Files.isRegularFile(path.resolve(CONFIG_NAME))) {
      return HuggingFaceModel.open(path);
    }
    throw new FormatException(
        "%s: neither %s nor %s here%s"
            .formatted(path, CONFIG_NAME, PackManifest.NAME, adviceFor(path)));
  }

  private static String adviceFor(Path path) throws IOException {
    if (Files.isDirectory(path)) {
      try (Stream<Path> files = Files.list(path)) {
        Optional<String> gguf =
            files
                .map(file -> file.getFileName().toString())
                .filter(name -> name.endsWith(".gguf"))
                .min(Comparator.naturalOrder());
        if (gguf.isPresent()) {
          return ". A GGUF file is named itself: " + path.resolve(gguf.get());
        }
      }
    }
    return ". Is it the folder of a model, or a .gguf file?";
  }

  private static ModelSource openPack(Path path) throws IOException {
    Pack pack = Pack.open(path);
    try {
      Path manifest = path.resolve(PackManifest.NAME);
      Packed source = new Packed(path, ConfigJson.read(pack.manifest().model(), manifest), pack);
      Iterator<TensorKey> keys = source.config().tensorKeys().iterator();
      while (keys.hasNext()) {
        TensorKey key = keys.next();
        if (key.role().scope() == TensorRole.Scope.EXPERT) {
          source.expertMatrix(key);
          if (pack.hasStandIns()) {
            source.standInMatrix(key);
          }
        } else if (source.quantized(key).isEmpty()) {
          source.stored(key);
        }
      }
      return source;
    } catch (Throwable e) {
      pack.close();
      throw e;
    }
  }

  /** All values of a small tensor as the forward pass expects them. */
  default float[] values(TensorKey key) throws FormatException {
    StoredMatrix matrix = stored(key);
    float[] values = new float[Math.toIntExact(matrix.elements())];
    RowDecoder rows = RowDecoder.of(matrix, this::map);
    for (int row = 0; row < matrix.rows(); row++) {
      rows.row(row, values, row * matrix.cols());
    }
    return values;
  }

  /** The part of an expert's record that a role is. */
  static ExpertMatrix.Role expertRole(TensorRole role) {
    return switch (role) {
      case EXPERT_GATE -> ExpertMatrix.Role.GATE;
      case EXPERT_UP -> ExpertMatrix.Role.UP;
      case EXPERT_DOWN -> ExpertMatrix.Role.DOWN;
      default -> throw new IllegalArgumentException(role.label() + " is no part of an expert");
    };
  }
}
