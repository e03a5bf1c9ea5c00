package dev.quern.experts;

import dev.quern.format.DType;
import dev.quern.format.FloatConversion;
import dev.quern.format.FormatException;
import dev.quern.format.ShadowFile;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.Matrix;
import dev.quern.kernels.TileLayout;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;

/**
 * A small network per layer, trained on recorded routing: what the layer's router reads and the
 * token's row pass one hidden layer, and one head per distance gives a probability for every expert
 * of that coming layer. See {@code docs/shadow.md}.
 *
 * <p>Probabilities are sigmoids: each expert's own chance to be among the token's topK.
 */
public final class ShadowPredictor implements ExpertPredictor {
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** A head's weights. */
  private sealed interface Head {
    float[] bias();
  }

  private record Linear(Matrix.Dense input, Matrix.Dense token, float[] bias) implements Head {}

  private record TwoLayer(Matrix.Dense weight, float[] bias) implements Head {}

  /** The hidden units of a layer. */
  private record Hidden(Matrix.Dense input, Matrix.Dense token, float[] bias) {}

  /** What all copies share. */
  private record Weights(
      ShadowFile.Header header,
      MemorySegment tokens,
      Hidden[] hidden,
      Head[][] heads, // [layer][distance], 0 the next token's
      int maxDistance) {}

  private final Weights weights;
  private final Kernels kernels = Kernels.best();
  private final float[] tokenRow;
  private final float[] ofInput;
  private final float[] ofToken;

  // The hidden units are the same for all distances: they are computed once.
  private final float[] hidden;
  private final float[] hiddenInput;
  private int hiddenLayer = -1;
  private int hiddenToken;

  private ShadowPredictor(Weights weights) {
    this.weights = weights;
    ShadowFile.Header header = weights.header;
    int longest = Math.max(header.width(), header.numExperts());
    tokenRow = new float[header.tokenWidth()];
    ofInput = new float[longest];
    ofToken = new float[longest];
    hidden = new float[header.width()];
    hiddenInput = new float[header.hiddenSize()];
  }

  /**
   * Loads the predictor of a pack.
   *
   * @param pack folder in which {@code shadow/} lies
   * @param numLayers of the model it must be for, as the other sizes
   * @throws FormatException if it is damaged or made for another model
   */
  public static ShadowPredictor open(
      Path pack, int numLayers, int hiddenSize, int numExperts, int vocabSize) throws IOException {
    ShadowFile file = ShadowFile.read(pack);
    ShadowFile.Header header = file.header();
    String model = text(numLayers, hiddenSize, numExperts, vocabSize);
    String made =
        text(header.numLayers(), header.hiddenSize(), header.numExperts(), header.vocabSize());
    if (!model.equals(made)) {
      throw FormatException.of(
          pack.resolve(ShadowFile.FOLDER).resolve(ShadowFile.HEADER_NAME),
          ShadowFile.FOLDER,
          "model",
          model,
          made,
          "Train a predictor for this model.");
    }
    return of(file);
  }

  private static String text(int layers, int hidden, int experts, int vocab) {
    return "%d layers, hidden size %d, %d experts, %d tokens"
        .formatted(layers, hidden, experts, vocab);
  }

  public static ShadowPredictor of(ShadowFile file) {
    ShadowFile.Header header = file.header();
    Hidden[] hidden = new Hidden[header.numLayers()];
    int maxDistance = 1;
    for (ShadowFile.Head head : header.heads()) {
      maxDistance = Math.max(maxDistance, head.distance());
    }
    Head[][] heads = new Head[header.numLayers()][maxDistance + 1];
    for (ShadowFile.Head head : header.heads()) {
      int layer = head.layer();
      float[] bias = vector(file, ShadowFile.headName(head, "bias"), header.numExperts());
      heads[layer][head.distance()] =
          switch (head.kind()) {
            case LINEAR -> {
              String input = ShadowFile.headName(head, "input");
              String token = ShadowFile.headName(head, "token");
              yield new Linear(
                  matrix(file, input, header.numExperts(), header.hiddenSize()),
                  matrix(file, token, header.numExperts(), header.tokenWidth()),
                  bias);
            }
            case TWO_LAYER -> {
              if (hidden[layer] == null) {
                hidden[layer] = hidden(file, layer);
              }
              String weight = ShadowFile.headName(head, "weight");
              yield new TwoLayer(matrix(file, weight, header.numExperts(), header.width()), bias);
            }
          };
    }
    MemorySegment tokens = file.tensors().get(ShadowFile.TOKENS);
    return new ShadowPredictor(new Weights(header, tokens, hidden, heads, maxDistance));
  }

  private static Hidden hidden(ShadowFile file, int layer) {
    ShadowFile.Header header = file.header();
    String input = ShadowFile.hiddenName(layer, "input");
    String token = ShadowFile.hiddenName(layer, "token");
    return new Hidden(
        matrix(file, input, header.width(), header.hiddenSize()),
        matrix(file, token, header.width(), header.tokenWidth()),
        vector(file, ShadowFile.hiddenName(layer, "bias"), header.width()));
  }

  private static Matrix.Dense matrix(ShadowFile file, String name, int rows, int cols) {
    return new Matrix.Dense(Matrix.Element.F16, rows, cols, file.tensors().get(name));
  }

  private static float[] vector(ShadowFile file, String name, int length) {
    float[] values = new float[length];
    MemorySegment.copy(file.tensors().get(name), FLOAT, 0, values, 0, length);
    return values;
  }

  public int topK() {
    return weights.header.topK();
  }

  /** Bytes of its weights. */
  public long bytes() {
    return weights.header.bytes();
  }

  @Override
  public int maxDistance() {
    return weights.maxDistance;
  }

  @Override
  public boolean predictsNextToken() {
    return Arrays.stream(weights.heads).anyMatch(heads -> heads[0] != null);
  }

  @Override
  public boolean predict(
      int layer, int distance, float[] input, int tokenId, float[] probabilities) {
    return distance >= 1
        && distance <= weights.maxDistance
        && head(layer, distance, input, tokenId, probabilities);
  }

  @Override
  public boolean predictNextToken(int layer, float[] input, int tokenId, float[] probabilities) {
    return head(layer, 0, input, tokenId, probabilities);
  }

  private boolean head(int layer, int distance, float[] input, int id, float[] probabilities) {
    Optional<Head> head = Optional.ofNullable(weights.heads[layer][distance]);
    if (head.isEmpty()) {
      return false;
    }
    int experts = weights.header.numExperts();
    switch (head.get()) {
      case Linear linear -> {
        readToken(id);
        multiply(linear.input, input, ofInput);
        multiply(linear.token, tokenRow, ofToken);
        kernels.axpy(1, ofToken, 0, ofInput, 0, experts);
      }
      case TwoLayer twoLayer -> {
        encode(layer, input, id);
        multiply(twoLayer.weight, hidden, ofInput);
      }
    }
    kernels.axpy(1, head.get().bias(), 0, ofInput, 0, experts);
    Arrays.fill(probabilities, 0, experts, 1);
    kernels.sigmoidGate(ofInput, 0, probabilities, 0, experts);
    return true;
  }

  private void encode(int layer, float[] input, int id) {
    int width = weights.header.width();
    if (layer == hiddenLayer
        && id == hiddenToken
        && Arrays.equals(input, 0, hiddenInput.length, hiddenInput, 0, hiddenInput.length)) {
      return;
    }
    Hidden units = weights.hidden[layer];
    readToken(id);
    multiply(units.input, input, hidden);
    multiply(units.token, tokenRow, ofToken);
    kernels.axpy(1, ofToken, 0, hidden, 0, width);
    kernels.axpy(1, units.bias, 0, hidden, 0, width);
    kernels.sigmoidGate(hidden, 0, hidden, 0, width);
    hiddenLayer = layer;
    hiddenToken = id;
    System.arraycopy(input, 0, hiddenInput, 0, hiddenInput.length);
  }

  private void readToken(int id) {
    int width = tokenRow.length;
    long at = (long) id * width * Short.BYTES;
    FloatConversion.toFloat(DType.F16, weights.tokens, at, tokenRow, 0, width);
  }

  private void multiply(Matrix.Dense w, float[] x, float[] y) {
    int tiles = Math.ceilDiv(w.rows(), TileLayout.TILE_ROWS);
    kernels.gemv(w, 0, tiles, x, 0, y, 0);
  }

  @Override
  public ExpertPredictor copy() {
    return new ShadowPredictor(weights);
  }
}
