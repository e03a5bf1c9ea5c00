package dev.quern.converter.shadow;

import dev.quern.model.Model;
import dev.quern.quant.Rotation;
import java.io.Serializable;
import java.util.Arrays;

/**
 * One short row per token of the vocabulary, from the model's embedding: what a predictor knows of
 * the token itself. A wide embedding is rotated and cut, which keeps the distances between rows
 * about as they were (Johnson and Lindenstrauss); a narrow one is taken whole.
 *
 * @param width elements of a row
 * @param halves [vocabSize, width] as float16, of root mean square 1 over the table
 */
record TokenTable(int width, short[] halves) implements Serializable {
  static final int MAX_WIDTH = 256;

  static TokenTable of(Model model, long seed) {
    int hidden = model.config().hiddenSize();
    int vocab = model.config().vocabSize();
    int width = Math.min(MAX_WIDTH, hidden);
    Rotation rotation =
        width == hidden
            ? Rotation.none(hidden)
            : Rotation.hadamard(seed, -1, Rotation.Input.EMBEDDING, hidden);
    float[] row = new float[hidden];
    short[] halves = new short[Math.multiplyExact(vocab, width)];
    double squares = 0;
    for (int id = 0; id < vocab; id++) {
      model.embed(id, row);
      for (float x : row) {
        squares += (double) x * x;
      }
    }
    float scale = (float) (1 / Math.max(1e-12, Math.sqrt(squares / vocab / hidden)));
    for (int id = 0; id < vocab; id++) {
      model.embed(id, row);
      rotation.apply(row, 0);
      for (int i = 0; i < width; i++) {
        halves[id * width + i] = Float.floatToFloat16(scale * row[i]);
      }
    }
    return new TokenTable(width, halves);
  }

  int vocabSize() {
    return halves.length / width;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TokenTable(int w, short[] h) && w == width && Arrays.equals(h, halves);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(halves);
  }

  @Override
  public String toString() {
    return "token table %d x %d".formatted(vocabSize(), width);
  }
}
