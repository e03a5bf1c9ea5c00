package dev.quern.kernels;

import static dev.quern.kernels.TileLayout.TILE_ROWS;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Room for 64 rows of a {@link Matrix.Decoded}, for one thread: rows are decoded once and then
 * multiplied as float32 with every vector of a batch.
 *
 * <p>Off the heap, as all other matrices are: a heap segment among them would make every kernel
 * check which of the two it reads.
 */
final class DecodedTile implements AutoCloseable {
  private Arena arena = Arena.ofShared();
  private MemorySegment rows = MemorySegment.NULL;
  private final List<Matrix.Dense> views = new ArrayList<>(); // of rows, one per shape
  private float[] row = {};

  /** The rows of a tile; valid until the next call. */
  Matrix.Dense decode(Matrix.Decoded w, int tile) {
    int first = tile * TILE_ROWS;
    int count = Math.min(TILE_ROWS, w.rows() - first);
    int cols = w.cols();
    reserve((long) TILE_ROWS * cols * Float.BYTES);
    if (row.length < cols) {
      row = new float[cols];
    }
    for (int r = 0; r < count; r++) {
      w.source().row(first + r, row, 0);
      MemorySegment.copy(row, 0, rows, TilePacking.LE_FLOAT, (long) r * cols * Float.BYTES, cols);
    }
    return view(count, cols);
  }

  /** A view is kept for every shape, so that decoding a token makes no objects. */
  private Matrix.Dense view(int count, int cols) {
    for (int i = 0; i < views.size(); i++) {
      Matrix.Dense view = views.get(i);
      if (view.rows() == count && view.cols() == cols) {
        return view;
      }
    }
    Matrix.Dense view = new Matrix.Dense(Matrix.Element.F32, count, cols, rows);
    views.add(view);
    return view;
  }

  private void reserve(long bytes) {
    if (rows.byteSize() < bytes) {
      Arena larger = Arena.ofShared();
      rows = larger.allocate(bytes, Long.BYTES * 8); // may fail: before the old rows are given up
      views.clear();
      arena.close();
      arena = larger;
    }
  }

  @Override
  public void close() {
    arena.close();
  }
}
