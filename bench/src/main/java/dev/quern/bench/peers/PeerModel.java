package dev.quern.bench.peers;

import dev.quern.bench.speed.SpeedCost;
import dev.quern.bench.speed.SpeedTest;
import dev.quern.format.DType;
import dev.quern.format.FormatException;
import dev.quern.format.StoredMatrix;
import dev.quern.format.TensorInfo;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelSource;
import dev.quern.model.TensorKey;
import dev.quern.model.TensorRole;
import dev.quern.model.TensorRole.Component;
import dev.quern.model.TokenMixer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;

/**
 * A model file that a peer runs, and what its weights take: counted in the file itself, not taken
 * from the name of a quantization.
 *
 * @param name see {@code SpeedSubject.model}
 * @param quantization the type that most weights have, {@code mostly} if there are others among the
 *     matrices
 * @param bytes of all tensors
 * @param touched bytes that decoding one token reads, by component
 * @param cacheType of keys and values
 */
public record PeerModel(
    Path file,
    String name,
    String quantization,
    boolean randomWeights,
    ModelConfig config,
    long bytes,
    Map<Component, Long> touched,
    DType cacheType) {

  public PeerModel {
    touched = Map.copyOf(touched);
  }

  /**
   * @param file GGUF, of types that quern reads
   * @param name of the model
   */
  public static PeerModel read(Path file, String name, boolean randomWeights) throws IOException {
    try (ModelSource source = ModelSource.open(file)) {
      ModelConfig config = source.config();
      Contents contents =
          key -> {
            StoredMatrix matrix = source.stored(key);
            return new Stored(matrix.bytes(), matrix.encoding().label());
          };
      // What llama.cpp and its relatives keep keys and values in.
      return of(file, name, randomWeights, config, contents, DType.F16);
    }
  }

  /** What a file holds of a tensor. */
  record Stored(long bytes, String encoding) {}

  /** Where tensors are looked up. */
  @FunctionalInterface
  interface Contents {
    Stored of(TensorKey key) throws FormatException;
  }

  static PeerModel of(
      Path file,
      String name,
      boolean randomWeights,
      ModelConfig config,
      Contents contents,
      DType cacheType)
      throws FormatException {
    Map<Component, Long> touched = new EnumMap<>(Component.class);
    Map<String, Long> weights = new HashMap<>();
    long bytes = 0;
    Iterator<TensorKey> keys = config.tensorKeys().iterator();
    while (keys.hasNext()) {
      TensorKey key = keys.next();
      Stored stored = contents.of(key);
      bytes += stored.bytes();
      touched.merge(key.role().component(), touched(config, key, stored.bytes()), Long::sum);
      if (key.role().input().isPresent()) {
        weights.merge(stored.encoding(), TensorInfo.elements(config.shape(key)), Long::sum);
      }
    }
    return new PeerModel(
        file, name, quantization(weights), randomWeights, config, bytes, touched, cacheType);
  }

  /** Of the experts the first topK stand for those that a token chooses. */
  private static long touched(ModelConfig config, TensorKey key, long bytes) {
    if (key.expert() >= config.topK()) {
      return 0;
    }
    boolean oneRow = key.role() == TensorRole.EMBEDDING && !config.tieWordEmbeddings();
    return oneRow ? bytes / config.vocabSize() : bytes;
  }

  private static String quantization(Map<String, Long> weights) {
    String most =
        weights.entrySet().stream().max(Map.Entry.comparingByValue()).orElseThrow().getKey();
    return weights.size() == 1 ? most : "mostly " + most;
  }

  /** Everything stored counts. */
  public double bitsPerWeight() {
    return (double) bytes * Byte.SIZE / config.totalParameters();
  }

  long touchedBytes() {
    return touched.values().stream().mapToLong(Long::longValue).sum();
  }

  SpeedCost cost(SpeedTest test) {
    return SpeedCost.of(config, touched, cacheBytes(), test);
  }

  /** Of one position in all layers. */
  private long cacheBytes() {
    long elements = 0;
    for (ModelConfig.Layer layer : config.layers()) {
      elements +=
          switch (layer.mixer()) {
            case TokenMixer.GroupedQuery m -> 2L * m.keyValueSize();
            case TokenMixer.Latent m -> m.cachedSize();
            case TokenMixer.DeltaNet m -> 0;
          };
    }
    return cacheType.bytes(elements);
  }
}
