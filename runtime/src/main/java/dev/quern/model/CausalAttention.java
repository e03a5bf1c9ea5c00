package dev.quern.model;

import dev.quern.kernels.Kernels;
import dev.quern.kernels.Workers;
import dev.quern.kv.KvCache;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * What all kinds of attention share: softmax(scale · q · keys) · values of every token and head
 * over the cached positions that the token may see.
 *
 * <p>A piece of parallel work is some rows that read the same keys: heads of one or several tokens.
 * Positions are cut into spans; what the spans give is added in their order. Where there are few
 * tokens, the spans of a piece are pieces too. The cut depends on shapes alone, and what a token
 * and head give does not depend on it.
 */
public final class CausalAttention {
  /** Of a piece: reading a tile of keys and values then costs little beside multiplying it. */
  private static final int PIECE_ROWS = 128;

  /** A multiple of {@link KvCache#TILE}: with 8 heads some 50 microseconds of work. */
  private static final int SPAN_POSITIONS = 1024;

  private final Workers workers;
  private final AttentionRows[] rowsOfThread;
  private final AttentionRows.Sums[] totals; // per thread
  private final AttentionRows.Sums[] spanSums; // per thread
  private AttentionRows.Sums[] partials = {}; // [piece, span]
  private final Workers.Task attendPiece = this::attendPiece;
  private final Workers.Task attendSpan = this::attendSpan;
  private final Workers.Task mergePiece = this::mergePiece;

  // What the tasks work on.
  private Shape shape;
  private int layer;
  private float[] sinks;
  private float[] queries;
  private float[] out;
  private int tokens;
  private int start;
  private int pieceHeads;
  private int pieceTokens;
  private int pieces;
  private int firstSpan;
  private int spans;

  /**
   * @param valuesInKeys whether the first valueDim elements of a key are its value
   * @param window positions that a token sees, its own included; 0 for all
   */
  public record Shape(
      int numHeads,
      int numKvHeads,
      int keyDim,
      int valueDim,
      boolean valuesInKeys,
      int window,
      float scale) {

    /** Heads that read the same keys. */
    int group() {
      return numHeads / numKvHeads;
    }
  }

  public CausalAttention(Kernels kernels, Workers workers, KvCache cache) {
    this.workers = workers;
    int threads = workers.threads();
    rowsOfThread =
        IntStream.range(0, threads)
            .mapToObj(thread -> new AttentionRows(kernels, cache))
            .toArray(AttentionRows[]::new);
    totals = newSums(threads);
    spanSums = newSums(threads);
  }

  /**
   * Floats that the sums of spans take until they are added, if there is no window.
   *
   * @param tokens at most so many at once
   * @param positions of the longest context
   */
  static long partialElements(Shape shape, long tokens, int positions) {
    long pieceTokens = Math.min(PIECE_ROWS / Math.min(PIECE_ROWS, shape.group()), tokens);
    long spans = Math.ceilDiv(positions, SPAN_POSITIONS);
    long rows = pieceTokens * shape.numHeads();
    return spans > 1 ? spans * rows * AttentionRows.Sums.elements(shape) : 0;
  }

  private static AttentionRows.Sums[] newSums(int count) {
    AttentionRows.Sums[] sums = new AttentionRows.Sums[count];
    Arrays.setAll(sums, i -> new AttentionRows.Sums());
    return sums;
  }

  /**
   * Attention of tokens at positions from newStart on, whose keys and values are in the cache.
   *
   * @param newSinks [numHeads], empty where the layer has none
   * @param newQueries [tokens, numHeads, keyDim]
   * @param newOut [tokens, numHeads, valueDim], written
   */
  public void run(
      Shape newShape,
      int newLayer,
      float[] newSinks,
      float[] newQueries,
      float[] newOut,
      int newTokens,
      int newStart) {
    shape = newShape;
    layer = newLayer;
    sinks = newSinks;
    queries = newQueries;
    out = newOut;
    tokens = newTokens;
    start = newStart;
    pieceHeads = Math.min(PIECE_ROWS, shape.group());
    pieceTokens = Math.min(PIECE_ROWS / pieceHeads, tokens);
    pieces = Math.ceilDiv(tokens, pieceTokens) * shape.numKvHeads() * piecesOfGroup();
    firstSpan = first(0) / SPAN_POSITIONS;
    spans = Math.ceilDiv(end(tokens - 1), SPAN_POSITIONS) - firstSpan;
    long positions = (long) end(tokens - 1) - first(0);
    long work = tokens * positions * shape.numHeads() * (shape.keyDim() + shape.valueDim());
    if (spans > 1 && tokens == pieceTokens) {
      if (partials.length < pieces * spans) {
        AttentionRows.Sums[] more = newSums(pieces * spans);
        System.arraycopy(partials, 0, more, 0, partials.length);
        partials = more;
      }
      workers.run(pieces * spans, work, attendSpan);
      workers.run(pieces, (long) pieces * spans * shape.valueDim(), mergePiece);
    } else {
      workers.run(pieces, work, attendPiece);
    }
  }

  private int piecesOfGroup() {
    return Math.ceilDiv(shape.group(), pieceHeads);
  }

  /** First position that a token sees. */
  private int first(int token) {
    return shape.window() == 0 ? 0 : Math.max(0, end(token) - shape.window());
  }

  private int end(int token) {
    return start + token + 1;
  }

  /** The longest come first, so that the shortest of each thread's range are left for the end. */
  private int firstToken(int piece) {
    int headPieces = shape.numKvHeads() * piecesOfGroup();
    return (pieces / headPieces - 1 - piece / headPieces) * pieceTokens;
  }

  private int kvHead(int piece) {
    return piece % (shape.numKvHeads() * piecesOfGroup()) / piecesOfGroup();
  }

  private int firstHead(int piece) {
    return kvHead(piece) * shape.group() + piece % piecesOfGroup() * pieceHeads;
  }

  private int heads(int piece) {
    return Math.min(pieceHeads, (kvHead(piece) + 1) * shape.group() - firstHead(piece));
  }

  private int tokens(int piece) {
    return Math.min(pieceTokens, tokens - firstToken(piece));
  }

  private AttentionRows rows(int piece, int thread) {
    AttentionRows rows = rowsOfThread[thread];
    int heads = heads(piece);
    int count = tokens(piece);
    rows.start(shape, layer, kvHead(piece), heads * count);
    for (int t = 0; t < count; t++) {
      int token = firstToken(piece) + t;
      for (int h = 0; h < heads; h++) {
        int query = (token * shape.numHeads() + firstHead(piece) + h) * shape.keyDim();
        rows.setRow(t * heads + h, queries, query, first(token), end(token));
      }
    }
    rows.group();
    return rows;
  }

  private void attendPiece(int piece, int thread) {
    AttentionRows rows = rows(piece, thread);
    AttentionRows.Sums total = totals[thread];
    if (!addSpan(piece, firstSpan, rows, total)) {
      total.clear(heads(piece) * tokens(piece), AttentionRows.panels(shape));
    }
    for (int span = firstSpan + 1; span < firstSpan + spans; span++) {
      if (addSpan(piece, span, rows, spanSums[thread])) {
        rows.merge(spanSums[thread], total);
      }
    }
    finish(piece, rows, total);
  }

  /** Whether the piece's tokens see anything of the span. */
  private boolean addSpan(int piece, int span, AttentionRows rows, AttentionRows.Sums sums) {
    int token = firstToken(piece);
    int from = Math.max(span * SPAN_POSITIONS, first(token) / KvCache.TILE * KvCache.TILE);
    int to = Math.min((span + 1) * SPAN_POSITIONS, end(token + tokens(piece) - 1));
    if (from >= to) {
      return false;
    }
    sums.clear(heads(piece) * tokens(piece), AttentionRows.panels(shape));
    rows.add(from, to, sums);
    return true;
  }

  private void attendSpan(int task, int thread) {
    int piece = task / spans;
    AttentionRows rows = rows(piece, thread);
    int panels = AttentionRows.panels(shape);
    partials[task].clear(heads(piece) * tokens(piece), panels);
    addSpan(piece, firstSpan + task % spans, rows, partials[task]);
  }

  private void mergePiece(int piece, int thread) {
    AttentionRows rows = rowsOfThread[thread];
    int count = heads(piece) * tokens(piece);
    rows.start(shape, layer, kvHead(piece), count);
    AttentionRows.Sums total = totals[thread];
    total.clear(count, AttentionRows.panels(shape));
    for (int span = 0; span < spans; span++) {
      rows.merge(partials[piece * spans + span], total);
    }
    finish(piece, rows, total);
  }

  private void finish(int piece, AttentionRows rows, AttentionRows.Sums total) {
    int heads = heads(piece);
    for (int t = 0; t < tokens(piece); t++) {
      int token = firstToken(piece) + t;
      for (int h = 0; h < heads; h++) {
        int head = firstHead(piece) + h;
        float sink = sinks.length > 0 ? sinks[head] : Float.NEGATIVE_INFINITY;
        int at = (token * shape.numHeads() + head) * shape.valueDim();
        rows.finish(t * heads + h, sink, total, out, at);
      }
    }
  }
}
