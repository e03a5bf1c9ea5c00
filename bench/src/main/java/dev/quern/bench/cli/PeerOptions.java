package dev.quern.bench.cli;

import dev.quern.bench.peers.LlamaBench;
import dev.quern.bench.peers.PeerFiles;
import dev.quern.bench.peers.PeerModel;
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
      paramLabel = "NAME=PROGRAM",
      description = {
        "a peer measured in turns: NAME as tables show it, PROGRAM a llama-bench of llama.cpp or of",
        "a relative; may be repeated"
      })
  private Map<String, Path> peers = new LinkedHashMap<>();

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
        "they are kept under --work"
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
   * @throws IllegalArgumentException if options contradict one another
   */
  void check(boolean shape) {
    if (seconds < 1) {
      throw new IllegalArgumentException("--peer-timeout: expected at least 1, found " + seconds);
    }
    boolean models = !this.models.isEmpty() || quantize.isPresent();
    if (any() != models) {
      throw new IllegalArgumentException(
          any()
              ? "--peer: expected --peer-model or --peer-quantize with it"
              : "--peer-model, --peer-quantize: expected --peer with it");
    }
    if (quantize.isPresent() && !shape) {
      throw new IllegalArgumentException("--peer-quantize: expected with --like");
    }
  }

  /** The models that are made for the peers; none without {@code --peer-quantize}. */
  List<Path> made(
      PeerFiles files, PublishedModel model, OptionalInt layers, OptionalInt vocabSize, int threads)
      throws IOException {
    return quantize.isEmpty()
        ? List.of()
        : files.quantized(model, layers, vocabSize, quantize.get(), types, threads, limit());
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
  void open(List<Path> made, List<SpeedEngine> engines, int threads) throws IOException {
    List<SpeedSubject> ours = engines.stream().map(SpeedEngine::subject).toList();
    List<Path> files = new ArrayList<>(models);
    files.addAll(made);
    for (Path file : files) {
      PeerModel model = model(file, ours);
      for (Map.Entry<String, Path> peer : peers.entrySet()) {
        engines.add(LlamaBench.open(peer.getKey(), peer.getValue(), model, threads, limit()));
      }
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
