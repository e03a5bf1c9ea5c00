package dev.quern.bench.synth;

import dev.quern.format.DType;
import dev.quern.format.FloatConversion;
import dev.quern.format.FormatException;
import dev.quern.format.gguf.GgufType;
import dev.quern.kernels.RowSource;
import dev.quern.model.HuggingFaceNames;
import dev.quern.model.ModelConfig;
import dev.quern.model.TensorKey;
import dev.quern.model.TensorRole;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/**
 * Random weights for any configuration, made row by row when they are read. Where a family names
 * its tensors as most do, they are those of {@link SyntheticModel} with the same seed.
 */
public final class RandomModel implements GgufExport.Weights {
  private final ModelConfig config;
  private final RandomWeights random;

  public RandomModel(ModelConfig config, long seed) {
    this.config = config;
    this.random = new RandomWeights(seed);
  }

  /**
   * The model as one file of GGUF, with a vocabulary of bytes and unused tokens.
   *
   * @param name that the file gives itself
   * @param type of matrices, as {@link GgufExport} takes it
   * @throws FormatException as {@link GgufExport}
   */
  public GgufExport gguf(String name, GgufType type) throws FormatException {
    List<String> tokens = ByteTokenizer.tokens(config.vocabSize());
    return new GgufExport(config, this, name, type, tokens);
  }

  @Override
  public RowSource rows(TensorKey key, int first, int count) {
    List<Long> shape = config.shape(key);
    int cols = Math.toIntExact(shape.getLast());
    if (!key.role().isMap()) {
      float value = filling(key.role(), cols);
      return (row, dst, at) -> Arrays.fill(dst, at, at + cols, value);
    }
    long rowBytes = DType.BF16.bytes(cols);
    MemorySegment made = MemorySegment.ofArray(new byte[Math.toIntExact(count * rowBytes)]);
    String name = HuggingFaceNames.of(key).orElseGet(key::path);
    boolean outliers = key.role() != TensorRole.ROUTER; // see SyntheticModel
    random.fill(name, first, count, cols, 1 / Math.sqrt(cols), outliers, made);
    return (row, dst, at) ->
        FloatConversion.toFloat(DType.BF16, made, (row - first) * rowBytes, dst, at, cols);
  }

  /** Norms multiply by 1, biases add 0, convolutions average their taps. */
  static float filling(TensorRole role, int cols) {
    return switch (role) {
      case FINAL_NORM, ATTENTION_NORM, MLP_NORM, QUERY_NORM, KEY_NORM -> 1;
      case QUERY_DOWN_NORM, LATENT_NORM, DELTA_NORM -> 1;
      case DELTA_CONVOLUTION -> 1f / cols;
      case DELTA_DECAY -> SyntheticPack.DECAY;
      default -> 0;
    };
  }
}
