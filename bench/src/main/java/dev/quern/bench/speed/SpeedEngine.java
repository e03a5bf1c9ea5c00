package dev.quern.bench.speed;

import java.io.IOException;

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

  @Override
  void close() throws IOException;
}
