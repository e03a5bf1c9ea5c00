package dev.quern.bench.speed;

import java.io.IOException;
import java.util.OptionalDouble;

/** A program with a loaded model, ready to be measured: quern, or a peer. */
public interface SpeedEngine extends AutoCloseable {
  SpeedSubject subject();

  /** What a token of a test costs at least. */
  SpeedCost cost(SpeedTest test);

  /**
   * Runs a test until it has stopped getting faster; where that is done by the engine itself, or is
   * not needed, nothing.
   *
   * @return how, for the record, in a few words
   * @throws IOException if the engine fails
   */
  String warmUp(SpeedTest test) throws IOException;

  /**
   * Runs a test once.
   *
   * @return tokens per second
   * @throws IOException if the engine fails
   */
  double repetition(SpeedTest test) throws IOException;

  /** Bytes per token that the last repetition took from the heap; empty where nobody knows. */
  default OptionalDouble allocatedPerToken() {
    return OptionalDouble.empty();
  }

  @Override
  void close() throws IOException;
}
