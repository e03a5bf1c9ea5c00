package dev.quern.bench.streaming;

import dev.quern.experts.ExpertProfile;
import dev.quern.model.ModelConfig;
import dev.quern.model.Session;
import dev.quern.system.IoMode;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What {@code bench streaming} measures.
 *
 * @param pack whose experts lie on disk
 * @param ids tokens of a text: prompts and what is decoded are taken from it, so that every run
 *     reads the same tokens
 * @param topicIds tokens of another text, for the switch of topics
 * @param shares of all experts that fit in memory
 * @param warmUpTokens decoded before a measurement begins
 * @param tokens decoded in a measurement, at least {@value #WINDOW}
 * @param prefillTokens of the prompt
 * @param prefillShare of all experts that fit in memory while the prompt is read
 * @param profile to warm a cache with; empty to record one from the text's first part
 */
public record StreamingProtocol(
    Path pack,
    int[] ids,
    int[] topicIds,
    List<Double> shares,
    int warmUpTokens,
    int tokens,
    int prefillTokens,
    double prefillShare,
    int threads,
    IoMode io,
    Optional<ExpertProfile> profile) {
  /** Tokens of a turn, and of a window in which hits are counted. */
  static final int WINDOW = 16;

  public StreamingProtocol {
    shares = List.copyOf(shares);
    if (tokens < WINDOW) {
      throw new IllegalArgumentException(
          "--tokens: expected at least %d, found %d".formatted(WINDOW, tokens));
    }
    if (ids.length < warmUpTokens + tokens || ids.length < prefillTokens) {
      throw new IllegalArgumentException(
          "the text has %d tokens, expected at least %d"
              .formatted(ids.length, Math.max(warmUpTokens + tokens, prefillTokens)));
    }
    for (double share : shares) {
      if (!(share > 0 && share <= 1)) {
        throw new IllegalArgumentException("share of the experts: 0 to 1, found " + share);
      }
    }
  }

  /** Positions of a session that decodes and reads prompts. */
  int context(ModelConfig config) {
    return Math.min(config.maxPositions(), Math.max(warmUpTokens + tokens, prefillTokens));
  }

  /** One by one; a full context begins anew, as a next document would. */
  void decode(Session session, int from, int count) {
    int[] one = new int[1];
    for (int i = from; i < from + count; i++) {
      if (session.position() == session.maxTokens()) {
        session.truncate(0);
      }
      one[0] = ids[i];
      session.append(one);
    }
  }
}
