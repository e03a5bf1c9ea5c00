package dev.quern.converter.quantize;

import dev.quern.kernels.TileLayout;
import dev.quern.quant.QuantScheme;
import dev.quern.quant.Rotation;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Quantizes a matrix: rows in, packed bytes and an error report out. Pure and single-threaded;
 * holds a few tiles of 64 rows in memory, however many rows there are.
 */
public final class TensorQuantizer {
  private static final int ROWS = TileLayout.TILE_ROWS;

  /** Columns transposed together: 4 KiB of the tile, which stays in the first-level cache. */
  private static final int TRANSPOSE_COLS = 16;

  /** Where the rows come from. */
  @FunctionalInterface
  public interface RowReader {
    /** Writes rows [firstRow, firstRow + count), row-major, as float32 to into[0 .. count·cols). */
    void read(int firstRow, int count, float[] into) throws IOException;
  }

  private final QuantScheme scheme;
  private final TileLayout layout;
  private final Rotation rotation;
  private final TileEncoder encoder;
  private final ResidualEncoder residual;
  private final float[] rows;
  private final float[] tile;

  /**
   * For matrices of one shape, one after another.
   *
   * @param rotation of the input; {@link Rotation#none} if the scheme is not rotated
   * @param residualRotation of the QJL residual; ignored if the scheme has none
   */
  public TensorQuantizer(
      QuantScheme scheme, int rows, int cols, Rotation rotation, Rotation residualRotation) {
    if (scheme.rotated() == rotation.isNone()) {
      throw new IllegalArgumentException(
          scheme + " with " + (rotation.isNone() ? "no rotation" : "a rotation"));
    }
    this.scheme = scheme;
    this.layout = scheme.layout(rows, cols);
    this.rotation = rotation;
    this.encoder = new TileEncoder(scheme, layout);
    this.residual =
        scheme.qjl()
            ? new ResidualEncoder(scheme.residualLayout(rows, cols), residualRotation)
            : null;
    this.rows = new float[ROWS * cols];
    this.tile = new float[ROWS * layout.paddedCols()];
  }

  /**
   * Quantizes one matrix.
   *
   * @param out written in [0, scheme.bytes(rows, cols)): the layout, then the residual if there is
   *     one
   * @throws IOException from the reader
   * @throws ArithmeticException if a weight is not finite or too large for f16 scales
   */
  public ErrorReport quantize(RowReader reader, MemorySegment out) throws IOException {
    out.asSlice(0, scheme.bytes(layout.rows(), layout.cols())).fill((byte) 0);
    Moments before = new Moments();
    Moments after = new Moments();
    ErrorSums errors = new ErrorSums();
    for (int t = 0; t < layout.tiles(); t++) {
      int count = Math.min(ROWS, layout.rows() - t * ROWS);
      reader.read(t * ROWS, count, rows);
      before.add(rows, count * layout.cols());
      checkFinite(t, count);
      if (!rotation.isNone()) {
        for (int r = 0; r < count; r++) {
          rotation.apply(rows, r * layout.cols());
        }
      }
      after.add(rows, count * layout.cols());
      transpose(count);
      encoder.encode(tile, t, out);
      if (residual != null) {
        residual.encode(tile, encoder.value(), t, out.asSlice(layout.bytes()));
      }
      clearPadding(encoder.value(), count);
      errors.add(tile, encoder.value(), 0, ROWS * layout.cols());
    }
    long weights = (long) layout.rows() * layout.cols();
    return errors.report(weights, before, after, scheme.bytes(layout.rows(), layout.cols()));
  }

  /** The largest f16; a group's scale is below its largest weight. */
  private static final float LARGEST_WEIGHT = 65504;

  private void checkFinite(int t, int count) {
    int n = count * layout.cols();
    for (int i = 0; i < n; i++) {
      if (!(Math.abs(rows[i]) <= LARGEST_WEIGHT)) {
        throw new ArithmeticException(
            "weight [%d, %d] is %s: expected a magnitude of at most %s"
                .formatted(
                    t * ROWS + i / layout.cols(), i % layout.cols(), rows[i], LARGEST_WEIGHT));
      }
    }
  }

  /** rows → tile; missing rows of the last tile become 0. */
  private void transpose(int count) {
    int cols = layout.cols();
    if (count < ROWS) {
      Arrays.fill(tile, 0);
    }
    for (int first = 0; first < cols; first += TRANSPOSE_COLS) {
      int end = Math.min(cols, first + TRANSPOSE_COLS);
      for (int r = 0; r < count; r++) {
        for (int c = first; c < end; c++) {
          tile[c * ROWS + r] = rows[r * cols + c];
        }
      }
    }
  }

  private void clearPadding(float[] value, int count) {
    for (int c = 0; c < layout.cols() && count < ROWS; c++) {
      Arrays.fill(value, c * ROWS + count, (c + 1) * ROWS, 0);
    }
  }
}
