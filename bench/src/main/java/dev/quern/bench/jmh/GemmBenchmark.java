package dev.quern.bench.jmh;

import dev.quern.kernels.Activations;
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

/** Prefill: a matrix times several vectors, whose tiles are dequantized once for all of them. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
public class GemmBenchmark {
  /** 2 to 4: the default scheme; 16: BF16. */
  @Param({"2", "3", "4", "16"})
  private int bits;

  /** Rows x columns. */
  @Param({"768x2048", "2048x768", "7168x2048", "4096x14336", "2880x2880"})
  private String shape;

  /** A prompt of 512 tokens gives each of 128 experts with top-8 about 32. */
  @Param({"32", "512"})
  private int vectors;

  @Param("1")
  private int threads;

  private Products products;

  @Setup
  public void fill() {
    MatrixSize size = MatrixSize.parse(shape);
    products = new Products(bits, size.rows(), size.cols(), vectors, Activations.INT, threads, 1);
  }

  @TearDown
  public void release() {
    products.close();
  }

  @Benchmark
  public float[] gemm() {
    return products.multiply();
  }
}
