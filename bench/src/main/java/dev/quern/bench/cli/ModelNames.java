package dev.quern.bench.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What tables call models by: the last part of a path, or all of it where another model has the
 * same last part.
 */
final class ModelNames {
  private final List<Path> models;

  private ModelNames(List<Path> models) {
    this.models = models;
  }

  /**
   * @param models of a run, quern's and peers'
   * @throws IOException if one does not exist
   */
  static ModelNames of(List<Path> models) throws IOException {
    return new ModelNames(real(models));
  }

  /** Without links, so that a file given in two ways is one. */
  static List<Path> real(List<Path> paths) throws IOException {
    List<Path> real = new ArrayList<>();
    for (Path path : paths) {
      real.add(path.toRealPath());
    }
    return real;
  }

  String name(Path model) throws IOException {
    Path real = model.toRealPath();
    Path last = real.getFileName();
    boolean shared =
        models.stream().anyMatch(other -> !other.equals(real) && other.getFileName().equals(last));
    return shared ? model.toString() : last.toString();
  }
}
