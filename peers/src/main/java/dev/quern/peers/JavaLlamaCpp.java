package dev.quern.peers;

import de.kherud.llama.InferenceParameters;
import de.kherud.llama.LlamaModel;
import de.kherud.llama.ModelParameters;
import de.kherud.llama.args.Sampler;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * java-llama.cpp: llama.cpp's server behind JNI, text in and text out. How many tokens are read
 * follows from the text, how many are evaluated one by one from the number that is asked for: of a
 * prompt that is cached the last token is evaluated again, and each that is chosen but the last.
 * Choosing is part of what is measured, by the cheapest samplers that do not repeat themselves.
 *
 * <p>Source: github.com/kherud/java-llama.cpp; github.com/ggml-org/llama.cpp, examples/server.
 */
public final class JavaLlamaCpp implements Peer {
  private static final String LIBRARY_FOLDER = "de.kherud.llama.tmpdir";
  private static final String NO_BEGINNING = "tokenizer.ggml.add_bos_token=bool:false";
  private static final int SPARE_POSITIONS = 16;
  private static final int TOP_K = 40;
  private static final long SEED = 0;

  private final LlamaModel model;
  private final String build;
  private final PromptText texts;
  private String context = "";

  private JavaLlamaCpp(LlamaModel model, String build) {
    this.model = model;
    this.build = build;
    this.texts = new PromptText(model::encode, SEED);
  }

  /**
   * @param arguments see {@link BenchArguments}
   */
  public static void main(String[] arguments) {
    Bench.main(arguments, JavaLlamaCpp::open);
  }

  private static JavaLlamaCpp open(BenchArguments test) throws IOException {
    // It unpacks its library under one name, and deletes whatever begins with "llama" beside it.
    Path folder = Files.createTempDirectory("java-llama.cpp");
    folder.toFile().deleteOnExit();
    System.setProperty(LIBRARY_FOLDER, folder.toString());
    String build = Bench.version(LlamaModel.class, "de.kherud/llama");
    try {
      return new JavaLlamaCpp(new LlamaModel(parameters(test)), build);
    } catch (RuntimeException e) { // its own kind is not public; why, llama.cpp has said before
      throw new IOException("java-llama.cpp %s cannot load %s".formatted(build, test.model()), e);
    }
  }

  private static ModelParameters parameters(BenchArguments test) {
    return new ModelParameters()
        .setModel(test.model().toString())
        .setThreads(test.threads())
        .setThreadsBatch(test.threads())
        .setCtxSize(test.positions() + SPARE_POSITIONS)
        .setGpuLayers(0)
        .setOverrideKv(NO_BEGINNING);
  }

  @Override
  public String build() {
    return build;
  }

  @Override
  public double prefill(int tokens, int depth) {
    if (depth > 0) {
      fill(depth);
      request(context, 1, true);
    }
    String prompt = texts.extended(context, tokens);
    return request(prompt, 1, depth > 0);
  }

  @Override
  public double decode(int tokens, int depth) {
    fill(depth + 1); // the last is evaluated again
    request(context, 1, true);
    return request(context, tokens, true);
  }

  private void fill(int depth) {
    if (context.isEmpty()) {
      context = texts.extended("", depth);
    }
  }

  /**
   * @param cached whether what the prompt before began with need not be read again
   * @return seconds
   */
  private double request(String prompt, int tokens, boolean cached) {
    InferenceParameters parameters =
        new InferenceParameters(prompt)
            .setNPredict(tokens)
            .setCachePrompt(cached)
            .setIgnoreEos(true)
            .setSamplers(Sampler.TOP_K, Sampler.TEMPERATURE)
            .setTopK(TOP_K)
            .setTemperature(1);
    long start = System.nanoTime();
    model.complete(parameters);
    return (System.nanoTime() - start) / 1e9;
  }
}
