package dev.quern.bench.plan;

import dev.quern.bench.speed.Throughput;
import dev.quern.experts.CachePolicyKind;
import dev.quern.experts.StreamedExperts;
import dev.quern.format.ExpertFile;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import dev.quern.model.ModelSource;
import dev.quern.model.Session;
import dev.quern.model.Streaming;
import dev.quern.system.IoMode;
import dev.quern.system.MemoryStatus;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Times a whole token of a pack with every expert it uses in memory, but no others: the same token
 * at the same place again and again, which takes the same experts each time. It contains all that
 * sums of single products leave out.
 */
final class MeasuredToken {
  /** After a few tokens, as at the start of a text; longer contexts are added by their bytes. */
  private static final int POSITION = 16;

  /** Code is compiled in steps: it is as fast as it gets when it has not got faster for so long. */
  private static final long SETTLED_NANOS = 1_000_000_000;

  private static final double FASTER = 0.97;
  private static final long MAX_NANOS = 10_000_000_000L;
  private static final int TURN = 8;

  private MeasuredToken() {}

  /**
   * Seconds of a token; empty if the memory for its experts is not there to be had, or the model
   * cannot be set back to the same place.
   *
   * @throws IOException if the pack cannot be read
   */
  static OptionalDouble seconds(ModelSource.Packed pack, int threads) throws IOException {
    long bytes = 0;
    for (int layer = 0; layer < pack.config().numLayers(); layer++) {
      Optional<ExpertFile> file = pack.pack().expertFile(layer);
      if (file.isPresent()) {
        bytes += pack.config().topK() * StreamedExperts.slotBytes(file.get());
      }
    }
    // Recurrent layers go back by reading all tokens again, which use other experts.
    if (bytes > available() / 2 || pack.config().hasRecurrentLayers()) {
      return OptionalDouble.empty();
    }
    Streaming streaming =
        new Streaming(
            new Streaming.Experts(bytes),
            IoMode.DIRECT,
            CachePolicyKind.LRU, // even shares: topK of each layer
            Optional.empty(),
            false,
            2,
            Streaming.Prediction.NONE,
            false,
            false);
    try (Model model = Model.open(pack.path(), new ModelOptions(threads).with(streaming));
        Session session = model.newSession(Math.min(POSITION + 1, model.config().maxPositions()))) {
      int[] one = new int[1];
      int position = session.maxTokens() - 1;
      for (int i = 0; i < position; i++) {
        session.append(one);
      }
      return OptionalDouble.of(settled(session, one));
    }
  }

  private static long available() throws IOException {
    try (MemoryStatus status = MemoryStatus.open()) {
      return status.known() ? status.availableBytes() : Long.MAX_VALUE;
    }
  }

  /** The median time, once it gets no shorter. */
  private static double settled(Session session, int[] one) {
    int position = session.position();
    List<Double> turns = new ArrayList<>();
    double best = Double.POSITIVE_INFINITY;
    long start = System.nanoTime();
    long lastGain = start;
    while (System.nanoTime() - start < MAX_NANOS && System.nanoTime() - lastGain < SETTLED_NANOS) {
      long begin = System.nanoTime();
      for (int i = 0; i < TURN; i++) {
        session.append(one);
        session.truncate(position);
      }
      double seconds = (System.nanoTime() - begin) / 1e9 / TURN;
      if (seconds < FASTER * best) {
        best = seconds;
        lastGain = System.nanoTime();
        turns.clear();
      }
      turns.add(seconds);
    }
    return Throughput.median(turns);
  }
}
