package dev.quern.bench.speed;

import dev.quern.bench.quality.SourceCommit;
import dev.quern.format.FormatException;
import dev.quern.kv.KvType;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import dev.quern.model.RunMemory;
import dev.quern.model.Session;
import dev.quern.model.WeightSizes;
import dev.quern.quant.CounterRandom;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.concurrent.TimeUnit;

/** quern in this JVM. */
public final class QuernEngine implements SpeedEngine {
  /** A repetition that is less than this much faster than the best so far is not faster. */
  private static final double FASTER = 1.03;

  private static final int SETTLED_REPETITIONS = 3;
  private static final long SETTLED_NANOS = 1_000_000_000;

  /** Warming up ends after so many seconds, whatever the compiler has left to do. */
  public static final int MAX_WARM_SECONDS = 60;

  private final Path path;
  private final Model model;
  private final SpeedSubject subject;
  private final long seed;
  private final long maxWarmNanos;
  private Session session;
  private int depth = -1;
  private long drawn;

  /**
   * What is known of a model beside its files.
   *
   * @param name of the model, see {@link SpeedSubject#model}
   * @param quantization see {@link SpeedSubject#quantization}
   */
  public record Label(
      String name, String quantization, boolean randomWeights, OptionalDouble perplexity) {}

  private QuernEngine(Path path, Model model, SpeedSubject subject, long seed, int maxWarmSeconds) {
    this.path = path;
    this.model = model;
    this.subject = subject;
    this.seed = seed;
    maxWarmNanos = TimeUnit.SECONDS.toNanos(maxWarmSeconds);
  }

  /**
   * @param path a folder, a pack or a GGUF file
   * @param seed of the tokens that are read, which are random
   * @param maxWarmSeconds that warming up a test may take
   * @throws FormatException as {@link Model#open}
   */
  public static QuernEngine open(
      Path path, Label label, ModelOptions options, long seed, int maxWarmSeconds)
      throws IOException {
    Model model = Model.open(path, options);
    try {
      WeightSizes sizes = WeightSizes.of(model.source());
      long touched = SpeedCost.touchedWeights(model.config());
      long bytes = model.bytesTouchedPerToken().values().stream().mapToLong(Long::longValue).sum();
      SpeedSubject subject =
          new SpeedSubject(
              "quern",
              SourceCommit.describe(),
              label.name(),
              label.quantization(),
              options.threads(),
              sizes.bitsPerWeight(),
              (double) bytes * Byte.SIZE / touched,
              model.config().totalParameters(),
              touched,
              bytes,
              label.randomWeights(),
              label.perplexity());
      return new QuernEngine(path, model, subject, seed, maxWarmSeconds);
    } catch (Throwable e) {
      model.close();
      throw e;
    }
  }

  @Override
  public SpeedSubject subject() {
    return subject;
  }

  @Override
  public SpeedCost cost(SpeedTest test) {
    RunMemory memory = RunMemory.of(model.config(), test.positions(), KvType.F16);
    return SpeedCost.of(model.config(), model.bytesTouchedPerToken(), memory.cachePerToken(), test);
  }

  @Override
  public String warmUp(SpeedTest test) throws IOException {
    long start = System.nanoTime();
    long lastGain = start;
    double best = 0;
    int settled = 0;
    int repetitions = 0;
    while (System.nanoTime() - start < maxWarmNanos
        && (settled < SETTLED_REPETITIONS || System.nanoTime() - lastGain < SETTLED_NANOS)) {
      double rate = run(test);
      repetitions++;
      settled++;
      if (rate > FASTER * best) {
        best = rate;
        settled = 0;
        lastGain = System.nanoTime();
      }
    }
    return String.format(
        Locale.ROOT,
        "warmed up by %d runs, %.1f s, until %d brought no %.0f %%; of a repetition's %d the last",
        repetitions,
        (System.nanoTime() - start) / 1e9,
        settled,
        100 * (FASTER - 1),
        test.atOnce());
  }

  @Override
  public double repetition(SpeedTest test) throws IOException {
    double rate = 0;
    for (int i = 0; i < test.atOnce(); i++) {
      rate = run(test);
    }
    return rate;
  }

  private double run(SpeedTest test) throws IOException {
    prepare(test);
    int[] ids = random(test.tokens());
    int[] next = new int[1];
    long start = System.nanoTime();
    switch (test.kind()) {
      case PREFILL -> session.append(ids);
      case DECODE -> {
        for (int id : ids) {
          next[0] = id;
          session.append(next);
        }
      }
    }
    return test.tokens() / ((System.nanoTime() - start) / 1e9);
  }

  /** A context that holds as many tokens as the test's depth. */
  private void prepare(SpeedTest test) throws FormatException {
    if (session != null && depth == test.depth() && session.maxTokens() >= test.positions()) {
      session.truncate(depth);
      return;
    }
    int longest = model.config().maxPositions();
    if (test.positions() > longest) {
      throw FormatException.of(
          path,
          test.name(),
          "context",
          "at most " + longest + " tokens, the model's",
          test.positions(),
          "Choose a smaller --n-depth");
    }
    closeSession();
    session = model.newSession(test.positions());
    depth = test.depth();
    if (depth > 0) {
      session.append(random(depth));
    }
  }

  private int[] random(int count) {
    int[] ids = new int[count];
    for (int i = 0; i < count; i++) {
      long word = CounterRandom.word(seed, drawn++);
      ids[i] = (int) Long.remainderUnsigned(word, model.config().vocabSize());
    }
    return ids;
  }

  private void closeSession() {
    if (session != null) {
      session.close();
      session = null;
    }
  }

  @Override
  public void close() {
    closeSession();
    model.close();
  }
}
