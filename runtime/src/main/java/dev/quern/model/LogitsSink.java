package dev.quern.model;

/** Takes the logits of one position after the other. */
@FunctionalInterface
public interface LogitsSink {

  /**
   * @param position of the token in its session
   * @param logits for the token after it, in [offset, offset + vocabSize); valid during the call
   */
  void accept(int position, float[] logits, int offset);
}
