package dev.quern.converter;

import dev.quern.converter.plan.Precision;
import dev.quern.converter.plan.Precision.Method;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** The model in {@code datasets/} as the tests convert it. */
public final class TinyMoe {
  public static final Path MODEL = Path.of("..", "datasets", "tiny-moe", "model");

  /** Experts at 3 bits. */
  public static final Precision THREE_BITS = Precision.experts(Method.TURBO, 3);

  /** Small enough that a layer of tiny-moe, 3 MB, is cut into pieces. */
  public static final long CHUNK_BYTES = 1 << 20;

  private TinyMoe() {}

  public static ConvertOptions to(Path out, Precision precision) {
    return new ConvertOptions(MODEL, out, precision, SharedSpark.MASTER, true, false, CHUNK_BYTES);
  }

  /** A copy whose files a test may damage. */
  public static Path copy(Path folder) throws IOException {
    Files.createDirectories(folder);
    try (Stream<Path> files = Files.list(MODEL)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        Files.copy(file, folder.resolve(file.getFileName()));
      }
    }
    return folder;
  }
}
