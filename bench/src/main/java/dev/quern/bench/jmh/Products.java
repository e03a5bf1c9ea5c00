package dev.quern.bench.jmh;

import dev.quern.converter.quantize.Tables;
import dev.quern.kernels.Activations;
import dev.quern.kernels.Kernels;
import dev.quern.kernels.MatMul;
import dev.quern.kernels.Matrix;
import dev.quern.kernels.TileLayout;
import dev.quern.quant.CounterRandom;
import dev.quern.quant.QuantScheme;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * Products of random matrices of one shape with random vectors, each with another matrix than the
 * one before, until all had their turn: as many as make the caches useless, or one to stay there.
 */
public final class Products implements AutoCloseable {
  /** 2, 3 and 4: the default scheme; 8: signed codes with f16 scales; 16: BF16; 32: F32. */
  public static final List<Integer> BITS = List.of(2, 3, 4, Byte.SIZE, Short.SIZE, Float.SIZE);

  /** What 8 bits are: see {@code Precision}. */
  static final QuantScheme BYTES =
      new QuantScheme(QuantScheme.Method.ABSMAX, Byte.SIZE, 32, false, false);

  /** Exponents of halves kept below the top: any other bits are a valid packed matrix. */
  private static final long FINITE = 0xBFFFBFFFBFFFBFFFL;

  /**
   * With {@link #FINITE}: F32, BF16 and F16 of 2^-7 at least, as weights or as scales (and codes of
   * 8 bits with these bits set). Some processors take a hundred cycles for a subnormal number, of
   * which no trained model has many.
   */
  private static final long NORMAL = 0x3C003C003C003C00L;

  private final int rows;
  private final int cols;
  private final int vectors;
  private final Arena arena = Arena.ofShared();
  private final MatMul matMul;
  private final List<Matrix> matrices = new ArrayList<>();
  private final float[] x;
  private final float[] y;
  private int next;

  /**
   * @param bits one of {@link #BITS}
   * @param vectors multiplied at once
   * @param activations what small batches are multiplied as
   * @param threads at least 1; the calling thread is one of them
   * @param bytes that all matrices together have at least; 1 for a single matrix
   */
  public Products(
      int bits, int rows, int cols, int vectors, Activations activations, int threads, long bytes) {
    this.rows = rows;
    this.cols = cols;
    this.vectors = vectors;
    x = new float[vectors * cols];
    y = new float[vectors * rows];
    long key = CounterRandom.key(1, bits, rows, cols);
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) CounterRandom.gaussian(key, i);
    }
    long all = 0;
    while (all < bytes) {
      Matrix matrix = matrix(bits, CounterRandom.key(key, matrices.size()));
      matrices.add(matrix);
      all += matrix.bytes();
    }
    matMul = MatMul.create(Kernels.best(), threads, activations);
  }

  private Matrix matrix(int bits, long key) {
    return switch (bits) {
      case 2, 3, 4 -> packed(QuantScheme.turbo(bits), key);
      case Byte.SIZE -> packed(BYTES, key);
      case Short.SIZE -> dense(Matrix.Element.BF16, key);
      case Float.SIZE -> dense(Matrix.Element.F32, key);
      default -> throw new IllegalArgumentException("matrix of %d bits".formatted(bits));
    };
  }

  private Matrix packed(QuantScheme scheme, long key) {
    Tables tables = Tables.of(scheme);
    TileLayout layout = scheme.layout(rows, cols);
    long scales = layout.scales() == TileLayout.Scales.F16 ? NORMAL : 0;
    return new Matrix.Packed(
        layout, random(layout.bytes(), key, scales), tables.codebook(), tables.scaleTable());
  }

  private Matrix dense(Matrix.Element element, long key) {
    long bytes = (long) rows * cols * element.bytes();
    return new Matrix.Dense(element, rows, cols, random(bytes, key, NORMAL));
  }

  private MemorySegment random(long bytes, long key, long set) {
    MemorySegment data = arena.allocate(bytes, TileLayout.TILE_ROWS);
    for (long at = 0; at + Long.BYTES <= bytes; at += Long.BYTES) {
      data.set(ValueLayout.JAVA_LONG, at, CounterRandom.word(key, at) & FINITE | set);
    }
    return data;
  }

  /** One product with every vector; returns where the results are. */
  public float[] multiply() {
    Matrix matrix = matrices.get(next);
    next = next + 1 < matrices.size() ? next + 1 : 0;
    matMul.add(matrix, x, 0, cols, vectors, y, 0, rows);
    matMul.run();
    return y;
  }

  /** Weights of one matrix. */
  public long weights() {
    return (long) rows * cols;
  }

  @Override
  public void close() {
    matMul.close();
    arena.close();
  }
}
