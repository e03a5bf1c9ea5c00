package dev.quern.bench.cli;

import dev.quern.bench.peers.JavaPeer;
import dev.quern.bench.peers.JlamaModel;
import dev.quern.bench.peers.LlamaBench;
import dev.quern.bench.peers.PeerFiles;
import dev.quern.bench.peers.PeerModel;
import dev.quern.bench.peers.PeerProgram;
import dev.quern.bench.speed.SpeedEngine;
import dev.quern.bench.speed.SpeedSubject;
import dev.quern.bench.synth.PublishedModel;
import dev.quern.format.FormatException;
import dev.quern.kernels.Activations;
import dev.quern.model.ModelOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** Other runtimes that {@code quern bench} measures in turns with quern. */
final class PeerOptions {
  @Option(
      names = "--peer",
      paramLabel = "NAME[=PROGRAM]",
      mapFallbackValue = Option.NULL_VALUE,
      description = {
        "a peer measured in turns: NAME as tables show it, PROGRAM a llama-bench of llama.cpp or of",
        "a relative; jlama and java-llama.cpp without PROGRAM are fetched; may be repeated"
      })
  private Map<String, Optional<Path>> peers = new LinkedHashMap<>();

  @Option(
      names = "--peer-model",
      paramLabel = "FILE",
      arity = "1..*",
      description = "GGUF of the same shape for the peers")
  private List<Path> models = List.of();

  @Option(
      names = "--peer-quantize",
      paramLabel = "PROGRAM",
      description = {
        "with --like: a llama-quantize, which makes the peers' models of the same shape;",
        "they are kept under --work; without it they have Q4_0 throughout"
      })
  private Optional<Path> quantize;

  @Option(
      names = "--peer-types",
      paramLabel = "TYPE",
      arity = "1..*",
      defaultValue = "Q4_0 Q4_K Q3_K",
      split = " ",
      description = "what --peer-quantize makes (${DEFAULT-VALUE})")
  private List<String> types;

  @Option(
      names = "--peer-timeout",
      paramLabel = "SECONDS",
      defaultValue = "600",
      description = "after which a run of a peer is given up (${DEFAULT-VALUE})")
  private int seconds;

  boolean any() {
    return !peers.isEmpty();
  }

  /** Those that are given. */
  List<Path> models() {
    return models;
  }

  /**
   * @param gguf what other peers read
   * @param jlama what Jlama reads
   */
  record Made(List<Path> gguf, Optional<Path> jlama) {}

  /** The peers that a llama-bench's options and GGUF drive. */
  private List<String> ggufPeers() {
    return peers.keySet().stream().filter(name -> !isJlama(name)).toList();
  }

  private boolean isJlama(String name) {
    return java(name).filter(JavaPeer.JLAMA::equals).isPresent();
  }

  /** Of a peer that was named without a program. */
  private Optional<JavaPeer> java(String name) {
    return peers.get(name).isPresent() ? Optional.empty() : JavaPeer.named(name);
  }

  /**
   * @param shape whether --like is given
   * @throws ParameterException if an option does nothing
   * @throws IllegalArgumentException if options contradict one another, or a program is not there
   * @throws IOException if a model is not there
   */
  void check(OptionRules rules, boolean shape) throws IOException {
    rules.onlyWith("--like", "--peer-quantize");
    rules.onlyWith("--peer-quantize", "--peer-types");
    rules.onlyWith("--peer", "--peer-timeout");
    rules.distinct(
        "--peer", rules.texts("--peer").stream().map(text -> text.split("=", 2)[0]).toList());
    rules.distinct("--peer-types", types);
    if (seconds < 1) {
      throw new IllegalArgumentException("--peer-timeout: expected at least 1, found " + seconds);
    }
    for (String name : peers.keySet()) {
      if (peers.get(name).isEmpty() && java(name).isEmpty()) {
        throw new IllegalArgumentException(
            "--peer: expected NAME=PROGRAM, jlama or java-llama.cpp, found " + name);
      }
      if (name.equals(SpeedSubject.QUERN)) {
        throw new IllegalArgumentException("--peer: expected another name than quern's own");
      }
      if (isJlama(name) && !shape) {
        throw new IllegalArgumentException("--peer jlama: expected with --like: it reads no GGUF");
      }
    }
    boolean given = !models.isEmpty() || quantize.isPresent();
    if (given && ggufPeers().isEmpty()) {
      throw new IllegalArgumentException(
          "--peer-model, --peer-quantize: expected --peer with it, one that reads GGUF");
    }
    if (!given && !shape && any()) {
      throw new IllegalArgumentException("--peer: expected --peer-model or --like with it");
    }
    peers.forEach(
        (name, program) -> program.ifPresent(file -> checkProgram("--peer " + name, file)));
    quantize.ifPresent(file -> checkProgram("--peer-quantize", file));
    rules.distinct("--peer-model", ModelNames.real(models));
  }

  private static void checkProgram(String option, Path program) {
    if (!PeerProgram.canBeStarted(program)) {
      throw new IllegalArgumentException(
          "%s: expected an executable file, found %s%s"
              .formatted(
                  option,
                  program,
                  program.startsWith("~")
                      ? ". After NAME= shells leave ~ alone: write $HOME"
                      : ""));
    }
  }

  /**
   * @throws IllegalArgumentException if a peer does not run a shape
   */
  void check(PublishedModel model) {
    for (String name : peers.keySet()) {
      java(name).ifPresent(peer -> peer.check(model));
    }
  }

  /** The models that are made for the peers, beside those of {@code --peer-model}. */
  Made made(
      PeerFiles files, PublishedModel model, OptionalInt layers, OptionalInt vocabSize, int threads)
      throws IOException {
    for (String name : peers.keySet()) {
      program(name); // before anything large is written
    }
    List<Path> gguf = List.of();
    if (quantize.isPresent()) {
      gguf = files.quantized(model, layers, vocabSize, quantize.get(), types, threads, limit());
    } else if (models.isEmpty() && !ggufPeers().isEmpty()) {
      gguf = List.of(files.plain(model, layers, vocabSize));
    }
    Optional<Path> jlama = Optional.empty();
    for (String name : peers.keySet()) {
      if (isJlama(name)) {
        jlama = Optional.of(files.jlama(layers, vocabSize, program(name), limit()));
      }
    }
    return new Made(gguf, jlama);
  }

  private PeerProgram program(String name) throws FormatException {
    Optional<JavaPeer> java = java(name);
    return java.isPresent()
        ? java.get().program()
        : PeerProgram.llamaBench(name, peers.get(name).orElseThrow());
  }

  private Duration limit() {
    return Duration.ofSeconds(seconds);
  }

  /**
   * Adds every peer with every model of a shape.
   *
   * @param made models beside those of {@code --peer-model}
   * @param engines quern's, one at least; peers are added
   * @throws FormatException if a model is not of the shape, or a peer fails
   */
  void open(Made made, List<SpeedEngine> engines, int threads) throws IOException {
    List<SpeedSubject> ours = subjects(engines);
    String name = ours.getFirst().model();
    List<Path> files = new ArrayList<>(models);
    files.addAll(made.gguf());
    for (Path file : files) {
      PeerModel model = PeerModel.read(file, name, true);
      checkShape(model, ours);
      open(model, OptionalDouble.empty(), engines, threads);
    }
    if (made.jlama().isPresent()) {
      PeerModel model = JlamaModel.read(made.jlama().get(), name);
      PeerProgram jlama = program(JavaPeer.JLAMA.label());
      engines.add(LlamaBench.open(jlama, model, OptionalDouble.empty(), threads, limit()));
    }
  }

  /**
   * Adds every peer with every model of {@code --peer-model}, with the perplexity that quern
   * computes in float32.
   *
   * @param engines quern's, one at least; peers are added
   * @throws FormatException if a model is none of a shape that is measured, or a peer fails
   */
  void open(ModelNames names, PerplexityOptions text, List<SpeedEngine> engines, int threads)
      throws IOException {
    List<SpeedSubject> ours = subjects(engines);
    ModelOptions exact = new ModelOptions(threads).with(Activations.F32);
    for (Path file : models) {
      PeerModel model = PeerModel.read(file, names.name(file), false);
      checkShape(model, ours);
      open(model, text.measure(file, exact), engines, threads);
    }
  }

  private static List<SpeedSubject> subjects(List<SpeedEngine> engines) {
    return engines.stream().map(SpeedEngine::subject).toList();
  }

  private void open(
      PeerModel model, OptionalDouble perplexity, List<SpeedEngine> engines, int threads)
      throws IOException {
    for (String name : ggufPeers()) {
      if (java(name).isPresent()) {
        java(name).get().check(model);
      }
      engines.add(LlamaBench.open(program(name), model, perplexity, threads, limit()));
    }
  }

  /** Speeds of models of different shapes say nothing about runtimes. */
  private static void checkShape(PeerModel model, List<SpeedSubject> ours) throws FormatException {
    List<Long> expected = ours.stream().map(SpeedSubject::weights).distinct().toList();
    long weights = model.config().totalParameters();
    if (!expected.contains(weights)) {
      throw FormatException.of(
          model.file(),
          "tensors",
          "weights",
          expected.stream().map(String::valueOf).collect(Collectors.joining(" or "))
              + ", as quern's",
          weights,
          "Give peers a model of the same shape");
    }
  }
}
