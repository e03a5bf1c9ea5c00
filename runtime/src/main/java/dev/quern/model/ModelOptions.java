package dev.quern.model;

import dev.quern.kernels.Activations;
import dev.quern.kv.KvType;
import dev.quern.system.Processor;
import java.time.Duration;
import java.util.Optional;

/**
 * How a model is run.
 *
 * @param threads at least 1; results do not depend on it
 * @param streaming how experts are read from disk; empty to leave them to the system's page cache
 * @param selection lossy shortcuts
 * @param prefill how a prompt passes the layers; results depend on it only by rounding
 * @param prefillChunk tokens of a chunk where the prompt is cut into chunks
 * @param activations what packed matrices are multiplied with where few tokens read them
 * @param kvType how keys and values are stored
 * @param compilersFirst for so long a processor is left to the JVM's compilers, see {@link
 *     #inColdProcess}
 */
public record ModelOptions(
    int threads,
    Optional<Streaming> streaming,
    ExpertSelection selection,
    Prefill prefill,
    int prefillChunk,
    Activations activations,
    KvType kvType,
    Duration compilersFirst) {
  /** What a small cache of experts is read through for at once. */
  public static final int DEFAULT_CHUNK = 128;

  private static final int MAX_THREADS = 1024;

  /** What compiling the kernels of a pack takes, about. */
  private static final Duration COMPILING = Duration.ofSeconds(1);

  public ModelOptions {
    if (threads < 1 || threads > MAX_THREADS) {
      throw new IllegalArgumentException(
          "threads: expected 1 to %d, found %d".formatted(MAX_THREADS, threads));
    }
    if (prefillChunk < 1 || prefillChunk > Transformer.CHUNK_TOKENS) {
      throw new IllegalArgumentException(
          "prefill chunk: expected 1 to %d tokens, found %d"
              .formatted(Transformer.CHUNK_TOKENS, prefillChunk));
    }
  }

  /** Everything in the mapped files. */
  public ModelOptions(int threads) {
    this(
        threads,
        Optional.empty(),
        ExpertSelection.ALL,
        Prefill.LAYER_GROUPED,
        DEFAULT_CHUNK,
        Activations.INT,
        KvType.F16,
        Duration.ZERO);
  }

  /** A thread per core. */
  public static ModelOptions defaults() {
    return new ModelOptions(defaultThreads());
  }

  /** The cores that this process may use. */
  public static int defaultThreads() {
    int processors = Runtime.getRuntime().availableProcessors();
    return Math.min(Processor.current().cores(processors), MAX_THREADS);
  }

  public ModelOptions with(Streaming newStreaming) {
    return new ModelOptions(
        threads,
        Optional.of(newStreaming),
        selection,
        prefill,
        prefillChunk,
        activations,
        kvType,
        compilersFirst);
  }

  public ModelOptions with(ExpertSelection newSelection) {
    return new ModelOptions(
        threads,
        streaming,
        newSelection,
        prefill,
        prefillChunk,
        activations,
        kvType,
        compilersFirst);
  }

  public ModelOptions with(Prefill newPrefill, int newChunk) {
    return new ModelOptions(
        threads, streaming, selection, newPrefill, newChunk, activations, kvType, compilersFirst);
  }

  public ModelOptions with(Activations newActivations) {
    return new ModelOptions(
        threads,
        streaming,
        selection,
        prefill,
        prefillChunk,
        newActivations,
        kvType,
        compilersFirst);
  }

  public ModelOptions with(KvType newKvType) {
    return new ModelOptions(
        threads,
        streaming,
        selection,
        prefill,
        prefillChunk,
        activations,
        newKvType,
        compilersFirst);
  }

  /**
   * For a process that has just begun: kernels are many times slower until they are compiled, so
   * the first token comes sooner where compilers need not share their processor.
   */
  public ModelOptions inColdProcess() {
    return new ModelOptions(
        threads, streaming, selection, prefill, prefillChunk, activations, kvType, COMPILING);
  }

  RunOptions run() {
    return new RunOptions(selection, prefill, prefillChunk, kvType);
  }
}
