package dev.quern.cli;

import dev.quern.experts.ExpertProfile;
import dev.quern.format.Json;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import dev.quern.model.ModelSource;
import dev.quern.text.Sampling;
import dev.quern.text.Tokenizer;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.ObjectNode;

/** {@code quern generate}: continues a prompt. */
@Command(
    name = "generate",
    mixinStandardHelpOptions = true,
    description = {
      "Continue a prompt with a model.",
      "Standard output carries the text and nothing else; speeds and memory go to standard error."
    })
final class GenerateCommand implements Callable<Integer> {
  private static final double MIB = 1 << 20;

  @Spec private CommandSpec spec;

  @Option(
      names = "--model",
      required = true,
      paramLabel = "PATH",
      description = "a Hugging Face folder, a GGUF file or a pack")
  private Path path;

  @Option(
      names = "--prompt",
      required = true,
      paramLabel = "TEXT",
      description = "the text to continue; - reads standard input")
  private String prompt;

  @Option(
      names = "--max-tokens",
      paramLabel = "N",
      defaultValue = "128",
      description = "stop after N tokens (default: ${DEFAULT-VALUE})")
  private int maxTokens;

  @Option(
      names = "--temperature",
      paramLabel = "T",
      defaultValue = "0",
      description = "0 always takes the most probable token (default: ${DEFAULT-VALUE})")
  private double temperature;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      defaultValue = "0",
      description = "sample from the K most probable tokens; 0 from all")
  private int topK;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      defaultValue = "1",
      description = "sample from the most probable tokens that together reach P")
  private double topP;

  @Option(
      names = "--min-p",
      paramLabel = "P",
      defaultValue = "0",
      description = "sample from tokens at least P times as probable as the first")
  private double minP;

  @Option(
      names = "--repetition-penalty",
      paramLabel = "R",
      defaultValue = "1",
      description = "divide the logits of tokens that have occurred by R")
  private double repetitionPenalty;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "0",
      description = "of the random numbers (default: ${DEFAULT-VALUE})")
  private long seed;

  @Mixin private EngineOptions engine;
  @Mixin private ChatOptions chat;
  @Mixin private StreamingOptions streaming;
  @Mixin private LossyOptions lossy;

  @Option(
      names = "--stop",
      paramLabel = "TEXT",
      description = "end before this text; may be given several times")
  private List<String> stop = new ArrayList<>();

  @Option(names = "--json", description = "print one JSON object instead of the text")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    chat.check(spec.commandLine());
    Generator.Request.checkMaxTokens(maxTokens);
    Sampling sampling = new Sampling(seed, temperature, topK, topP, minP, repetitionPenalty);
    String text = Input.text(prompt);
    try (PromptReading reading = new PromptReading(() -> readPrompt(text));
        Model model = Model.open(path, options(reading).with(lossy.selection()))) {
      PromptReading.Prompt read = reading.get();
      Tokenizer tokenizer = read.text().tokenizer();
      Set<Integer> stopIds = new HashSet<>(tokenizer.stopIds());
      if (chat.chat()) {
        stopIds.addAll(tokenizer.endOfTurnIds());
      }
      run(model, tokenizer, new Generator.Request(read.ids(), maxTokens, sampling, stopIds, stop));
    }
    return 0;
  }

  private PromptReading.Prompt readPrompt(String text) throws IOException {
    ModelText modelText = ModelText.open(path);
    try {
      Tokenizer tokenizer = modelText.tokenizer();
      int[] ids =
          chat.chat()
              ? tokenizer.encode(chat.render(path, modelText.chatTemplate(), text), false)
              : tokenizer.encode(text, true);
      return new PromptReading.Prompt(modelText, ids);
    } catch (Throwable e) {
      modelText.close();
      throw e;
    }
  }

  /** What streams must leave room for keys and values: so many tokens have to be known. */
  private ModelOptions options(PromptReading reading) throws IOException {
    long promptTokens = streaming.hasBudget() ? promptTokens(reading) : 0;
    int context = (int) Math.min(promptTokens + maxTokens, Integer.MAX_VALUE);
    return streaming.apply(engine.options().inColdProcess(), context, spec.commandLine());
  }

  /** Of what is no model at all, the model's message says more than the tokenizer's. */
  private int promptTokens(PromptReading reading) throws IOException {
    try {
      return reading.get().ids().length;
    } catch (IOException e) {
      ModelSource.open(path).close();
      throw e;
    }
  }

  private void run(Model model, Tokenizer tokenizer, Generator.Request request) throws IOException {
    PrintWriter err = spec.commandLine().getErr();
    model.streams().ifPresent(streams -> StreamingText.printStart(streams, model.config(), err));
    Optional<ExpertProfile.Recorder> recorder =
        streaming
            .savedProfile()
            .map(file ->
                new ExpertProfile.Recorder(
                    model.config().numLayers(), model.config().numExperts()));
    PrintWriter out = spec.commandLine().getOut();
    StringBuilder whole = new StringBuilder();
    Generator.Result result =
        Generator.run(
            model,
            tokenizer,
            request,
            List.copyOf(recorder.stream().toList()),
            piece -> {
              whole.append(piece);
              if (!json) {
                out.print(piece);
                out.flush();
              }
              return !out.checkError(); // whoever read us may have left
            });
    Optional<MemoryUse> memory = MemoryUse.now();
    if (json) {
      out.println(toJson(whole.toString(), result, memory, model));
      out.flush();
    } else {
      report(result, memory, model);
    }
    if (recorder.isPresent()) {
      recorder.get().profile().save(streaming.savedProfile().orElseThrow());
    }
  }

  private void report(Generator.Result result, Optional<MemoryUse> memory, Model model) {
    PrintWriter err = spec.commandLine().getErr();
    err.printf(
        Locale.ROOT,
        "%nprefill %d tokens, %.1f tokens/s; first token after %.0f ms; decode %d tokens, %.1f tokens/s; %d threads%n",
        result.promptTokens(),
        result.prefillTokensPerSecond(),
        result.firstTokenNanos() / 1e6,
        result.decodeSteps(),
        result.decodeTokensPerSecond(),
        model.threads());
    memory.ifPresent(use ->
        err.printf(
            Locale.ROOT,
            "resident memory %.0f MiB, and %.0f MiB of mapped files%n",
            use.anonymousBytes() / MIB,
            use.fileBytes() / MIB));
    if (lossy.selection().isLossy()) {
      err.printf(
          Locale.ROOT,
          "lossy: %,d of %,d chosen experts were left out%n",
          result.expertsLeftOut(),
          result.expertsChosen());
    }
    if (lossy.selection().standIns()) {
      err.printf(
          Locale.ROOT,
          "lossy: for %,d of %,d chosen experts stand-ins at %d bits answered%n",
          result.expertsReplaced(),
          result.expertsChosen(),
          lossy.selection().standInBits());
    }
    model.streams().ifPresent(streams -> StreamingText.printEnd(streams, err));
    err.flush();
  }

  private static String toJson(
      String text, Generator.Result result, Optional<MemoryUse> memory, Model model) {
    ObjectNode root = Json.mapper().createObjectNode();
    root.put("text", text);
    root.set("ids", Json.mapper().valueToTree(result.ids()));
    root.put("finish", result.finish().name().toLowerCase(Locale.ROOT));
    root.put("promptTokens", result.promptTokens());
    root.put("prefillTokensPerSecond", result.prefillTokensPerSecond());
    root.put("timeToFirstTokenMillis", result.firstTokenNanos() / 1e6);
    root.put("decodeTokensPerSecond", result.decodeTokensPerSecond());
    memory.ifPresent(use -> {
      root.put("residentAnonymousBytes", use.anonymousBytes());
      root.put("residentFileBytes", use.fileBytes());
    });
    root.put("expertsLeftOut", result.expertsLeftOut());
    root.put("expertsReplaced", result.expertsReplaced());
    model
        .streams()
        .ifPresent(
            streams -> root.set("streaming", Json.mapper().valueToTree(streams.statistics())));
    return root.toString();
  }
}
