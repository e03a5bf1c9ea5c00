package dev.quern.bench.peers;

import dev.quern.bench.synth.CacheLock;
import dev.quern.bench.synth.GgufExport;
import dev.quern.bench.synth.MixtralFolder;
import dev.quern.bench.synth.PackCache;
import dev.quern.bench.synth.PublishedModel;
import dev.quern.bench.synth.RandomModel;
import dev.quern.format.AtomicFile;
import dev.quern.format.FormatException;
import dev.quern.format.gguf.GgufType;
import dev.quern.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/**
 * Files of random weights for peers, each written once: GGUF or what Jlama reads, quantized by a
 * peer's own program, and GGUF of Q4_0 where there is none. What they are made of is deleted again.
 */
public final class PeerFiles {
  private static final Pattern TYPE = Pattern.compile("[A-Za-z0-9_]{1,32}");

  private final Path folder;
  private final long seed;
  private final Consumer<String> progress;

  /**
   * @param folder created when the first file is written
   * @param progress told what is written, in lines
   */
  public PeerFiles(Path folder, long seed, Consumer<String> progress) {
    this.folder = folder;
    this.seed = seed;
    this.progress = progress;
  }

  /**
   * @param quantize a llama-quantize: input, output, type and threads are its arguments
   * @param types as it names them
   * @param limit of one run
   * @return a file per type, in their order
   * @throws FormatException if the disk is too small, another process writes, or the program fails
   */
  public List<Path> quantized(
      PublishedModel model,
      OptionalInt layers,
      OptionalInt vocabSize,
      Path quantize,
      List<String> types,
      int threads,
      Duration limit)
      throws IOException {
    ModelConfig config = model.config(layers, vocabSize);
    String stem = stem(model, config);
    List<Path> files = new ArrayList<>();
    for (String type : types) {
      if (!TYPE.matcher(type).matches()) {
        throw new IllegalArgumentException("no quantization: '" + type + "'");
      }
      files.add(folder.resolve(stem + "-" + type + ".gguf"));
    }
    if (files.stream().allMatch(Files::exists)) {
      return files;
    }
    Files.createDirectories(folder);
    Path source = folder.resolve(stem + "-f16.gguf");
    try (CacheLock lock = CacheLock.of(source)) {
      try {
        write(config, model.label(), GgufType.F16, source);
        for (int i = 0; i < files.size(); i++) {
          if (!Files.exists(files.get(i))) {
            quantize(quantize, source, files.get(i), types.get(i), threads, limit);
          }
        }
      } finally {
        Files.deleteIfExists(source);
      }
    }
    return files;
  }

  /**
   * Every matrix of a model at Q4_0, which needs no program of a peer.
   *
   * @throws FormatException if the disk is too small, or another process writes
   */
  public Path plain(PublishedModel model, OptionalInt layers, OptionalInt vocabSize)
      throws IOException {
    ModelConfig config = model.config(layers, vocabSize);
    Path file = folder.resolve(stem(model, config) + "-plain-Q4_0.gguf");
    if (!Files.exists(file)) {
      Files.createDirectories(folder);
      try (CacheLock lock = CacheLock.of(file)) {
        write(config, model.label(), GgufType.Q4_0, file);
      }
    }
    return file;
  }

  /**
   * A folder of Mixtral's shape as Jlama's own {@code quantize} makes it.
   *
   * @param jlama its program
   * @param limit of its run
   * @throws FormatException as {@link #quantized}
   */
  public Path jlama(OptionalInt layers, OptionalInt vocabSize, PeerProgram jlama, Duration limit)
      throws IOException {
    PublishedModel model = PublishedModel.MIXTRAL_8X7B;
    Path quantized = folder.resolve(stem(model, model.config(layers, vocabSize)) + "-jlama-Q4");
    if (Files.exists(quantized)) {
      return quantized;
    }
    Files.createDirectories(folder);
    Path source = quantized.resolveSibling(quantized.getFileName() + "-source");
    Path part = quantized.resolveSibling(quantized.getFileName() + AtomicFile.PART_SUFFIX);
    try (CacheLock lock = CacheLock.of(quantized)) {
      try {
        PackCache.delete(source); // of a run that was killed
        PackCache.delete(part);
        MixtralFolder mixtral = new MixtralFolder(layers, vocabSize, seed);
        progress.accept("writing %s: %,d MB".formatted(source, mixtral.bytes() >> 20));
        mixtral.write(source, written -> {});
        progress.accept("quantizing " + quantized);
        List<String> command = new ArrayList<>(jlama.command());
        command.addAll(List.of("quantize", source.toString(), part.toString()));
        new PeerProcess(jlama.name(), limit).run(command);
        Files.move(part, quantized, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        PackCache.delete(source);
        PackCache.delete(part);
      }
    }
    return quantized;
  }

  private static String stem(PublishedModel model, ModelConfig config) {
    return "%s-layers%d-vocab%d".formatted(model.label(), config.numLayers(), config.vocabSize());
  }

  private void write(ModelConfig config, String name, GgufType type, Path file) throws IOException {
    GgufExport gguf = new RandomModel(config, seed).gguf(name, type);
    progress.accept("writing %s: %,d MB".formatted(file, gguf.bytes() >> 20));
    gguf.write(file, written -> {});
  }

  private void quantize(
      Path program, Path source, Path file, String type, int threads, Duration limit)
      throws IOException {
    progress.accept("quantizing " + file);
    Path part = file.resolveSibling(file.getFileName() + AtomicFile.PART_SUFFIX);
    try {
      new PeerProcess(program.getFileName().toString(), limit)
          .run(
              List.of(
                  program.toString(),
                  source.toString(),
                  part.toString(),
                  type,
                  Integer.toString(threads)));
      if (!Files.exists(part)) {
        throw new FormatException(
            "%s: expected to write %s, found no such file".formatted(program.getFileName(), part));
      }
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(part);
    }
  }
}
