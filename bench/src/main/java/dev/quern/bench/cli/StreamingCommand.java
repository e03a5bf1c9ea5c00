package dev.quern.bench.cli;

import dev.quern.bench.cache.RoutingTrace;
import dev.quern.bench.cache.RoutingTraces;
import dev.quern.bench.plan.StreamingPlan;
import dev.quern.bench.quality.Texts;
import dev.quern.bench.quality.Windows;
import dev.quern.bench.streaming.StreamingBench;
import dev.quern.bench.streaming.StreamingProtocol;
import dev.quern.cli.ModelText;
import dev.quern.experts.CachePolicyKind;
import dev.quern.experts.ExpertProfile;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import dev.quern.model.ModelSource;
import dev.quern.system.IoMode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code quern bench streaming}: experts on disk, measured. */
@Command(
    name = "streaming",
    mixinStandardHelpOptions = true,
    description = {
      "Measure a pack whose experts stay on disk: reading, decoding in several ways at several cache",
      "sizes, hits as the cache warms up, reading a prompt. Choose a pack larger than the memory that",
      "its caches get; with --io direct every miss is read from the device."
    })
public final class StreamingCommand implements Callable<Integer> {
  private static final int PROMPT_TOKENS = 2000;
  private static final int ROUTING_TOKENS = 3072;
  private static final int ROUTING_WINDOW = 512;

  @Spec private CommandSpec spec;

  @Option(names = "--model", required = true, paramLabel = "PACK", description = "a pack")
  private Path pack;

  @Option(
      names = "--dataset",
      required = true,
      paramLabel = "FILE",
      description = "a text: prompts and decoded tokens are taken from it")
  private Path dataset;

  @Option(
      names = "--share",
      paramLabel = "PERCENT",
      arity = "1..*",
      defaultValue = "10 25 33 50 75",
      split = " ",
      description = "of the experts that fit in memory (${DEFAULT-VALUE})")
  private List<Integer> shares;

  @Option(names = "--tokens", defaultValue = "256", description = "decoded per measurement")
  private int tokens;

  @Option(names = "--warm-up", defaultValue = "64", description = "tokens decoded before it")
  private int warmUp;

  @Option(
      names = "--prompt",
      paramLabel = "N",
      description = "tokens of the prompt (" + PROMPT_TOKENS + ", or the model's context)")
  private Optional<Integer> prompt;

  @Option(
      names = "--chunk",
      arity = "1..*",
      defaultValue = "128",
      description = "tokens of the chunks where a prompt is cut (${DEFAULT-VALUE})")
  private List<Integer> chunks;

  @Option(names = "--io", defaultValue = "direct", description = "direct, buffered or mmap")
  private IoMode io;

  @Option(names = "--threads", paramLabel = "N", description = "default: one per core")
  private Optional<Integer> threads;

  @Option(names = "--profile", paramLabel = "FILE", description = "a recorded use of experts")
  private Optional<Path> profile;

  @Option(
      names = "--skip",
      arity = "0..*",
      paramLabel = "PART",
      description = "decoding, memory, warming, prefilling or predictions")
  private List<String> skip = List.of();

  @Option(
      names = "--out",
      defaultValue = "streaming",
      paramLabel = "DIR",
      description = "of record and pictures (${DEFAULT-VALUE})")
  private Path out;

  @Override
  public Integer call() throws IOException {
    int workers = threads.orElseGet(ModelOptions::defaultThreads);
    int[] ids;
    try (ModelText text = ModelText.open(pack)) {
      ids = text.tokenizer().encode(Texts.read(dataset), false);
    }
    StreamingProtocol protocol =
        new StreamingProtocol(
            pack,
            ids,
            Arrays.copyOfRange(ids, ids.length / 2, Math.min(ids.length, ids.length / 2 + tokens)),
            shares.stream().map(percent -> percent / 100.0).toList(),
            warmUp,
            tokens,
            promptTokens(),
            shares.getFirst() / 100.0,
            workers,
            io,
            profile.isPresent()
                ? Optional.of(ExpertProfile.load(profile.get()))
                : Optional.empty());
    StreamingBench.Parts parts =
        new StreamingBench.Parts(
            !skip.contains("decoding"),
            !skip.contains("memory"),
            !skip.contains("warming"),
            !skip.contains("prefilling"));
    PrintWriter err = spec.commandLine().getErr();
    StreamingBench.write(
        StreamingBench.run(
            protocol,
            parts,
            chunks,
            predictions(workers, protocol),
            line -> {
              err.println(line);
              err.flush();
            }),
        out,
        spec.commandLine().getOut());
    return 0;
  }

  /** What is too long is said before anything is measured. */
  private int promptTokens() throws IOException {
    try (ModelSource source = ModelSource.open(pack)) {
      int context = source.config().maxPositions();
      int tokens = prompt.orElse(Math.min(PROMPT_TOKENS, context));
      if (tokens > context) {
        throw new IllegalArgumentException(
            "--prompt: expected at most %d, the model's context, found %d"
                .formatted(context, tokens));
      }
      return tokens;
    }
  }

  /** A plan that knows the routing of a later part of the text. */
  private Optional<StreamingPlan> predictions(int workers, StreamingProtocol protocol)
      throws IOException {
    if (skip.contains("predictions")) {
      return Optional.empty();
    }
    try (ModelSource source = ModelSource.open(pack)) {
      StreamingPlan.Question question =
          new StreamingPlan.Question(
              Math.min(source.config().maxPositions(), warmUp + tokens),
              workers,
              List.of(3),
              Optional.empty(),
              CachePolicyKind.DEFAULT,
              Optional.of(routing(workers, protocol.ids())),
              0);
      return Optional.of(StreamingPlan.of(source, question));
    }
  }

  private RoutingTrace routing(int workers, int[] ids) throws IOException {
    try (Model model = Model.open(pack, new ModelOptions(workers))) {
      int[] later = Arrays.copyOfRange(ids, ids.length / 2, ids.length);
      int window = Math.min(ROUTING_WINDOW, model.config().maxPositions());
      List<int[]> windows = RoutingTraces.first(Windows.cut(later, window), ROUTING_TOKENS);
      return RoutingTraces.record("a later part of the text", model, windows);
    }
  }
}
