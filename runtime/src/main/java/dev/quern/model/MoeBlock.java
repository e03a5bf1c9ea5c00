package dev.quern.model;

import dev.quern.experts.ExpertGuesses;
import dev.quern.experts.ExpertStore;
import dev.quern.experts.RoutedTokens;
import dev.quern.experts.RoutingObserver;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.Workers;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A mixture of experts with or without one that every token passes. The tokens of a batch are
 * sorted by expert, so each needed expert is read once; experts are computed in the groups in which
 * the store has them in memory. Whatever the groups are, a token's outputs are added in one order,
 * the shared expert's first, then ascending ids: the result does not depend on where experts lie.
 */
final class MoeBlock {
  /** Multiplications that take as long as looking at a score once, which is done topK times. */
  private static final long WORK_PER_SCORE = 4;

  private final int hiddenSize;
  private final int numExperts;
  private final int topK;
  private final FeedForward.Experts kind;
  private final int chunk;
  private final RunOptions options;
  private final Kernels kernels;
  private final Workers workers;
  private final Products products;
  private final ExpertStore experts;
  private final ActivationRows activation;
  private final Router[] routers; // per thread
  private final Rows gathered;
  private final Inner routed;
  private final Inner shared;
  private RoutingObserver[] observers = {}; // an array: iterating allocates nothing
  private Optional<SpeculativeExperts> speculative = Optional.empty();
  private final RoutedTokens view = new RoutedTokens();
  private final Workers.Task chooseExperts = this::chooseExperts;
  private final Workers.Task combineToken = this::combineToken;

  private float[] scores = {}; // [tokens, numExperts], first the router's logits
  private float[] outputs = {}; // of the rows from outputBase on
  private float[] sharedOutputs = {};
  private float[] sharedGates = {}; // a logit per token
  private int[] chosen = {}; // [tokens, topK] expert ids, −1 where one was dropped
  private float[] weights = {}; // [tokens, topK]
  private final RowsByExpert sorted;
  private final int[] needed;
  private final int[] group;
  private final ExpertWave wave = new ExpertWave();

  // What the tasks work on.
  private Weights.MoeMlp moe;
  private float[] result;
  private int outputBase;
  private int outputEnd;
  private boolean addShared;
  private boolean decoding;
  private int sharedToCome; // tokens whose shared expert the next wave computes
  private long skipped;
  private long replaced;
  private long pairs; // of token and chosen expert

  /**
   * @param chunk tokens that a dense part of the model takes at once; a batch of more is computed
   *     in waves of chunk · topK rows
   */
  MoeBlock(
      ModelConfig config,
      FeedForward.Experts kind,
      Kernels kernels,
      Workers workers,
      Products products,
      ExpertStore experts,
      RunOptions options,
      int chunk) {
    this.hiddenSize = config.hiddenSize();
    this.numExperts = kind.numExperts();
    this.topK = kind.topK();
    this.kind = kind;
    this.chunk = chunk;
    this.options = options;
    this.kernels = kernels;
    this.workers = workers;
    this.products = products;
    this.experts = experts;
    this.activation = new ActivationRows(config.activation(), kernels, workers);
    routers =
        IntStream.range(0, workers.threads())
            .mapToObj(thread -> new Router(kernels, kind, options.selection()))
            .toArray(Router[]::new);
    gathered = new Rows(workers, hiddenSize);
    routed = new Inner(workers, kind.expertSize());
    shared = new Inner(workers, kind.sharedSize());
    sorted = new RowsByExpert(numExperts, topK);
    needed = new int[numExperts];
    group = new int[numExperts];
  }

  void observe(RoutingObserver observer) {
    observers = Arrays.copyOf(observers, observers.length + 1);
    observers[observers.length - 1] = observer;
  }

  /**
   * @param input normed hidden states, a row per token
   * @param start position of the first token
   * @param ids of the tokens, from firstId on
   * @param newResult [tokens, hiddenSize], written
   */
  void run(
      Weights.MoeMlp newMoe,
      int layer,
      Rows input,
      int tokens,
      int start,
      int[] ids,
      int firstId,
      float[] newResult) {
    moe = newMoe;
    result = newResult;
    route(layer, input, tokens);
    pairs += (long) tokens * topK;
    view.set(
        layer,
        start,
        tokens,
        ids,
        firstId,
        input.plain(),
        hiddenSize,
        scores,
        numExperts,
        chosen,
        weights,
        topK);
    for (RoutingObserver observer : observers) {
      observer.routed(view);
    }
    if (decoding && options.selection().skipMissing()) {
      skipMissing(layer);
    }
    sorted.sort(chosen, tokens);
    if (tokens <= chunk) {
      runTogether(layer, input, tokens);
    } else {
      runInWaves(layer, input, tokens);
    }
  }

  /** Whether the batches that follow are a token each, read alone. */
  void decoding(boolean now) {
    decoding = now;
  }

  /** Computes experts that are guessed before they are chosen, from now on. */
  void speculate(ExpertGuesses guesses) {
    speculative = Optional.of(new SpeculativeExperts(guesses, experts, kind, workers));
  }

  private void route(int layer, Rows input, int tokens) {
    scores = Rows.grown(scores, tokens, numExperts);
    if (chosen.length < tokens * topK) {
      chosen = new int[tokens * topK];
      weights = new float[tokens * topK];
    }
    products.add(moe.router(), input, 0, tokens, scores, 0);
    if (moe.config().sharedGate()) {
      sharedGates = Rows.grown(sharedGates, tokens, 1);
      Weights.SharedExpert expert = moe.shared().orElseThrow();
      products.add(expert.router().orElseThrow(), input, 0, tokens, sharedGates, 0);
    }
    if (speculative.isPresent()) {
      runSpeculating(speculative.get(), layer, input, tokens);
    } else {
      products.run();
    }
    long work = WORK_PER_SCORE * tokens * numExperts * topK;
    workers.run(tokens, work, chooseExperts);
  }

  private void runSpeculating(SpeculativeExperts guessed, int layer, Rows input, int tokens) {
    if (tokens > 1) {
      guessed.forget();
      products.run();
      return;
    }
    try {
      guessed.add(products, layer, input);
      products.run();
    } finally {
      guessed.close();
    }
  }

  private void chooseExperts(int token, int thread) {
    routers[thread].choose(moe, scores, token * numExperts, chosen, weights, token * topK);
  }

  /** Leaves out what is not in memory, but for the token's most heavily weighted expert. */
  private void skipMissing(int layer) {
    int heaviest = 0;
    float before = 0;
    for (int k = 0; k < topK; k++) {
      heaviest = weights[k] > weights[heaviest] ? k : heaviest;
      before += weights[k];
    }
    long earlier = skipped;
    for (int k = 0; k < topK; k++) {
      if (k != heaviest && chosen[k] >= 0 && !experts.inMemory(layer, chosen[k])) {
        experts.fetch(layer, chosen[k]);
        chosen[k] = -1;
        skipped++;
      }
    }
    if (skipped > earlier) {
      ExpertSelection.reweigh(chosen, weights, 0, topK, kind.routing().normalise() ? before : 0);
    }
  }

  /** Experts that routers chose so far, for all tokens and layers. */
  long chosen() {
    return pairs;
  }

  /** Experts that were chosen but left out so far. */
  long leftOut() {
    long sum = skipped;
    for (Router router : routers) {
      sum += router.dropped();
    }
    return sum;
  }

  /** Experts that were chosen and answered by stand-ins so far. */
  long replaced() {
    return replaced;
  }

  private int neededExperts(int tokens) {
    boolean all = options.prefill() == Prefill.CHUNKED && tokens > 1;
    int count = 0;
    for (int expert = 0; expert < numExperts; expert++) {
      if (all || sorted.end(expert) > sorted.first(expert)) {
        needed[count++] = expert;
      }
    }
    return count;
  }

  /** All outputs are kept and added at the end: experts may come in any order. */
  private void runTogether(int layer, Rows input, int tokens) {
    int rows = sorted.rows();
    outputs = Rows.grown(outputs, rows, hiddenSize);
    wave.clear();
    outputBase = 0;
    outputEnd = rows;
    addShared = moe.shared().isPresent();
    sharedToCome = addShared ? tokens : 0;
    boolean atOnce = decoding && options.selection().standIns();
    long replacedBefore = experts.replaced();
    experts.begin(
        layer,
        needed,
        neededExperts(tokens),
        atOnce ? ExpertStore.Order.AT_ONCE : ExpertStore.Order.AVAILABLE);
    replaced += experts.replaced() - replacedBefore;
    try {
      for (int n = experts.next(group); n > 0; n = experts.next(group)) {
        for (int i = 0; i < n; i++) {
          addPieces(group[i], input, tokens == 1);
        }
        runWave(input, tokens == 1);
      }
    } finally {
      experts.end();
    }
    runWave(input, tokens == 1); // the shared expert alone, if no other was needed
    Arrays.fill(result, 0, tokens * hiddenSize, 0);
    combine(tokens, rows);
  }

  /** Experts come in the order of their ids, and what they give is added wave by wave. */
  private void runInWaves(int layer, Rows input, int tokens) {
    Arrays.fill(result, 0, tokens * hiddenSize, 0);
    if (moe.shared().isPresent()) {
      runShared(input, tokens);
    }
    addShared = false;
    int maxRows = Math.multiplyExact(chunk, topK);
    outputs = Rows.grown(outputs, maxRows, hiddenSize);
    wave.clear();
    outputBase = 0;
    sharedToCome = 0;
    experts.begin(layer, needed, neededExperts(tokens), ExpertStore.Order.ANNOUNCED);
    try {
      for (int n = experts.next(group); n > 0; n = experts.next(group)) {
        for (int i = 0; i < n; i++) {
          int end = sorted.end(group[i]);
          for (int row = sorted.first(group[i]); row < end; row += chunk) {
            int count = Math.min(chunk, end - row);
            if (row + count - outputBase > maxRows) {
              runAndCombine(row, input, tokens);
            }
            addPiece(group[i], row, count, input, false);
          }
        }
        int next = sorted.end(group[n - 1]);
        runAndCombine(next, input, tokens);
      }
    } finally {
      experts.end();
    }
  }

  /** Adds the outputs of rows [outputBase, end), which follow one another; the next begin there. */
  private void runAndCombine(int end, Rows input, int tokens) {
    runWave(input, false);
    outputEnd = end;
    if (outputEnd > outputBase) {
      combine(tokens, outputEnd - outputBase);
    }
    outputBase = end;
  }

  /** The shared expert of a large batch, chunk by chunk. */
  private void runShared(Rows input, int tokens) {
    Weights.SharedExpert expert = moe.shared().orElseThrow();
    sharedOutputs = Rows.grown(sharedOutputs, chunk, hiddenSize);
    for (int from = 0; from < tokens; from += chunk) {
      int count = Math.min(chunk, tokens - from);
      shared.start(count);
      shared.addGateAndUp(products, expert.weights(), input, from, count, 0);
      products.run();
      activation.run(shared, Inner.NONE, moe, null);
      products.add(expert.weights().down(), shared.down(), 0, count, sharedOutputs, 0);
      products.run();
      for (int token = 0; token < count; token++) {
        addSharedOutput(from + token, token);
      }
    }
  }

  private void addPieces(int expert, Rows input, boolean single) {
    int end = sorted.end(expert);
    for (int row = sorted.first(expert); row < end; row += chunk) {
      addPiece(expert, row, Math.min(chunk, end - row), input, single);
    }
  }

  /** Adds to the wave; what is there is computed before it has more rows than a chunk. */
  private void addPiece(int expert, int row, int count, Rows input, boolean single) {
    if (wave.rows() + count > chunk) {
      runWave(input, single);
    }
    wave.add(expert, row, count);
  }

  /** Computes the rows of the wave, and with the first of a batch its shared expert. */
  private void runWave(Rows input, boolean single) {
    int sharedTokens = sharedToCome;
    sharedToCome = 0;
    if (wave.pieces() == 0 && sharedTokens == 0) {
      return;
    }
    routed.start(wave.rows());
    shared.start(sharedTokens);
    wave.fill(sorted);
    if (!single) { // else every expert reads the same row: no copies
      gathered.startGathered(wave.rows(), input, wave.tokenOf());
    }
    if (sharedTokens > 0) { // first, as the largest pieces
      Weights.SharedExpert expert = moe.shared().orElseThrow();
      shared.addGateAndUp(products, expert.weights(), input, 0, sharedTokens, 0);
    }
    int row = 0;
    for (int piece = 0; piece < wave.pieces(); piece++) {
      ExpertStore.Expert expert = experts.expert(wave.expert(piece));
      int count = wave.count(piece);
      boolean done = single && taken(wave.expert(piece), row);
      if (!done) {
        Rows rows = single ? input : gathered;
        routed.addGateAndUp(products, expert, rows, single ? 0 : row, count, row);
      }
      row += count;
    }
    products.run();
    activation.run(routed, shared, moe, wave.expertOf());
    if (sharedTokens > 0) {
      sharedOutputs = Rows.grown(sharedOutputs, sharedTokens, hiddenSize);
      ExpertStore.Expert expert = moe.shared().orElseThrow().weights();
      products.add(expert.down(), shared.down(), 0, sharedTokens, sharedOutputs, 0);
    }
    row = 0;
    for (int piece = 0; piece < wave.pieces(); piece++) {
      ExpertStore.Expert expert = experts.expert(wave.expert(piece));
      int to = (wave.sortedRow(piece) - outputBase) * hiddenSize;
      products.add(expert.down(), routed.down(), row, wave.count(piece), outputs, to);
      row += wave.count(piece);
    }
    products.run();
    wave.clear();
  }

  private boolean taken(int expert, int row) {
    return speculative.isPresent() && speculative.get().take(expert, routed, row);
  }

  private void combine(int tokens, int rows) {
    workers.run(tokens, (long) rows * hiddenSize, combineToken);
  }

  /** Adds what a token's experts gave to its result, as far as outputs has it. */
  private void combineToken(int token, int thread) {
    if (addShared) {
      addSharedOutput(token, token);
    }
    int at = token * hiddenSize;
    for (int k = 0; k < topK; k++) {
      int row = sorted.row(token, k);
      if (row < outputBase || row >= outputEnd) {
        continue;
      }
      int pair = sorted.pair(row);
      int from = (row - outputBase) * hiddenSize;
      kernels.axpy(weights[pair], outputs, from, result, at, hiddenSize);
      if (moe.config().biases()) {
        int bias = chosen[pair] * hiddenSize;
        kernels.axpy(weights[pair], moe.downBias(), bias, result, at, hiddenSize);
      }
    }
  }

  private void addSharedOutput(int token, int row) {
    float weight = moe.config().sharedGate() ? Router.sigmoid(sharedGates[token]) : 1;
    kernels.axpy(weight, sharedOutputs, row * hiddenSize, result, token * hiddenSize, hiddenSize);
  }
}
