package dev.quern.converter.traces;

import java.util.Set;

/**
 * Rows of one layer as arrays, filled by {@link TraceReader#next}. Row-major; the arrays stay the
 * same from batch to batch. Those of columns that were not asked for are empty.
 */
public final class TraceBatch {
  private final int capacity;
  int rows;
  final int[] documents;
  final int[] windows;
  final int[] positions;
  final int[] tokens;
  final float[] input;
  final float[] entered;
  final float[] scores;
  final int[] experts;
  final float[] weights;

  TraceBatch(TraceShape shape, Set<TraceColumn> columns, int capacity) {
    this.capacity = capacity;
    documents = new int[length(TraceColumn.DOCUMENT, shape, columns)];
    windows = new int[length(TraceColumn.WINDOW, shape, columns)];
    positions = new int[length(TraceColumn.POSITION, shape, columns)];
    tokens = new int[length(TraceColumn.TOKEN, shape, columns)];
    input = new float[length(TraceColumn.INPUT, shape, columns)];
    entered = new float[length(TraceColumn.ENTERED, shape, columns)];
    scores = new float[length(TraceColumn.SCORES, shape, columns)];
    experts = new int[length(TraceColumn.EXPERTS, shape, columns)];
    weights = new float[length(TraceColumn.WEIGHTS, shape, columns)];
  }

  private int length(TraceColumn column, TraceShape shape, Set<TraceColumn> columns) {
    return columns.contains(column) ? Math.multiplyExact(capacity, shape.width(column)) : 0;
  }

  int capacity() {
    return capacity;
  }

  int[] ints(TraceColumn column) {
    return switch (column) {
      case DOCUMENT -> documents;
      case WINDOW -> windows;
      case POSITION -> positions;
      case TOKEN -> tokens;
      case EXPERTS -> experts;
      case INPUT, ENTERED, SCORES, WEIGHTS ->
          throw new IllegalArgumentException(column + " holds no integers");
    };
  }

  float[] floats(TraceColumn column) {
    return switch (column) {
      case INPUT -> input;
      case ENTERED -> entered;
      case SCORES -> scores;
      case WEIGHTS -> weights;
      case DOCUMENT, WINDOW, POSITION, TOKEN, EXPERTS ->
          throw new IllegalArgumentException(column + " holds no floats");
    };
  }

  /** Rows that are filled. */
  public int rows() {
    return rows;
  }

  /** [rows], ascending. */
  public int[] documents() {
    return documents;
  }

  /** [rows], ascending in a document. */
  public int[] windows() {
    return windows;
  }

  /** [rows], from 0 on in every window. */
  public int[] positions() {
    return positions;
  }

  /** [rows], vocabulary ids. */
  public int[] tokens() {
    return tokens;
  }

  /** [rows, hiddenSize], what the router read. */
  public float[] input() {
    return input;
  }

  /** [rows, hiddenSize], what entered the layer. */
  public float[] entered() {
    return entered;
  }

  /** [rows, numExperts]. */
  public float[] scores() {
    return scores;
  }

  /** [rows, topK], highest score first. */
  public int[] experts() {
    return experts;
  }

  /** [rows, topK]. */
  public float[] weights() {
    return weights;
  }
}
