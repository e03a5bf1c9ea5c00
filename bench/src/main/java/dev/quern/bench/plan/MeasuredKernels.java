package dev.quern.bench.plan;

import dev.quern.kernels.Activations;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.MatMul;
import dev.quern.kernels.Matrix;
import dev.quern.kernels.TileLayout;
import dev.quern.quant.Rotation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Times the kernels on this machine: matrices of the given shapes and storage lie one after another
 * in more memory than caches hold and are multiplied in turns, as decoding does. What has been
 * measured once is remembered.
 */
final class MeasuredKernels implements KernelTimes, AutoCloseable {
  /** More than the last-level cache's share of a few cores. */
  private static final long MEMORY_BYTES = 96L << 20;

  /** A larger matrix is measured on its first rows and scaled. */
  private static final long MAX_MATRIX_BYTES = 16L << 20;

  private static final long NANOS_PER_SHAPE = 60_000_000;
  private static final long WARM_SAMPLE_NANOS = 50_000_000;

  /** Code is compiled in steps: it is as fast as it gets when it has not got faster for so long. */
  private static final long SETTLED_NANOS = 500_000_000;

  private static final double FASTER = 1.03;
  private static final long MAX_WARM_NANOS = 5_000_000_000L;

  /** Beyond what any interpreter reaches and any vector unit misses. */
  private static final double COMPILED_BYTES_PER_SECOND = 1e9;

  private static final int SAMPLES = 7;

  /** 0x1111 is a small normal number in every type: neither zero pages nor subnormal products. */
  private static final byte FILLING = 0x11;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment memory = arena.allocate(MEMORY_BYTES, TileLayout.ALIGNMENT);
  private final MatMul matMul;
  private final Map<StoredMap, Double> products = new HashMap<>();
  private final Set<StoredMap.Storage> warm = new HashSet<>();
  private float[] x = {};
  private float[] y = {};
  private double secondsPerByte;

  MeasuredKernels(int threads) {
    memory.fill(FILLING);
    matMul = MatMul.create(Kernels.best(), threads, Activations.INT);
  }

  @Override
  public double product(StoredMap map) {
    return products.computeIfAbsent(map, this::measure);
  }

  @Override
  public double reading(long bytes) {
    if (secondsPerByte == 0) {
      StoredMap plain = new StoredMap(2048, 2048, new StoredMap.Numbers(Matrix.Element.F32));
      secondsPerByte = product(plain) / plain.bytes();
    }
    return bytes * secondsPerByte;
  }

  private double measure(StoredMap map) {
    long rowBytes = Math.max(1, map.bytes() / map.rows());
    int rows = (int) Math.clamp(MAX_MATRIX_BYTES / rowBytes, 1, map.rows());
    // Whole tiles, so that bytes are proportional to rows.
    rows =
        rows < map.rows() ? Math.max(1, rows / TileLayout.TILE_ROWS) * TileLayout.TILE_ROWS : rows;
    StoredMap some = map.withRows(Math.min(rows, map.rows()));
    if (warm.add(map.storage())) {
      warmUp(some);
    }
    double best = Double.POSITIVE_INFINITY; // whatever else runs here only adds
    for (int i = 0; i < SAMPLES; i++) {
      best = Math.min(best, sample(some, NANOS_PER_SHAPE / SAMPLES));
    }
    return best * map.rows() / some.rows();
  }

  /** Interpreted code is a hundred times slower; on a busy machine the compiler comes late. */
  private void warmUp(StoredMap map) {
    long start = System.nanoTime();
    long lastGain = start;
    double best = 0;
    while (System.nanoTime() - start < MAX_WARM_NANOS
        && (best < COMPILED_BYTES_PER_SECOND || System.nanoTime() - lastGain < SETTLED_NANOS)) {
      double rate = map.bytes() / sample(map, WARM_SAMPLE_NANOS);
      if (rate > FASTER * best) {
        best = rate;
        lastGain = System.nanoTime();
      }
    }
  }

  /** Seconds of one product, on average over at least so many nanoseconds. */
  private double sample(StoredMap map, long nanos) {
    x = x.length < map.cols() ? new float[map.cols()] : x;
    y = y.length < map.rows() ? new float[map.rows()] : y;
    Arrays.fill(x, 1);
    Rotation rotation =
        map.rotated()
            ? Rotation.hadamard(0, 0, Rotation.Input.ATTENTION, map.cols())
            : Rotation.none(map.cols());
    long stride = Math.ceilDiv(map.bytes(), (long) TileLayout.ALIGNMENT) * TileLayout.ALIGNMENT;
    if (stride > MEMORY_BYTES) {
      throw new IllegalArgumentException("a row of " + map + " is no row of a model");
    }
    int places = Math.toIntExact(MEMORY_BYTES / stride);
    long start = System.nanoTime();
    long elapsed = 0;
    int count = 0;
    while (elapsed < nanos || count == 0) {
      rotation.apply(x, 0);
      Matrix matrix = map.over(memory.asSlice(count % places * stride, map.bytes()));
      matMul.add(matrix, x, 0, map.cols(), 1, y, 0, map.rows());
      matMul.run();
      count++;
      elapsed = System.nanoTime() - start;
    }
    return elapsed / 1e9 / count;
  }

  @Override
  public void close() {
    matMul.close();
    arena.close();
  }
}
