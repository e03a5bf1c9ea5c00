package dev.quern.bench.synth;

import dev.quern.converter.plan.Precision;
import dev.quern.format.AtomicFile;
import dev.quern.format.FormatException;
import dev.quern.format.PackManifest;
import dev.quern.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * A folder of synthetic packs, each written once. A pack is written beside its place and renamed
 * when it is finished, so what an interrupted run leaves is never used.
 */
public final class PackCache {
  private static final long SEED = 0;
  private static final int PROGRESS_PERCENT = 25;

  private final Path folder;
  private final Consumer<String> progress;

  /**
   * @param folder created when the first pack is written
   * @param progress told what is written, in lines
   */
  public PackCache(Path folder, Consumer<String> progress) {
    this.folder = folder;
    this.progress = progress;
  }

  /** Where packs are kept unless somebody says otherwise. */
  public static Path defaultFolder() {
    String cache = System.getenv("XDG_CACHE_HOME");
    Path root =
        cache == null || cache.isBlank()
            ? Path.of(System.getProperty("user.home"), ".cache")
            : Path.of(cache);
    return root.resolve("quern").resolve("bench");
  }

  /**
   * Every matrix at so many bits, with the method and scales that {@code convert} gives experts by
   * default.
   *
   * @param bits 2, 3, 4, 8 or 16
   * @throws IllegalArgumentException for other bits
   */
  public static Precision everything(int bits) {
    return new Precision(
        Precision.Method.TURBO,
        Precision.Scales.U4,
        Precision.DEFAULT_GROUP_SIZE,
        true,
        false,
        SEED,
        bits,
        bits,
        bits,
        bits,
        OptionalInt.of(bits),
        List.of());
  }

  /**
   * The pack of a model's shape, written now if it is not there yet.
   *
   * @param layers the first ones of the model; empty for all
   * @param vocabSize empty for the model's
   * @throws FormatException if the disk cannot take it, or another process is writing it
   */
  public Path pack(PublishedModel model, OptionalInt layers, OptionalInt vocabSize, int bits)
      throws IOException {
    ModelConfig config = model.config(layers, vocabSize);
    String name =
        "%s-layers%d-vocab%d-%dbit-v%d"
            .formatted(
                model.label(),
                config.numLayers(),
                config.vocabSize(),
                bits,
                PackManifest.FORMAT_VERSION);
    Path pack = folder.resolve(name);
    if (Files.exists(pack)) {
      return pack;
    }
    Files.createDirectories(folder);
    try (CacheLock lock = CacheLock.of(pack)) {
      if (!Files.exists(pack)) { // another process may have just finished it
        write(new SyntheticPack(config, everything(bits), SEED), model, pack);
      }
    }
    return pack;
  }

  private void write(SyntheticPack synthetic, PublishedModel model, Path pack) throws IOException {
    Path part = pack.resolveSibling(pack.getFileName() + AtomicFile.PART_SUFFIX);
    delete(part); // of a run that was killed
    long bytes = synthetic.bytes();
    progress.accept("writing %s: %,d MB".formatted(pack, bytes >> 20));
    long start = System.nanoTime();
    long[] next = {PROGRESS_PERCENT};
    try {
      synthetic.write(
          part,
          model.label(),
          written -> {
            long percent = 100 * written / bytes;
            if (percent >= next[0]) {
              next[0] += PROGRESS_PERCENT;
              progress.accept(percent + " %");
            }
          });
      Files.move(part, pack, StandardCopyOption.ATOMIC_MOVE);
      AtomicFile.forceDirectory(folder);
    } catch (Throwable e) {
      delete(part);
      throw e;
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    progress.accept("written in %.1f s, %.0f MB/s".formatted(seconds, bytes / 1e6 / seconds));
  }

  /** Deletes a folder with what is in it, if it is there. */
  public static void delete(Path folder) throws IOException {
    if (Files.exists(folder)) {
      try (Stream<Path> all = Files.walk(folder)) {
        for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(path);
        }
      }
    }
  }
}
