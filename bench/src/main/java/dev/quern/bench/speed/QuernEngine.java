package dev.quern.bench.speed;

import com.sun.management.ThreadMXBean;
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
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.OptionalDouble;

/** quern in this JVM. */
public final class QuernEngine implements SpeedEngine {
  /** Seconds after which warming up ends, unless somebody says otherwise. */
  public static final int MAX_WARM_SECONDS = 60;

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private final Path path;
  private final Model model;
  private final SpeedSubject subject;
  private final long seed;
  private final int maxWarmSeconds;
  private Session session;
  private int depth = -1;
  private long drawn;
  private long allocated; // by all threads while tokens were read last
  private OptionalDouble allocatedPerToken = OptionalDouble.empty();

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
    this.maxWarmSeconds = maxWarmSeconds;
  }

  /**
   * @param path a folder, a pack or a GGUF file
   * @param seed of the tokens that are read, which are random
   * @param maxWarmSeconds that the runs which warm up a test may take
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
              SpeedSubject.QUERN,
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
    WarmUp warmUp = new WarmUp(maxWarmSeconds);
    while (!warmUp.isOver()) {
      warmUp.add(nanos(test));
    }
    return warmUp.describe() + "; of a repetition's %d the last".formatted(test.atOnce());
  }

  @Override
  public double repetition(SpeedTest test) throws IOException {
    long nanos = 0;
    for (int i = 0; i < test.atOnce(); i++) {
      nanos = nanos(test);
    }
    allocatedPerToken = OptionalDouble.of((double) allocated / test.tokens());
    return test.tokens() / (nanos / 1e9);
  }

  @Override
  public OptionalDouble allocatedPerToken() {
    return allocatedPerToken;
  }

  /** What reading the test's tokens takes, and allocates; the context before them is not timed. */
  private long nanos(SpeedTest test) throws IOException {
    prepare(test);
    int[] ids = random(test.tokens());
    int[] next = new int[1];
    long allocatedBefore = THREADS.getTotalThreadAllocatedBytes();
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
    long nanos = System.nanoTime() - start;
    allocated = THREADS.getTotalThreadAllocatedBytes() - allocatedBefore;
    assert session.position() == test.positions() : session.position();
    return nanos;
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
