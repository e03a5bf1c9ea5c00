package dev.quern.bench.peers;

import dev.quern.bench.speed.SpeedCost;
import dev.quern.bench.speed.SpeedEngine;
import dev.quern.bench.speed.SpeedSubject;
import dev.quern.bench.speed.SpeedTest;
import dev.quern.format.FormatException;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;

/**
 * A llama-bench program with one model: llama.cpp's, or one with the same options and the same
 * JSON. Every repetition is a process, which loads the model, warms up and measures; the last of
 * its own repetitions counts.
 *
 * <p>Source: github.com/ggml-org/llama.cpp, tools/llama-bench/README.md.
 */
public final class LlamaBench implements SpeedEngine {
  private static final SpeedTest PROBE = new SpeedTest(SpeedTest.Kind.PREFILL, 8, 0);

  // Weights are mapped: the first tokens of a process wait for pages. Its own warm-up is one token
  // before decode, so the first 64 meet most experts for the first time.

  private final PeerProgram program;
  private final PeerModel model;
  private final PeerProcess process;
  private final SpeedSubject subject;

  private LlamaBench(
      PeerProgram program, PeerModel model, PeerProcess process, SpeedSubject subject) {
    this.program = program;
    this.model = model;
    this.process = process;
    this.subject = subject;
  }

  /**
   * Runs the program once, on a few tokens, to see that it can run the model.
   *
   * @param perplexity of the model, see {@link SpeedSubject#perplexity}
   * @param limit of one run
   * @throws FormatException if it cannot be started, fails, or answers in another way
   */
  public static LlamaBench open(
      PeerProgram program, PeerModel model, OptionalDouble perplexity, int threads, Duration limit)
      throws IOException {
    String name = program.name();
    PeerProcess process = new PeerProcess(name, limit);
    String output = process.run(command(program, model, threads, PROBE));
    SpeedSubject subject =
        new SpeedSubject(
            name,
            result(name, output, PROBE, threads).build(),
            model.name(),
            model.quantization(),
            threads,
            model.bitsPerWeight(),
            (double) model.touchedBytes() * Byte.SIZE / SpeedCost.touchedWeights(model.config()),
            model.config().totalParameters(),
            SpeedCost.touchedWeights(model.config()),
            model.touchedBytes(),
            model.randomWeights(),
            perplexity);
    return new LlamaBench(program, model, process, subject);
  }

  private static List<String> command(
      PeerProgram program, PeerModel model, int threads, SpeedTest test) {
    boolean prefill =
        switch (test.kind()) {
          case PREFILL -> true;
          case DECODE -> false;
        };
    List<String> command = new ArrayList<>(program.command());
    command.addAll(List.of("-m", model.file().toString()));
    command.addAll(List.of("-p", Integer.toString(prefill ? test.tokens() : 0)));
    command.addAll(List.of("-n", Integer.toString(prefill ? 0 : test.tokens())));
    String repetitions = Integer.toString(test.atOnce());
    command.addAll(List.of("-t", Integer.toString(threads), "-r", repetitions, "-o", "json"));
    if (test.depth() > 0) { // not every version knows it
      command.addAll(List.of("-d", Integer.toString(test.depth())));
    }
    return command;
  }

  private static LlamaBenchResult result(String name, String output, SpeedTest test, int threads)
      throws FormatException {
    List<LlamaBenchResult> results = LlamaBenchResult.parse(name, output);
    return results.stream()
        .filter(result -> result.isOf(test) && result.threads() == threads)
        .findFirst()
        .orElseThrow(() ->
            new FormatException(
                "%s: expected a result of %s with %d threads, found %s"
                    .formatted(
                        name, test.name(), threads, FormatException.quote(results.toString()))));
  }

  @Override
  public SpeedSubject subject() {
    return subject;
  }

  @Override
  public SpeedCost cost(SpeedTest test) {
    return model.cost(test);
  }

  @Override
  public String warmUp(SpeedTest test) {
    return "a process per repetition%s, the last of %d within it"
        .formatted(program.warmsUp() ? ", warmed up" : "", test.atOnce());
  }

  @Override
  public double repetition(SpeedTest test) throws IOException {
    String name = subject.engine();
    int threads = subject.threads();
    String output = process.run(command(program, model, threads, test));
    return result(name, output, test, threads).samples().getLast();
  }

  @Override
  public void close() {
    // Its processes have ended.
  }
}
