package dev.quern.model;

import dev.quern.experts.ExpertStore;
import dev.quern.experts.RoutedTokens;
import dev.quern.experts.RoutingObserver;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.Workers;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * A mixture of experts with or without one that every token passes. The tokens of a batch are
 * sorted by expert, so each needed expert is read once; experts are computed in the groups in which
 * the store has them in memory. Whatever the groups are, a token's outputs are added in one order,
 * the shared expert's first, then ascending ids: the result does not depend on where experts lie.
 */
final class MoeBlock {
  private final int hiddenSize;
  private final int numExperts;
  private final int topK;
  private final int chunk;
  private final boolean normalise;
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
  private final RoutedTokens view = new RoutedTokens();
  private final Workers.Task chooseExperts = this::chooseExperts;
  private final Workers.Task combineToken = this::combineToken;

  private float[] scores = {}; // [tokens, numExperts], first the router's logits
  private float[] outputs = {}; // of the rows from outputBase on
  private float[] sharedOutputs = {};
  private float[] sharedGates = {}; // a logit per token
  private int[] chosen = {}; // [tokens, topK] expert ids, −1 where one was dropped
  private float[] weights = {}; // [tokens, topK]
  private int[] pairOf = {}; // row → token · topK + k
  private int[] rowOf = {}; // [tokens, topK] rows of a token, ascending; −1 in place of the dropped
  private final int[] firstRow; // of each expert, and the end
  private final int[] needed;
  private final int[] group;
  private final Wave wave = new Wave();

  // What the tasks work on.
  private Weights.MoeMlp moe;
  private float[] result;
  private int outputBase;
  private int outputEnd;
  private boolean addShared;
  private long skipped;

  /** Rows that are computed together: pieces of at most a chunk of one expert's rows. */
  private static final class Wave {
    private int pieces;
    private int rows;
    private int[] expert = {}; // of a piece
    private int[] sortedRow = {}; // first of a piece among the rows sorted by expert
    private int[] count = {}; // rows of a piece
    private int[] tokenOf = {}; // row of the wave → token
    private int[] expertOf = {}; // row of the wave → expert

    void clear() {
      pieces = 0;
      rows = 0;
    }

    void add(int ofExpert, int firstSorted, int rowCount) {
      if (pieces == expert.length) {
        int longer = Math.max(16, 2 * pieces);
        expert = Arrays.copyOf(expert, longer);
        sortedRow = Arrays.copyOf(sortedRow, longer);
        count = Arrays.copyOf(count, longer);
      }
      expert[pieces] = ofExpert;
      sortedRow[pieces] = firstSorted;
      count[pieces] = rowCount;
      pieces++;
      rows += rowCount;
    }
  }

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
    this.chunk = chunk;
    this.normalise = kind.routing().normalise();
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
    firstRow = new int[numExperts + 1];
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
    route(input, tokens);
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
    if (tokens == 1 && options.selection().skipMissing()) {
      skipMissing(layer);
    }
    sortByExpert(tokens);
    if (tokens <= chunk) {
      runTogether(layer, input, tokens);
    } else {
      runInWaves(layer, input, tokens);
    }
  }

  private void route(Rows input, int tokens) {
    scores = Rows.grown(scores, tokens, numExperts);
    if (chosen.length < tokens * topK) {
      chosen = new int[tokens * topK];
      rowOf = new int[tokens * topK];
      pairOf = new int[tokens * topK];
      weights = new float[tokens * topK];
    }
    products.add(moe.router(), input, 0, tokens, scores, 0);
    if (moe.config().sharedGate()) {
      sharedGates = Rows.grown(sharedGates, tokens, 1);
      Weights.SharedExpert expert = moe.shared().orElseThrow();
      products.add(expert.router().orElseThrow(), input, 0, tokens, sharedGates, 0);
    }
    products.run();
    ActivationRows.each(workers, tokens, (long) tokens * numExperts * topK, chooseExperts);
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
      ExpertSelection.reweigh(chosen, weights, 0, topK, normalise ? before : 0);
    }
  }

  /** Experts that were chosen but left out so far. */
  long leftOut() {
    long sum = skipped;
    for (Router router : routers) {
      sum += router.dropped();
    }
    return sum;
  }

  /** A counting sort: firstRow, pairOf and rowOf. */
  private void sortByExpert(int tokens) {
    Arrays.fill(firstRow, 0);
    for (int pair = 0; pair < tokens * topK; pair++) {
      if (chosen[pair] >= 0) {
        firstRow[chosen[pair] + 1]++;
      }
    }
    for (int expert = 0; expert < numExperts; expert++) {
      firstRow[expert + 1] += firstRow[expert];
    }
    for (int pair = 0; pair < tokens * topK; pair++) {
      rowOf[pair] = -1;
      if (chosen[pair] >= 0) {
        int row = firstRow[chosen[pair]]++;
        rowOf[pair] = row;
        pairOf[row] = pair;
      }
    }
    // Each entry has moved to the next expert's first row: shift them back.
    System.arraycopy(firstRow, 0, firstRow, 1, numExperts);
    firstRow[0] = 0;
    for (int token = 0; token < tokens; token++) {
      Arrays.sort(rowOf, token * topK, (token + 1) * topK); // few: an insertion sort
    }
  }

  private int neededExperts(int tokens) {
    boolean all = options.prefill() == Prefill.CHUNKED && tokens > 1;
    int count = 0;
    for (int expert = 0; expert < numExperts; expert++) {
      if (all || firstRow[expert + 1] > firstRow[expert]) {
        needed[count++] = expert;
      }
    }
    return count;
  }

  /** All outputs are kept and added at the end: experts may come in any order. */
  private void runTogether(int layer, Rows input, int tokens) {
    int rows = firstRow[numExperts];
    outputs = Rows.grown(outputs, rows, hiddenSize);
    outputBase = 0;
    outputEnd = rows;
    addShared = moe.shared().isPresent();
    boolean sharedToCome = addShared;
    experts.begin(layer, needed, neededExperts(tokens), ExpertStore.Order.AVAILABLE);
    try {
      for (int n = experts.next(group); n > 0; n = experts.next(group)) {
        wave.clear();
        for (int i = 0; i < n; i++) {
          addPieces(group[i], firstRow[group[i]], firstRow[group[i] + 1]);
        }
        if (wave.pieces > 0) {
          runWave(input, tokens == 1, sharedToCome ? tokens : 0);
          sharedToCome = false;
        }
      }
    } finally {
      experts.end();
    }
    if (sharedToCome) { // no expert was needed at all
      wave.clear();
      runWave(input, tokens == 1, tokens);
    }
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
    experts.begin(layer, needed, neededExperts(tokens), ExpertStore.Order.ANNOUNCED);
    try {
      for (int n = experts.next(group); n > 0; n = experts.next(group)) {
        wave.clear();
        for (int i = 0; i < n; i++) {
          int end = firstRow[group[i] + 1];
          for (int row = firstRow[group[i]]; row < end; row += chunk) {
            int pieceEnd = Math.min(row + chunk, end);
            if (wave.rows + pieceEnd - row > maxRows) {
              runAndCombine(input, tokens);
            }
            addPieces(group[i], row, pieceEnd);
          }
        }
        runAndCombine(input, tokens);
      }
    } finally {
      experts.end();
    }
  }

  private void runAndCombine(Rows input, int tokens) {
    if (wave.pieces > 0) {
      outputBase = wave.sortedRow[0]; // the rows of a wave follow one another
      outputEnd = outputBase + wave.rows;
      runWave(input, false, 0);
      combine(tokens, wave.rows);
      wave.clear();
    }
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

  private void addPieces(int expert, int from, int end) {
    for (int row = from; row < end; row += chunk) {
      wave.add(expert, row, Math.min(chunk, end - row));
    }
  }

  /**
   * @param sharedTokens tokens of the shared expert that is computed in the same parallel regions;
   *     0 for none
   */
  private void runWave(Rows input, boolean single, int sharedTokens) {
    routed.start(wave.rows);
    shared.start(sharedTokens);
    fillRows();
    if (!single) { // else every expert reads the same row: no copies
      gathered.startGathered(wave.rows, input, wave.tokenOf);
    }
    if (sharedTokens > 0) { // first, as the largest pieces
      Weights.SharedExpert expert = moe.shared().orElseThrow();
      shared.addGateAndUp(products, expert.weights(), input, 0, sharedTokens, 0);
    }
    int row = 0;
    for (int piece = 0; piece < wave.pieces; piece++) {
      ExpertStore.Expert expert = experts.expert(wave.expert[piece]);
      int count = wave.count[piece];
      routed.addGateAndUp(
          products, expert, single ? input : gathered, single ? 0 : row, count, row);
      row += count;
    }
    products.run();
    activation.run(routed, shared, moe, wave.expertOf);
    if (sharedTokens > 0) {
      sharedOutputs = Rows.grown(sharedOutputs, sharedTokens, hiddenSize);
      ExpertStore.Expert expert = moe.shared().orElseThrow().weights();
      products.add(expert.down(), shared.down(), 0, sharedTokens, sharedOutputs, 0);
    }
    row = 0;
    for (int piece = 0; piece < wave.pieces; piece++) {
      ExpertStore.Expert expert = experts.expert(wave.expert[piece]);
      int to = (wave.sortedRow[piece] - outputBase) * hiddenSize;
      products.add(expert.down(), routed.down(), row, wave.count[piece], outputs, to);
      row += wave.count[piece];
    }
    products.run();
  }

  private void fillRows() {
    if (wave.tokenOf.length < wave.rows) {
      wave.tokenOf = new int[wave.rows];
      wave.expertOf = new int[wave.rows];
    }
    int row = 0;
    for (int piece = 0; piece < wave.pieces; piece++) {
      for (int i = 0; i < wave.count[piece]; i++, row++) {
        wave.tokenOf[row] = pairOf[wave.sortedRow[piece] + i] / topK;
        wave.expertOf[row] = wave.expert[piece];
      }
    }
  }

  private void combine(int tokens, int rows) {
    ActivationRows.each(workers, tokens, (long) rows * hiddenSize, combineToken);
  }

  /** Adds what a token's experts gave to its result, as far as outputs has it. */
  private void combineToken(int token, int thread) {
    if (addShared) {
      addSharedOutput(token, token);
    }
    int at = token * hiddenSize;
    for (int k = token * topK; k < (token + 1) * topK; k++) {
      int row = rowOf[k];
      if (row < outputBase || row >= outputEnd) {
        continue;
      }
      int pair = pairOf[row];
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
