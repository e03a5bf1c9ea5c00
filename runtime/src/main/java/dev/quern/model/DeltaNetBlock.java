package dev.quern.model;

import dev.quern.kernels.Kernels;
import dev.quern.kernels.Workers;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The gated DeltaNet layers of a session: projections, a causal convolution with SiLU over queries,
 * keys and values, the gated delta rule per value head, a gated norm, the output's projection.
 * Sources: arXiv 2412.06464; Hugging Face transformers, models/qwen3_next.
 */
final class DeltaNetBlock {
  /** Added to the sum of squares of a query or key before its root. */
  private static final float NORM_EPSILON = 1e-6f;

  /** Above this, softplus(x) is x in float32. */
  private static final double SOFTPLUS_LINEAR = 20;

  private final float epsilon;
  private final Kernels kernels;
  private final Workers workers;
  private final Products products;
  private final Layer[] layers; // null where a layer is of another kind
  private final Workers.Task mixToken = this::mixToken;
  private final Workers.Task runHead = this::runHead;
  private float[] queries = {};
  private float[] keys = {};
  private float[] values = {};
  private float[] mixed = {}; // [tokens, channels], after the convolution
  private float[] decays = {}; // [tokens, numValueHeads]; alpha until it is worked on
  private float[] betas = {}; // [tokens, numValueHeads]
  private float[] read = {}; // [tokens, valueSize], what the heads give

  // What the tasks work on.
  private Layer layer;
  private int tokens;
  private float[] gates;

  /**
   * One layer, with its state.
   *
   * @param taps the convolution as [kernelSize, channels]
   * @param shared what layers of one shape share
   */
  private record Layer(Weights.DeltaNet weights, float[] taps, DeltaState state, Shared shared) {
    TokenMixer.DeltaNet config() {
      return weights.config();
    }
  }

  /**
   * @param rules per thread
   */
  private record Shared(Rows output, DeltaRule[] rules) {}

  /**
   * @param weights of all layers; those of other kinds are passed over
   */
  DeltaNetBlock(
      ModelConfig config,
      List<Weights.Layer> weights,
      Kernels kernels,
      Workers workers,
      Products products) {
    epsilon = config.rmsNormEpsilon();
    this.kernels = kernels;
    this.workers = workers;
    this.products = products;
    layers = new Layer[weights.size()];
    Map<TokenMixer.DeltaNet, Shared> shapes = new HashMap<>();
    for (int i = 0; i < layers.length; i++) {
      if (weights.get(i).mixer() instanceof Weights.DeltaNet delta) {
        Shared shared = shapes.computeIfAbsent(delta.config(), this::shared);
        DeltaState state = DeltaState.empty(delta.config());
        layers[i] = new Layer(delta, taps(delta), state, shared);
      }
    }
  }

  private Shared shared(TokenMixer.DeltaNet config) {
    DeltaRule[] rules = new DeltaRule[workers.threads()];
    Arrays.setAll(rules, thread -> new DeltaRule(kernels, config));
    return new Shared(new Rows(workers, config.valueSize()), rules);
  }

  private static float[] taps(Weights.DeltaNet layer) {
    int channels = layer.config().channels();
    int kernelSize = layer.config().kernelSize();
    float[] taps = new float[kernelSize * channels];
    for (int c = 0; c < channels; c++) {
      for (int tap = 0; tap < kernelSize; tap++) {
        taps[tap * channels + c] = layer.convolution()[c * kernelSize + tap];
      }
    }
    return taps;
  }

  /** Forgets all tokens, in every layer. */
  void clear() {
    for (Layer each : layers) {
      if (each != null) {
        each.state.clear();
      }
    }
  }

  /**
   * Runs a layer on the tokens that follow those its state has read.
   *
   * @param input normed hidden states, a row per token
   * @param result [tokens, hiddenSize], written
   */
  void run(int index, Rows input, int newTokens, float[] result) {
    layer = layers[index];
    tokens = newTokens;
    Weights.DeltaNet weights = layer.weights;
    TokenMixer.DeltaNet config = layer.config();
    queries = Rows.grown(queries, tokens, config.keySize());
    keys = Rows.grown(keys, tokens, config.keySize());
    values = Rows.grown(values, tokens, config.valueSize());
    mixed = Rows.grown(mixed, tokens, config.channels());
    decays = Rows.grown(decays, tokens, config.numValueHeads());
    betas = Rows.grown(betas, tokens, config.numValueHeads());
    read = Rows.grown(read, tokens, config.valueSize());
    gates = layer.shared.output.start(tokens);
    products.add(weights.query(), input, 0, tokens, queries, 0);
    products.add(weights.key(), input, 0, tokens, keys, 0);
    products.add(weights.value(), input, 0, tokens, values, 0);
    products.add(weights.gate(), input, 0, tokens, gates, 0);
    products.add(weights.beta(), input, 0, tokens, betas, 0);
    products.add(weights.alpha(), input, 0, tokens, decays, 0);
    products.run();
    workers.run(tokens, (long) tokens * config.channels() * config.kernelSize(), mixToken);
    moveWindow();
    long work = (long) tokens * config.valueSize() * config.keyDim();
    workers.run(config.numValueHeads(), work, runHead);
    products.add(weights.output(), layer.shared.output, 0, tokens, result, 0);
    products.run();
  }

  /** Everything of a token that needs no other head: convolution, norms, decay and beta. */
  private void mixToken(int token, int thread) {
    TokenMixer.DeltaNet config = layer.config();
    int keySize = config.keySize();
    int at = token * config.channels();
    Arrays.fill(mixed, at, at + config.channels(), 0);
    convolve(token, queries, keySize, 0);
    convolve(token, keys, keySize, keySize);
    convolve(token, values, config.valueSize(), 2 * keySize);
    kernels.sigmoidGate(mixed, at, mixed, at, config.channels());
    float queryScale = (float) (1 / Math.sqrt(config.keyDim()));
    for (int head = 0; head < config.numKeyHeads(); head++) {
      normalise(at + head * config.keyDim(), queryScale);
      normalise(at + keySize + head * config.keyDim(), 1);
    }
    int heads = config.numValueHeads();
    for (int head = 0; head < heads; head++) {
      int i = token * heads + head;
      double time = softplus((double) decays[i] + layer.weights.timeBias()[head]);
      decays[i] = (float) Math.exp(layer.weights.decay()[head] * time);
      betas[i] = Router.sigmoid(betas[i]);
    }
  }

  /**
   * @param input [tokens, width]
   * @param channel the first of these in the convolution
   */
  private void convolve(int token, float[] input, int width, int channel) {
    int channels = layer.config().channels();
    int before = layer.config().kernelSize() - 1;
    int to = token * channels + channel;
    for (int tap = 0; tap <= before; tap++) {
      int weight = tap * channels + channel;
      int source = token + tap - before;
      if (source >= 0) {
        kernels.multiplyAdd(layer.taps, weight, input, source * width, mixed, to, width);
      } else {
        int at = (before + source) * channels + channel;
        kernels.multiplyAdd(layer.taps, weight, layer.state.window(), at, mixed, to, width);
      }
    }
  }

  /** x ← scale · x / √(Σ x² + ε), over a head of keyDim elements. */
  private void normalise(int at, float scale) {
    int keyDim = layer.config().keyDim();
    float squares = kernels.dot(mixed, at, mixed, at, keyDim);
    kernels.scale((float) (scale / Math.sqrt(squares + NORM_EPSILON)), mixed, at, keyDim);
  }

  private static double softplus(double x) {
    return x > SOFTPLUS_LINEAR ? x : Math.log1p(Math.exp(x));
  }

  /** The convolution's inputs of the last kernelSize − 1 tokens, of which some may be older. */
  private void moveWindow() {
    TokenMixer.DeltaNet config = layer.config();
    int channels = config.channels();
    int keySize = config.keySize();
    int rows = config.kernelSize() - 1;
    float[] window = layer.state.window();
    for (int row = 0; row < rows; row++) { // reads rows after the one it writes
      int source = row + tokens - rows;
      int to = row * channels;
      if (source < 0) {
        System.arraycopy(window, (row + tokens) * channels, window, to, channels);
      } else {
        System.arraycopy(queries, source * keySize, window, to, keySize);
        System.arraycopy(keys, source * keySize, window, to + keySize, keySize);
        int valueSize = config.valueSize();
        System.arraycopy(values, source * valueSize, window, to + 2 * keySize, valueSize);
      }
    }
  }

  /** The delta rule of a value head, then norm(what it gives) · weight · silu(gate). */
  private void runHead(int head, int thread) {
    TokenMixer.DeltaNet config = layer.config();
    DeltaRule rule = layer.shared.rules[thread];
    rule.run(layer.state, head, tokens, mixed, decays, betas, read);
    int valueDim = config.valueDim();
    for (int token = 0; token < tokens; token++) {
      int at = token * config.valueSize() + head * valueDim;
      kernels.rmsNorm(read, at, layer.weights.norm(), epsilon, read, at, valueDim);
      kernels.swiGlu(gates, at, read, at, valueDim);
    }
  }
}
