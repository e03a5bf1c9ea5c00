package dev.quern.bench.synth;

import dev.quern.converter.work.SideFiles;
import dev.quern.format.AtomicFile;
import dev.quern.format.DType;
import dev.quern.format.FloatConversion;
import dev.quern.format.FormatException;
import dev.quern.format.Json;
import dev.quern.format.RowDecoder;
import dev.quern.format.RowEncoding;
import dev.quern.format.SafetensorsWriter.Declared;
import dev.quern.format.StoredMatrix;
import dev.quern.model.FeedForward;
import dev.quern.model.ModelConfig;
import dev.quern.model.ModelSource;
import dev.quern.model.TensorKey;
import dev.quern.model.TensorRole;
import dev.quern.model.TokenMixer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import tools.jackson.databind.node.ObjectNode;

/**
 * A trained model made as large as a real one: the same logits and the same routing, so the same
 * locality, with experts of any size. For measuring what random weights cannot show.
 *
 * <p>Every element of the hidden state stands in it several times. Whatever writes it, the
 * embedding and the rows of output and down projections, is repeated; whatever reads it is repeated
 * with its columns divided among the copies, by powers of two that sum to one. A mean square does
 * not see copies, so norms stay as they are. The same is done with the neurons of experts, and with
 * heads. In exact arithmetic nothing changes; dividing by a power of two is exact in BF16, so only
 * the order of additions differs.
 */
public final class WidenedModel {
  private static final String CONFIG = ModelSource.CONFIG_NAME;
  private static final long MAX_CONFIG_BYTES = 1 << 20;
  private static final int MAX_SIZE = 1 << 20;

  /**
   * Sizes of the wide model, multiples of the narrow one's.
   *
   * @param heads queries; heads of keys and values grow with them
   * @param context positions it may be run with; beyond the narrow model's it is as good as that
   */
  public record Sizes(int hiddenSize, int expertSize, int heads, int context) {}

  /** How often rows and columns stand in the wide matrix. */
  private record Tiles(int rows, int cols, boolean divided) {}

  private final ModelSource source;
  private final Sizes sizes;
  private final int hiddenCopies;
  private final int expertCopies;
  private final int headCopies;
  private final List<Declared> tensors = new ArrayList<>();
  private final Map<String, StoredMatrix> matrices = new HashMap<>();
  private final Map<String, Tiles> tiles = new HashMap<>();

  /**
   * @param source a folder of {@code qwen3_moe} in BF16 or F32, open as long as this is used
   * @throws FormatException if it is another kind of model, or a size is no multiple of its own
   */
  public WidenedModel(ModelSource source, Sizes sizes) throws FormatException {
    this.source = source;
    this.sizes = sizes;
    ModelConfig config = source.config();
    if (!(source instanceof ModelSource.Unconverted)
        || !config.modelType().equals("qwen3_moe")
        || !(config.layers().getFirst().mixer() instanceof TokenMixer.GroupedQuery attention)) {
      throw FormatException.of(
          source.path(),
          CONFIG,
          "model",
          "an unconverted folder of qwen3_moe",
          config.modelType(),
          "");
    }
    FeedForward.Experts experts =
        config
            .experts()
            .orElseThrow(() -> new FormatException(source.path() + ": no layer has experts"));
    hiddenCopies = copies("hidden size", sizes.hiddenSize(), config.hiddenSize());
    expertCopies = copies("expert size", sizes.expertSize(), experts.expertSize());
    headCopies = copies("heads", sizes.heads(), attention.numHeads());
    if (sizes.context() < 1 || sizes.context() > MAX_SIZE) {
      throw new FormatException(
          "context: expected 1 to %,d, found %,d".formatted(MAX_SIZE, sizes.context()));
    }
    Iterator<TensorKey> keys = config.tensorKeys().iterator();
    while (keys.hasNext()) {
      declare(keys.next());
    }
  }

  private int copies(String what, int wide, int narrow) throws FormatException {
    if (wide < narrow || wide > MAX_SIZE || wide % narrow != 0) {
      throw new FormatException(
          "%s: %s: expected a multiple of the model's %,d up to %,d, found %,d"
              .formatted(source.path(), what, narrow, MAX_SIZE, wide));
    }
    return wide / narrow;
  }

  private void declare(TensorKey key) throws FormatException {
    StoredMatrix matrix = source.stored(key);
    if (!matrix.inOnePiece()
        || !(matrix.encoding() instanceof RowEncoding.Plain(DType dtype))
        || dtype != DType.BF16 && dtype != DType.F32) {
      // Other types round when they are divided.
      throw FormatException.of(
          source.path(),
          "tensor '" + matrix.name() + "'",
          "dtype",
          "BF16 or F32",
          matrix.encoding().label(),
          "");
    }
    Tiles of = tiles(key.role());
    List<Long> narrow = source.config().shape(key);
    long cols = narrow.getLast() * of.cols();
    List<Long> wide =
        narrow.size() == 1 ? List.of(cols) : List.of(narrow.getFirst() * of.rows(), cols);
    tensors.add(new Declared(matrix.name(), dtype, wide));
    matrices.put(matrix.name(), matrix);
    tiles.put(matrix.name(), of);
  }

  private Tiles tiles(TensorRole role) {
    return switch (role) {
      case EMBEDDING, ATTENTION_NORM, MLP_NORM -> new Tiles(1, hiddenCopies, false);
      // A head that is the embedding cannot divide; what it reads does.
      case FINAL_NORM -> new Tiles(1, hiddenCopies, source.config().tieWordEmbeddings());
      case HEAD, ROUTER, MLP_GATE, MLP_UP -> new Tiles(1, hiddenCopies, true);
      case QUERY, KEY, VALUE -> new Tiles(headCopies, hiddenCopies, true);
      case ATTENTION_OUTPUT -> new Tiles(hiddenCopies, headCopies, true);
      case EXPERT_GATE, EXPERT_UP -> new Tiles(expertCopies, hiddenCopies, true);
      case EXPERT_DOWN -> new Tiles(hiddenCopies, expertCopies, true);
      case MLP_DOWN -> new Tiles(hiddenCopies, 1, true);
      case QUERY_NORM, KEY_NORM -> new Tiles(1, 1, false);
      default -> throw new IllegalArgumentException("qwen3_moe has no " + role.label());
    };
  }

  /**
   * What each of n copies is multiplied by: powers of two that sum to one, all equal or half of one
   * another.
   */
  static float[] shares(int n) {
    int large = Integer.highestOneBit(n);
    float[] shares = new float[n];
    for (int i = 0; i < n; i++) {
      // large shares of 1 / large, of which n − large are cut in two
      shares[i] = i < 2 * large - n ? 1f / large : 0.5f / large;
    }
    return shares;
  }

  /** Bytes of all weights. */
  public long bytes() {
    return ModelFolder.bytes(tensors);
  }

  /**
   * Writes weights, configuration and tokenizer.
   *
   * @param folder created; must be empty if it exists
   * @param progress told the bytes written so far
   * @throws FormatException if the folder holds anything, or the disk cannot take the model
   */
  public void write(Path folder, LongConsumer progress) throws IOException {
    String advice = "Choose a smaller --hidden or --expert-size";
    new ModelFolder(folder, tensors).write(this::fill, advice, progress);
    SideFiles.of(source.path()).write(folder);
    ObjectNode config =
        (ObjectNode) Json.read(source.path().resolve(CONFIG), MAX_CONFIG_BYTES).deepCopy();
    TokenMixer.GroupedQuery attention =
        (TokenMixer.GroupedQuery) source.config().layers().getFirst().mixer();
    config.put("hidden_size", sizes.hiddenSize());
    config.put("moe_intermediate_size", sizes.expertSize());
    config.put("num_attention_heads", sizes.heads());
    config.put("num_key_value_heads", attention.numKvHeads() * headCopies);
    config.put("head_dim", attention.headDim());
    config.put("max_position_embeddings", sizes.context());
    AtomicFile.writeText(folder.resolve(CONFIG), config.toPrettyString() + "\n");
  }

  private void fill(Declared tensor, long firstRow, int count, MemorySegment out) {
    StoredMatrix matrix = matrices.get(tensor.name());
    Tiles of = tiles.get(tensor.name());
    RowDecoder decoder = RowDecoder.of(matrix, source::map);
    float[] shares = shares(of.cols());
    int cols = matrix.cols();
    float[] narrow = new float[cols];
    float[] wide = new float[Math.multiplyExact(cols, of.cols())];
    long rowBytes = tensor.dtype().bytes(wide.length);
    for (int r = 0; r < count; r++) {
      decoder.row((int) ((firstRow + r) % matrix.rows()), narrow, 0);
      for (int copy = 0; copy < of.cols(); copy++) {
        float share = of.divided() ? shares[copy] : 1;
        for (int c = 0; c < cols; c++) {
          wide[copy * cols + c] = narrow[c] * share;
        }
      }
      FloatConversion.fromFloat(tensor.dtype(), wide, 0, out, r * rowBytes, wide.length);
    }
  }
}
