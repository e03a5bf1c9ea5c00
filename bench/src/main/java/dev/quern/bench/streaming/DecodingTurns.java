package dev.quern.bench.streaming;

import dev.quern.bench.speed.Throughput;
import dev.quern.bench.streaming.StreamingResults.Decoding;
import dev.quern.experts.StreamStatistics;
import dev.quern.model.Model;
import dev.quern.model.Session;
import dev.quern.system.ProcessIo;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Decodes the same tokens in several ways, a few tokens each in turns: the speed of a disk, and of
 * a machine with other users, changes from minute to minute, and turns see the same of it.
 */
final class DecodingTurns implements AutoCloseable {
  private final StreamingProtocol protocol;
  private final List<Runner> runners = new ArrayList<>();

  /** A way with its model, whose cache lives through all turns. */
  private static final class Runner {
    private final Way way;
    private final Model model;
    private final Session session;
    private final List<Double> seconds = new ArrayList<>(); // of turns
    private StreamStatistics start;
    private Optional<Long> deviceBytes = Optional.of(0L);

    Runner(Way way, Model model, int context) {
      this.way = way;
      this.model = model;
      session = model.newSession(context);
    }

    StreamStatistics statistics() {
      return model.streams().orElseThrow().statistics();
    }

    void turn(StreamingProtocol protocol, int from, int count) {
      Optional<ProcessIo> before = ProcessIo.now();
      long nanos = System.nanoTime();
      protocol.decode(session, from, count);
      seconds.add((System.nanoTime() - nanos) / 1e9);
      Optional<Long> read = before.map(io -> ProcessIo.now().orElseThrow().since(io).readBytes());
      deviceBytes = deviceBytes.flatMap(sum -> read.map(more -> sum + more));
    }

    void close() {
      session.close();
      model.close();
    }
  }

  DecodingTurns(StreamingProtocol protocol, List<Way> ways, Way.Opening opening)
      throws IOException {
    this.protocol = protocol;
    try {
      for (Way way : ways) {
        Model model = opening.open(way);
        runners.add(new Runner(way, model, protocol.context(model.config())));
      }
    } catch (Throwable e) {
      close();
      throw e;
    }
  }

  /** Decodes after a warm-up of each cache. */
  List<Decoding> run(double share) {
    for (Runner runner : runners) {
      protocol.decode(runner.session, 0, protocol.warmUpTokens());
      runner.start = runner.statistics();
    }
    int end = protocol.warmUpTokens() + protocol.tokens();
    for (int from = protocol.warmUpTokens(); from < end; from += StreamingProtocol.WINDOW) {
      for (Runner runner : runners) {
        runner.turn(protocol, from, Math.min(StreamingProtocol.WINDOW, end - from));
      }
    }
    return runners.stream().map(runner -> decoding(runner, share)).toList();
  }

  private Decoding decoding(Runner runner, double share) {
    StreamStatistics done = runner.statistics().since(runner.start);
    int tokens = protocol.tokens();
    double seconds = runner.seconds.stream().mapToDouble(s -> s).sum();
    return new Decoding(
        runner.way.name(),
        runner.way.slots() > 0 ? 0 : share,
        tokens / seconds,
        times(runner, Way.NAIVE),
        times(runner, Way.PARALLEL),
        done.hitRate(),
        done.stallNanos() / 1e6 / tokens,
        (double) done.reads() / tokens,
        (double) done.bytesRead() / tokens,
        runner.deviceBytes,
        done.bytesRead(),
        done.prefetchReads(),
        done.prefetchUseful(),
        done.prefetchLate(),
        done.prefetchWasted(),
        0);
  }

  /** How many times as fast as another way: the median of the turns. */
  private double times(Runner runner, String other) {
    List<Double> base =
        runners.stream().filter(r -> r.way.name().equals(other)).findFirst().orElseThrow().seconds;
    List<Double> ratios = new ArrayList<>();
    for (int turn = 0; turn < base.size(); turn++) {
      ratios.add(base.get(turn) / runner.seconds.get(turn));
    }
    return Throughput.median(ratios);
  }

  @Override
  public void close() {
    runners.forEach(Runner::close);
  }
}
