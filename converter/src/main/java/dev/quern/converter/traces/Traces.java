package dev.quern.converter.traces;

import dev.quern.format.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * A folder of traces, to be read. Row i of a part is the same token in every layer; with the same
 * batch size, readers of several layers go in step.
 */
public final class Traces {
  private final Path folder;
  private final TraceManifest manifest;

  private Traces(Path folder, TraceManifest manifest) {
    this.folder = folder;
    this.manifest = manifest;
  }

  /**
   * Reads {@code traces.json} and looks whether all files are there.
   *
   * @throws FormatException if the folder holds no complete traces
   */
  public static Traces open(Path folder) throws IOException {
    TraceManifest manifest = TraceManifest.read(folder);
    Traces traces = new Traces(folder, manifest);
    for (Split split : manifest.counts().keySet()) {
      for (int layer : manifest.shape().layers()) {
        for (int part = 0; part < traces.parts(split); part++) {
          Path file = folder.resolve(TracePart.path(split, layer, part));
          if (!Files.isRegularFile(file)) {
            throw new FormatException(
                file + ": no such file, though traces.json counts it. Collect the traces again");
          }
        }
      }
    }
    return traces;
  }

  public TraceManifest manifest() {
    return manifest;
  }

  public TraceShape shape() {
    return manifest.shape();
  }

  /** Files of every layer in a split: what can be read in parallel; 0 if the split is empty. */
  public int parts(Split split) {
    TraceManifest.Count count = manifest.counts().get(split);
    return count == null ? 0 : count.parts();
  }

  /** Rows of every layer in a split. */
  public long tokens(Split split) {
    TraceManifest.Count count = manifest.counts().get(split);
    return count == null ? 0 : count.tokens();
  }

  /**
   * All rows of one layer in one split, in order of document, window and position.
   *
   * @param columns to read; each one left out saves its time
   * @param batchRows at least 1
   * @throws FormatException if the traces lack a column or the layer has no experts
   */
  public TraceReader read(Split split, int layer, Set<TraceColumn> columns, int batchRows)
      throws IOException {
    List<Path> files =
        IntStream.range(0, parts(split))
            .mapToObj(part -> folder.resolve(TracePart.path(split, layer, part)))
            .toList();
    return reader(files, tokens(split), layer, columns, batchRows);
  }

  /** The same of one part, 0 to {@link #parts} − 1. */
  public TraceReader readPart(
      Split split, int layer, int part, Set<TraceColumn> columns, int batchRows)
      throws IOException {
    Objects.checkIndex(part, parts(split));
    List<Path> files = List.of(folder.resolve(TracePart.path(split, layer, part)));
    return reader(files, TraceReader.ANY_ROWS, layer, columns, batchRows);
  }

  private TraceReader reader(
      List<Path> files, long rows, int layer, Set<TraceColumn> columns, int batchRows)
      throws FormatException {
    if (!shape().layers().contains(layer)) {
      throw new FormatException(
          "%s: layer %d: expected one of %s".formatted(folder, layer, shape().layers()));
    }
    for (TraceColumn column : columns) {
      if (!shape().columns().contains(column)) {
        throw new FormatException(
            "%s: column '%s': the traces were collected without it. Collect them with --columns %s"
                .formatted(folder, column.label(), column.label()));
      }
    }
    return new TraceReader(files, manifest, rows, columns, batchRows);
  }
}
