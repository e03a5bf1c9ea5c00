package dev.quern.kernels;

import java.util.Arrays;

/**
 * The batches that the products of one run read, as {@link VectorGroups} lays them out; products of
 * one input share it. Filled in a parallel region of its own before the products run.
 */
final class GroupedInputs {
  private final Kernels kernels;
  private final Workers.Task groupPiece = this::groupPiece;
  private Input[] inputs = {};
  private int[] firstPieces = {};
  private int count;
  private int pieces;
  private int length;
  private float[] values = {};

  GroupedInputs(Kernels kernels) {
    this.kernels = kernels;
  }

  /** One batch: where it comes from and where its groups begin. */
  static final class Input {
    private float[] x;
    private int xOffset;
    private int xStride;
    private int vectors;
    private int cols;
    private int groups;
    private int at;

    int groups() {
      return groups;
    }

    /** First vector of a group; of the group after the last, the number of vectors. */
    int first(int group) {
      return VectorGroups.first(group, groups, vectors);
    }

    /** Where column col of a group begins in {@link GroupedInputs#values}. */
    int at(int group, int col) {
      return at + (group * cols + col) * VectorGroups.GROUP_STRIDE;
    }

    private boolean is(float[] newX, int offset, int stride, int newVectors, int newCols) {
      return x == newX
          && xOffset == offset
          && xStride == stride
          && vectors == newVectors
          && cols == newCols;
    }
  }

  /** Adds a batch, or finds that the one added last is the same. */
  Input add(float[] x, int xOffset, int xStride, int vectors, int cols) {
    if (count > 0 && inputs[count - 1].is(x, xOffset, xStride, vectors, cols)) {
      return inputs[count - 1];
    }
    Input input = next();
    input.x = x;
    input.xOffset = xOffset;
    input.xStride = xStride;
    input.vectors = vectors;
    input.cols = cols;
    input.groups = VectorGroups.count(vectors, kernels.groupVectors());
    input.at = length;
    int elements = Math.multiplyExact(input.groups * VectorGroups.GROUP_STRIDE, cols);
    length = Math.addExact(length, elements);
    firstPieces[count] = pieces;
    pieces += input.groups;
    count++;
    return input;
  }

  private Input next() {
    if (count == inputs.length) {
      inputs = Arrays.copyOf(inputs, Math.max(8, 2 * count));
      firstPieces = Arrays.copyOf(firstPieces, inputs.length);
    }
    if (inputs[count] == null) {
      inputs[count] = new Input();
    }
    return inputs[count];
  }

  /** Groups what was added. */
  void run(Workers workers) {
    if (values.length < length) {
      values = new float[length];
    }
    if (pieces > 0) {
      workers.run(pieces, groupPiece);
    }
  }

  private void groupPiece(int piece, int thread) {
    int found = Arrays.binarySearch(firstPieces, 0, count, piece);
    int index = found >= 0 ? found : -found - 2;
    Input input = inputs[index];
    int group = piece - firstPieces[index];
    int first = input.first(group);
    kernels.group(
        input.x,
        input.xOffset + first * input.xStride,
        input.xStride,
        input.first(group + 1) - first,
        input.cols,
        values,
        input.at(group, 0));
  }

  /** The groups, valid after {@link #run}. */
  float[] values() {
    return values;
  }

  void forget() {
    for (int i = 0; i < count; i++) {
      inputs[i].x = null;
    }
    count = 0;
    pieces = 0;
    length = 0;
  }
}
