package dev.quern.bench.peers;

import dev.quern.bench.synth.CacheLock;
import dev.quern.bench.synth.GgufExport;
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
 * GGUF files of random weights, quantized by a peer's own program, each written once. The F16 that
 * they are made of is deleted again.
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
    String stem =
        "%s-layers%d-vocab%d".formatted(model.label(), config.numLayers(), config.vocabSize());
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
        write(config, model.label(), source);
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

  private void write(ModelConfig config, String name, Path file) throws IOException {
    GgufExport gguf = new RandomModel(config, seed).gguf(name, GgufType.F16);
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
