package dev.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Tag("vector-width") // the build runs it at 128 and 256 bits too
class TieredKernelsTest {
  private static final long SEED = 37;
  private static final int CALLS = 100;

  private final Kernels plain = new LaneKernels();
  private final Kernels vectors = new VectorKernels();

  /** Rehearsals begin and end meanwhile. */
  @Test
  void productsKeepTheirBitsWhileKernelsChange() {
    TieredKernels tiered = new TieredKernels(Duration.ZERO);
    float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), 300);
    for (int call = 0; call < CALLS; call++) {
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
    TieredKernels tiered = new TieredKernels(Duration.ZERO);
    int count = 9;
    for (int bits = 2; bits <= 4; bits++) {
      TileLayout layout = new TileLayout(70, 200, bits, TileLayout.Scales.U4, 16, false, 1);
      Matrix.Packed w = TestMatrices.packed(layout, SEED);
      float[] x = TestMatrices.gaussian(new SplittableRandom(SEED), count * 200);
      float[] expected = products(vectors, w, x, count);
      for (int call = 0; call < CALLS; call++) {
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
    assertFalse(tiered.vectorsOnly());
    tiered.gemv(w, 1, layout.tiles(), mixed, actual, 0);
    assertTrue(tiered.vectorsOnly());
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

  /** Calls that take a time of their own. */
  @Test
  @Timeout(60)
  void vectorsFollowWhenTheyAreFasterAndNotBefore() throws InterruptedException {
    AtomicInteger slow = new AtomicInteger();
    AtomicInteger rehearsed = new AtomicInteger();
    Rehearsals rehearsals = new Rehearsals(plain, vectors);
    Rehearsals.Part part =
        rehearsals.part(kernels -> {
          rehearsed.incrementAndGet();
          Thread.yield();
          spin(kernels == plain ? 100_000 : slow.get());
        });
    slow.set(20_000_000);
    assertEquals(0, rehearsed.get(), "nobody has asked for it");
    assertSame(plain, part.kernels());
    while (rehearsed.get() < 6) {
      Thread.sleep(1);
    }
    assertSame(plain, part.kernels());
    slow.set(0);
    while (part.kernels() != vectors) {
      Thread.sleep(1);
    }
    int last = rehearsed.get();
    Rehearsals.Part next = rehearsals.part(kernels -> spin(kernels == plain ? 100_000 : 0));
    while (next.kernels() != vectors) { // after the thread has ended, or before
      Thread.sleep(1);
    }
    assertEquals(last, rehearsed.get());
  }

  @Test
  void vectorsDoEverythingAfterTheEnd() {
    Rehearsals rehearsals = new Rehearsals(plain, vectors);
    Rehearsals.Part asked = rehearsals.part(kernels -> spin(kernels == plain ? 0 : 1_000_000));
    Rehearsals.Part other = rehearsals.part(kernels -> spin(kernels == plain ? 0 : 1_000_000));
    assertSame(plain, asked.kernels());
    rehearsals.end();
    assertSame(vectors, asked.kernels());
    assertSame(vectors, other.kernels());
  }

  private static void spin(long nanos) {
    long end = System.nanoTime() + nanos;
    while (System.nanoTime() < end) {
      Thread.onSpinWait();
    }
  }
}
