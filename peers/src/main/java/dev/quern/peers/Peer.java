package dev.quern.peers;

/** A runtime with a loaded model. */
interface Peer {
  /** Version, and what else decides its speed, in a few words. */
  String build();

  /**
   * Reads a prompt in one batch and chooses the token after it.
   *
   * @param tokens of the prompt
   * @param depth tokens of the context before, which are not measured
   * @return seconds
   */
  double prefill(int tokens, int depth);

  /**
   * Evaluates tokens one by one and chooses the next each time.
   *
   * @param tokens evaluated
   * @param depth as above
   * @return seconds
   */
  double decode(int tokens, int depth);
}
