package dev.quern.bench.jmh;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Decode: a matrix times one vector, out of cache: as many matrices as fill 1 GB take turns.
 * Everything that decoding does with a matrix is included, but for the rotation of its input.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
public class GemvBenchmark {
  private static final long OUT_OF_CACHE_BYTES = 1_000_000_000;

  /** {@link Operands}; 2 to 4: the default scheme; 8: signed codes; 16: BF16. */
  @Param({"2 INT", "2 F32", "3 INT", "3 F32", "4 INT", "4 F32", "8", "16"})
  private String operands;

  /** Rows x columns: what Qwen3-30B-A3B, Kimi K2, Mixtral and gpt-oss have. */
  @Param({"768x2048", "2048x768", "7168x2048", "4096x14336", "2880x2880"})
  private String shape;

  @Param("1")
  private int threads;

  private Products products;

  @Setup
  public void fill() {
    MatrixSize size = MatrixSize.parse(shape);
    Operands each = Operands.parse(operands);
    products =
        new Products(
            each.bits(),
            size.rows(),
            size.cols(),
            1,
            each.activations(),
            threads,
            OUT_OF_CACHE_BYTES);
  }

  @TearDown
  public void release() {
    products.close();
  }

  @Benchmark
  public float[] gemv() {
    return products.multiply();
  }
}
