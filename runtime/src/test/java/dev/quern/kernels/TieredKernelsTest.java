package dev.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("vector-width") // the build runs it at 128 and 256 bits too
class TieredKernelsTest {
  private static final long SEED = 37;
  private static final int CALLS = 10;

  private final Kernels vectors = new VectorKernels();

  @Test
  void productsKeepTheirBitsWhileKernelsChange() {
    TieredKernels tiered = new TieredKernels(Duration.ofMillis(20));
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), 300);
    for (int call = 0; call < CALLS || !tiered.ended(); call++) {
      for (Matrix.InPlace w : TestMatrices.all(70, 300, SEED)) {
        float[] expected = new float[70];
        vectors.gemv(w, 0, 2, x, 0, expected, 0);
        float[] actual = new float[70];
        tiered.gemv(w, 0, 2, x, 0, actual, 0);
        assertArrayEquals(expected, actual, TestMatrices.name(w));
      }
    }
  }

  @Test
  void batchesKeepTheirBitsWhileKernelsChange() {
    int count = 9;
    for (int bits = 2; bits <= 4; bits++) {
      TieredKernels tiered = new TieredKernels(Duration.ofMillis(20));
      TileLayout layout = new TileLayout(70, 200, bits, TileLayout.Scales.U4, 16, false, 1);
      Matrix.Packed w = TestMatrices.packed(layout, SEED);
      float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), count * 200);
      float[] expected = products(vectors, w, x, count);
      for (int call = 0; call < CALLS || !tiered.ended(); call++) {
        assertArrayEquals(expected, products(tiered, w, x, count), bits + " bits");
      }
    }
  }

  /** Before, plain loops filled a table that vectors read afterwards. */
  @Test
  void aProductTooLargeForPlainLoopsEndsThem() {
    TieredKernels tiered = new TieredKernels(Duration.ofDays(1));
    TileLayout layout = new TileLayout(1030, 300, 3, TileLayout.Scales.U4, 16, false, 1);
    Matrix.Packed w = TestMatrices.packed(layout, SEED);
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), 300);
    ProductTable table = new ProductTable();
    float[] expected = new float[1030];
    vectors.multiplyLevels(w, x, 0, table);
    vectors.gemv(w, 0, layout.tiles(), table, expected, 0);
    float[] actual = new float[1030];
    ProductTable mixed = new ProductTable();
    tiered.multiplyLevels(w, x, 0, mixed);
    tiered.gemv(w, 0, 1, mixed, actual, 0);
    assertFalse(tiered.ended());
    tiered.gemv(w, 1, layout.tiles(), mixed, actual, 0);
    assertTrue(tiered.ended());
    assertArrayEquals(expected, actual);
  }

  private static float[] products(Kernels kernels, Matrix.Packed w, float[] x, int count) {
    float[] y = new float[count * w.rows()];
    TableBatch batch = new TableBatch();
    batch.start(x, 0, w.cols(), count);
    batch.add(w, y, 0, w.rows());
    kernels.multiplyByTable(batch, 0, w.layout().tiles(), 0, count);
    return y;
  }
}
