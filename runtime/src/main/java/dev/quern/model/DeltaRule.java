package dev.quern.model;

import dev.quern.kernels.Kernels;
import dev.quern.kernels.VectorGroups;
import java.util.Arrays;

/**
 * The gated delta rule of one value head: with S [keyDim, valueDim], per token
 *
 * <pre>S ← decay · S;  δ = beta · (v − Sᵀ k);  S ← S + k δᵀ;  out = Sᵀ q</pre>
 *
 * <p>Single tokens are computed so. Several are taken in chunks of {@link #CHUNK}, as matrix
 * products: unrolled from the state S before the chunk, with D(t, s) the product of the decays of
 * tokens s + 1 .. t and P(t) that of all up to t,
 *
 * <pre>
 * δ(t) = beta(t) · (v(t) − P(t) Sᵀ k(t)) − Σ_{s&lt;t} beta(t) D(t, s) (k(t)·k(s)) δ(s)
 * out(t) = P(t) Sᵀ q(t) + Σ_{s≤t} D(t, s) (q(t)·k(s)) δ(s)
 * S ← P(last) S + Σ_s D(last, s) k(s) δ(s)ᵀ
 * </pre>
 *
 * <p>The first line is a triangular system, solved by forward substitution. Decays are at most 1,
 * and D is built by multiplying them in double: nothing overflows, no quotients of small numbers
 * are formed. Sources: arXiv 2412.06464, eq. 10 and 3.3; arXiv 2406.06484, 3.2.
 *
 * <p>Keeps scratch space: one per thread.
 */
final class DeltaRule {
  /**
   * Tokens of a chunk: two of the groups that the panel kernel takes. What is computed within a
   * chunk grows with its length. Measured for 512 tokens and heads of 128 x 128 at 512 bits, in
   * microseconds per token and head: chunks of 6 1.78, of 12 1.72, of 24 1.90, of 36 2.2, single
   * steps 1.90; at 256 bits 1.95 and 2.05.
   */
  static final int CHUNK = 12;

  /** Fewer tokens are computed one by one. */
  static final int MIN_CHUNK = 4;

  /** Tokens solved together: as many as the panel kernel holds in registers. */
  private static final int BLOCK = 6;

  private static final int PANEL = DeltaState.PANEL;

  private final Kernels kernels;
  private final VectorGroups groups;
  private final TokenMixer.DeltaNet config;
  private final float[] keys; // [keyDim, CHUNK]
  private final float[] keyProducts = new float[CHUNK * CHUNK];
  private final float[] queryProducts = new float[CHUNK * CHUNK];
  private final float[] delta = new float[CHUNK * PANEL];
  private final float[] outputs = new float[CHUNK * PANEL];
  private final float[] block = new float[BLOCK * PANEL];
  private final double[] spans = new double[CHUNK]; // D(t, s) of the present t
  private final float[] prefix = new float[CHUNK]; // P(t)

  // What is worked on.
  private float[] mixed;
  private float[] decays;
  private float[] betas;
  private float[] out;
  private int head;
  private int key; // of the chunk's first token in mixed
  private int query;

  DeltaRule(Kernels kernels, TokenMixer.DeltaNet config) {
    this.kernels = kernels;
    this.groups = new VectorGroups(kernels);
    this.config = config;
    keys = new float[config.keyDim() * CHUNK];
  }

  /**
   * Runs one value head over tokens.
   *
   * @param state of the layer; the head's part is updated
   * @param newMixed [tokens, channels]: queries, already scaled, keys, values
   * @param newDecays [tokens, numValueHeads], in (0, 1]
   * @param newBetas [tokens, numValueHeads]
   * @param newOut [tokens, valueSize], the head's columns are written
   */
  void run(
      DeltaState state,
      int newHead,
      int tokens,
      float[] newMixed,
      float[] newDecays,
      float[] newBetas,
      float[] newOut) {
    mixed = newMixed;
    decays = newDecays;
    betas = newBetas;
    out = newOut;
    head = newHead;
    for (int first = 0; first < tokens; first += CHUNK) {
      int count = Math.min(CHUNK, tokens - first);
      if (count < MIN_CHUNK) {
        for (int token = first; token < first + count; token++) {
          step(state, token);
        }
      } else {
        chunk(state, first, count);
      }
    }
  }

  private void locate(int token) {
    int keyHead =
        switch (config.headOrder()) {
          case GROUPED -> head / (config.numValueHeads() / config.numKeyHeads());
          case TILED -> head % config.numKeyHeads();
        };
    query = token * config.channels() + keyHead * config.keyDim();
    key = query + config.keySize();
  }

  private int valueAt(int token, int panel) {
    int value = 2 * config.keySize() + head * config.valueDim() + panel * PANEL;
    return token * config.channels() + value;
  }

  private int outAt(int token, int panel) {
    return token * config.valueSize() + head * config.valueDim() + panel * PANEL;
  }

  private int columns(int panel) {
    return Math.min(PANEL, config.valueDim() - panel * PANEL);
  }

  private void step(DeltaState state, int token) {
    locate(token);
    int at = token * config.numValueHeads() + head;
    int panels = DeltaState.panels(config);
    for (int p = 0; p < panels; p++) {
      int columns = columns(p);
      System.arraycopy(mixed, valueAt(token, p), delta, 0, columns);
      Arrays.fill(delta, columns, PANEL, 0);
      kernels.deltaStep(
          state.memory()[head * panels + p],
          config.keyDim(),
          decays[at],
          betas[at],
          mixed,
          query,
          key,
          delta,
          outputs);
      System.arraycopy(outputs, 0, out, outAt(token, p), columns);
    }
  }

  private void chunk(DeltaState state, int first, int count) {
    locate(first);
    prepare(first, count);
    int panels = DeltaState.panels(config);
    for (int p = 0; p < panels; p++) {
      float[] memory = state.memory()[head * panels + p];
      solve(memory, first, count, p);
      output(memory, first, count, p);
      for (int t = 0; t < count; t++) {
        kernels.scale((float) spans[t], delta, t * PANEL, PANEL);
      }
      kernels.scale(prefix[count - 1], memory, 0, memory.length);
      multiply(delta, count, keys, 0, CHUNK, config.keyDim(), memory);
    }
  }

  /**
   * What all panels share: keys transposed, keyProducts(t, s) = −beta(t) D(t, s) k(t)·k(s) below
   * the diagonal, queryProducts(t, s) = D(t, s) q(t)·k(s) up to it and 0 above.
   */
  private void prepare(int first, int count) {
    int keyDim = config.keyDim();
    int stride = config.channels();
    for (int c = 0; c < keyDim; c++) {
      for (int t = 0; t < count; t++) {
        keys[c * CHUNK + t] = mixed[key + t * stride + c];
      }
    }
    double product = 1;
    for (int t = 0; t < count; t++) {
      int at = (first + t) * config.numValueHeads() + head;
      product *= decays[at];
      prefix[t] = (float) product;
      int row = t * CHUNK;
      for (int s = 0; s < t; s++) {
        spans[s] *= decays[at];
        float dot = kernels.dot(mixed, key + t * stride, mixed, key + s * stride, keyDim);
        keyProducts[row + s] = (float) (-betas[at] * spans[s] * dot);
      }
      spans[t] = 1;
      for (int s = 0; s <= t; s++) {
        float dot = kernels.dot(mixed, query + t * stride, mixed, key + s * stride, keyDim);
        queryProducts[row + s] = (float) (spans[s] * dot);
      }
      Arrays.fill(queryProducts, row + t + 1, row + count, 0);
    }
  }

  /** delta(t) of one panel, by forward substitution in blocks. */
  private void solve(float[] memory, int first, int count, int panel) {
    Arrays.fill(delta, 0, count * PANEL, 0);
    multiply(memory, config.keyDim(), mixed, key, config.channels(), count, delta);
    int columns = columns(panel);
    for (int t = 0; t < count; t++) {
      float beta = betas[(first + t) * config.numValueHeads() + head];
      float old = -beta * prefix[t];
      int value = valueAt(first + t, panel);
      for (int j = 0; j < columns; j++) {
        delta[t * PANEL + j] = beta * mixed[value + j] + old * delta[t * PANEL + j];
      }
    }
    for (int from = 0; from < count; from += BLOCK) {
      int tokens = Math.min(BLOCK, count - from);
      if (from > 0) {
        System.arraycopy(delta, from * PANEL, block, 0, tokens * PANEL);
        multiply(delta, from, keyProducts, from * CHUNK, CHUNK, tokens, block);
        System.arraycopy(block, 0, delta, from * PANEL, tokens * PANEL);
      }
      for (int t = from + 1; t < from + tokens; t++) {
        for (int s = from; s < t; s++) {
          kernels.axpy(keyProducts[t * CHUNK + s], delta, s * PANEL, delta, t * PANEL, PANEL);
        }
      }
    }
  }

  /** sums[64·t + r] += Σ_c panel[64·c + r] · x[offset + t·stride + c]. */
  private void multiply(
      float[] panel, int columns, float[] x, int offset, int stride, int vectors, float[] sums) {
    groups.set(x, offset, stride, vectors, columns);
    groups.addProduct(panel, sums, 0);
  }

  private void output(float[] memory, int first, int count, int panel) {
    Arrays.fill(outputs, 0, count * PANEL, 0);
    multiply(memory, config.keyDim(), mixed, query, config.channels(), count, outputs);
    for (int t = 0; t < count; t++) {
      kernels.scale(prefix[t], outputs, t * PANEL, PANEL);
    }
    multiply(delta, count, queryProducts, 0, CHUNK, count, outputs);
    for (int t = 0; t < count; t++) {
      System.arraycopy(outputs, t * PANEL, out, outAt(first + t, panel), columns(panel));
    }
  }
}
