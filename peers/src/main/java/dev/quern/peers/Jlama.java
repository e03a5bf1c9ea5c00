package dev.quern.peers;

import com.github.tjake.jlama.model.AbstractModel;
import com.github.tjake.jlama.model.ModelSupport;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.SafeTensorSupport;
import com.github.tjake.jlama.tensor.AbstractTensor;
import com.github.tjake.jlama.tensor.KvBufferCache;
import com.github.tjake.jlama.tensor.operations.TensorOperationsProvider;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.UUID;

/**
 * Jlama, as its command line runs a quantized model: float32 between layers, 8 bits where
 * activations meet 4-bit weights. Tokens are random.
 *
 * <p>Source: github.com/tjake/Jlama, {@code AbstractModel.generate}, whose calls these are.
 */
public final class Jlama implements Peer {
  private static final String QUANTIZE = "quantize";

  /** What its own {@code jlama quantize} leaves alone. */
  private static final String NORMS = "norm";

  private static final long SEED = 0;

  private final AbstractModel model;
  private final KvBufferCache.KvBuffer cache;
  private final AbstractTensor logits;
  private final SplittableRandom random = new SplittableRandom(SEED);
  private int cached;

  private Jlama(AbstractModel model) {
    this.model = model;
    this.cache = new KvBufferCache(model).getKvBuffer(UUID.randomUUID());
    this.logits = model.makeDenseTensor(vocabSize());
  }

  /**
   * {@code quantize FOLDER OUT} writes a folder of its Q4; llama-bench's options measure.
   *
   * @param arguments see {@link BenchArguments}
   */
  public static void main(String[] arguments) {
    if (arguments.length == 3 && arguments[0].equals(QUANTIZE)) {
      try {
        quantize(Path.of(arguments[1]), Path.of(arguments[2]));
        System.exit(0);
      } catch (IOException | RuntimeException e) {
        System.err.println("\nerror: " + Bench.reason(e));
        System.exit(1);
      }
    }
    Bench.main(arguments, Jlama::open);
  }

  private static void quantize(Path folder, Path out) throws IOException {
    SafeTensorSupport.quantizeModel(folder, DType.Q4, new String[] {NORMS}, null, Optional.of(out));
  }

  private static Jlama open(BenchArguments test) {
    return new Jlama(
        ModelSupport.loadModel(
            test.model().toFile(),
            null,
            DType.F32,
            DType.I8,
            Optional.empty(),
            Optional.of(test.threads())));
  }

  @Override
  public String build() {
    String version;
    try {
      version = Bench.version(AbstractModel.class, "com.github.tjake/jlama-core");
    } catch (IOException e) {
      version = "unknown version";
    }
    return version + ", " + TensorOperationsProvider.get().name();
  }

  @Override
  public double prefill(int tokens, int depth) {
    fill(depth);
    int[] prompt = tokens(tokens);
    long start = System.nanoTime();
    read(prompt, depth);
    return (System.nanoTime() - start) / 1e9;
  }

  @Override
  public double decode(int tokens, int depth) {
    fill(depth);
    int[] ids = tokens(tokens);
    long start = System.nanoTime();
    for (int i = 0; i < tokens; i++) {
      AbstractTensor output = model.forward(ids[i], depth + i, cache, Optional.empty());
      model.sample(output, 0, 0, logits);
      output.close();
    }
    return (System.nanoTime() - start) / 1e9;
  }

  /** What is there from the repetition before is the same context. */
  private void fill(int depth) {
    if (cached < depth) {
      read(tokens(depth), 0);
      cached = depth;
    }
  }

  private void read(int[] ids, int position) {
    AbstractTensor output = model.batchForward(ids, position, cache);
    model.sample(output.slice(output.shape().first() - 1), 0, 0, logits);
    output.close();
  }

  private int[] tokens(int count) {
    return random.ints(count, 0, vocabSize()).toArray();
  }

  private int vocabSize() {
    return model.getConfig().vocabularySize;
  }
}
