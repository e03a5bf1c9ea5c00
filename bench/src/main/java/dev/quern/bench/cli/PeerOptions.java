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
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import picocli.CommandLine.Option;

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

  /**
   * @param gguf what other peers read
   * @param jlama what Jlama reads
   */
  record Made(List<Path> gguf, Optional<Path> jlama) {
    static final Made NOTHING = new Made(List.of(), Optional.empty());
  }

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
   * @throws IllegalArgumentException if options contradict one another
   */
  void check(boolean shape) {
    if (seconds < 1) {
      throw new IllegalArgumentException("--peer-timeout: expected at least 1, found " + seconds);
    }
    for (String name : peers.keySet()) {
      if (peers.get(name).isEmpty() && java(name).isEmpty()) {
        throw new IllegalArgumentException(
            "--peer: expected NAME=PROGRAM, jlama or java-llama.cpp, found " + name);
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
    if (quantize.isPresent() && !shape) {
      throw new IllegalArgumentException("--peer-quantize: expected with --like");
    }
    if (!given && !shape && any()) {
      throw new IllegalArgumentException("--peer: expected --peer-model or --like with it");
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
   * Adds every peer with every model.
   *
   * @param made models beside those of {@code --peer-model}
   * @param engines quern's, one at least; peers are added
   * @throws FormatException if a model is none of a shape that is measured, or a peer fails
   */
  void open(Made made, List<SpeedEngine> engines, int threads) throws IOException {
    List<SpeedSubject> ours = engines.stream().map(SpeedEngine::subject).toList();
    List<Path> files = new ArrayList<>(models);
    files.addAll(made.gguf());
    for (Path file : files) {
      PeerModel model = model(file, ours);
      for (String name : ggufPeers()) {
        if (java(name).isPresent()) {
          java(name).get().check(model);
        }
        engines.add(LlamaBench.open(program(name), model, threads, limit()));
      }
    }
    if (made.jlama().isPresent()) {
      PeerModel model = JlamaModel.read(made.jlama().get(), ours.getFirst().model());
      String name = JavaPeer.JLAMA.label();
      engines.add(LlamaBench.open(program(name), model, threads, limit()));
    }
  }

  /** Speeds of models of different shapes say nothing about runtimes. */
  private static PeerModel model(Path file, List<SpeedSubject> ours) throws IOException {
    SpeedSubject first = ours.getFirst();
    PeerModel model = PeerModel.read(file, first.model(), first.randomWeights());
    long weights = model.config().totalParameters();
    if (ours.stream().noneMatch(subject -> subject.weights() == weights)) {
      throw FormatException.of(
          file,
          "tensors",
          "weights",
          first.weights() + ", as quern's model",
          weights,
          "Give peers a model of the same shape");
    }
    return model;
  }
}
