package dev.quern.converter.traces;

import dev.quern.format.FormatException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;

/**
 * Streams the rows of one layer, batch by batch; see {@link Traces#read}. All batches but the last
 * are full.
 */
public final class TraceReader implements Closeable {
  /** The number of rows is whatever the files have. */
  static final long ANY_ROWS = -1;

  private final Iterator<Path> files;
  private final TraceManifest manifest;
  private final Set<TraceColumn> columns;
  private final TraceBatch batch;
  private final long expectedRows;
  private TraceFile file;
  private Path last;
  private long rows;

  TraceReader(
      List<Path> files,
      TraceManifest manifest,
      long expectedRows,
      Set<TraceColumn> columns,
      int batchRows) {
    if (batchRows < 1 || columns.isEmpty()) {
      throw new IllegalArgumentException(
          "trace reader: %d rows of %s".formatted(batchRows, columns));
    }
    this.files = files.iterator();
    this.manifest = manifest;
    this.expectedRows = expectedRows;
    this.columns = EnumSet.copyOf(columns);
    batch = new TraceBatch(manifest.shape(), this.columns, batchRows);
  }

  /** What {@link #next} filled. */
  public TraceBatch batch() {
    return batch;
  }

  /**
   * Fills the batch with the next rows.
   *
   * @return false if there are none
   * @throws FormatException if a file is wrong
   */
  public boolean next() throws IOException {
    batch.rows = 0;
    while (batch.rows < batch.capacity()) {
      if (file == null) {
        if (!files.hasNext()) {
          break;
        }
        last = files.next();
        file = TraceFile.open(last, manifest, columns);
      }
      int read = file.read(batch);
      if (read == 0) {
        file.close();
        file = null;
      }
      rows += read;
    }
    if (batch.rows == 0 && expectedRows != ANY_ROWS && rows != expectedRows) {
      throw new FormatException(
          "%s: rows of all parts up to this: expected %d, found %d. Collect the traces again"
              .formatted(last, expectedRows, rows));
    }
    return batch.rows > 0;
  }

  @Override
  public void close() throws IOException {
    if (file != null) {
      file.close();
      file = null;
    }
  }
}
