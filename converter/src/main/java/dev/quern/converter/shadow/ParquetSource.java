package dev.quern.converter.shadow;

import dev.quern.converter.traces.Split;
import dev.quern.converter.traces.TraceBatch;
import dev.quern.converter.traces.TraceColumn;
import dev.quern.converter.traces.TraceReader;
import dev.quern.converter.traces.TraceShape;
import dev.quern.converter.traces.Traces;
import dev.quern.format.FormatException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** Routing that {@code collect-traces} recorded. */
final class ParquetSource implements TraceSource {
  private static final long serialVersionUID = 1;
  private static final int BATCH_ROWS = 1024;

  private final String folder;
  private transient Traces traces;

  ParquetSource(Path folder) {
    this.folder = folder.toAbsolutePath().toString();
  }

  private Traces traces() throws IOException {
    if (traces == null) {
      traces = Traces.open(Path.of(folder));
    }
    return traces;
  }

  /** Reads what says how large everything is, so that later calls need no file for it. */
  static ParquetSource open(Path folder) throws IOException {
    ParquetSource source = new ParquetSource(folder);
    source.traces();
    return source;
  }

  private Traces opened() {
    try {
      return traces();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public Sizes sizes() {
    TraceShape shape = opened().shape();
    return new Sizes(
        opened().manifest().model().numLayers(),
        shape.layers(),
        shape.hiddenSize(),
        shape.numExperts(),
        shape.topK(),
        opened().manifest().model().vocabSize());
  }

  @Override
  public int parts(Split split) {
    return opened().parts(split);
  }

  @Override
  public long tokens(Split split) {
    return opened().tokens(split);
  }

  @Override
  public LayerRows rows(
      Split split, int layer, int distances, int firstPart, int endPart, boolean inputs)
      throws IOException {
    TraceShape shape = traces().shape();
    LayerRows rows =
        new LayerRows(layer, distances, shape.hiddenSize(), shape.numExperts(), shape.topK());
    for (int part = firstPart; part < endPart; part++) {
      addPart(split, part, inputs, rows);
    }
    return rows;
  }

  private void addPart(Split split, int part, boolean inputs, LayerRows rows) throws IOException {
    Set<TraceColumn> first =
        EnumSet.of(
            TraceColumn.WINDOW, TraceColumn.POSITION, TraceColumn.TOKEN, TraceColumn.EXPERTS);
    if (inputs) {
      first.add(TraceColumn.INPUT);
    }
    List<TraceReader> readers = new ArrayList<>();
    try {
      for (int d = 0; d <= rows.distances(); d++) {
        Set<TraceColumn> columns = d == 0 ? first : EnumSet.of(TraceColumn.EXPERTS);
        readers.add(traces().readPart(split, rows.layer() + d, part, columns, BATCH_ROWS));
      }
      int window = -1;
      int position = -1;
      while (next(readers)) {
        TraceBatch batch = readers.getFirst().batch();
        int[][] experts = readers.stream().map(r -> r.batch().experts()).toArray(int[][]::new);
        for (int i = 0; i < batch.rows(); i++) {
          boolean follows = batch.windows()[i] == window && batch.positions()[i] == position + 1;
          window = batch.windows()[i];
          position = batch.positions()[i];
          rows.add(
              batch.tokens()[i],
              follows,
              batch.input(),
              inputs ? i * rows.hiddenSize() : 0,
              experts,
              i * rows.topK());
        }
      }
    } finally {
      for (TraceReader reader : readers) {
        reader.close();
      }
    }
  }

  /** All readers go in step: a part has the same rows in every layer. */
  private static boolean next(List<TraceReader> readers) throws IOException {
    boolean more = readers.getFirst().next();
    int rows = readers.getFirst().batch().rows();
    for (TraceReader reader : readers.subList(1, readers.size())) {
      if (reader.next() != more || reader.batch().rows() != rows) {
        throw new FormatException(
            "traces: the layers of a part have different numbers of rows. Collect the traces again");
      }
    }
    return more;
  }
}
