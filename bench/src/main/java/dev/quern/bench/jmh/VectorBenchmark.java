package dev.quern.bench.jmh;

import dev.quern.kernels.Kernels;
import dev.quern.quant.CounterRandom;
import dev.quern.quant.Rotation;
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
import org.openjdk.jmh.annotations.Warmup;

/** What is done with one vector of activations or scores, one thread, in cache. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
public class VectorBenchmark {
  /** Hidden sizes and expert sizes of published models; the last one is a row of scores. */
  @Param({"768", "2048", "2880", "7168", "32768"})
  private int length;

  private final Kernels kernels = Kernels.best();
  private Rotation rotation;
  private float[] x;
  private float[] weight;
  private float[] out;

  @Setup
  public void fill() {
    long key = CounterRandom.key(4, length);
    rotation = Rotation.hadamard(0, 0, Rotation.Input.MLP, length);
    x = new float[length];
    weight = new float[length];
    out = new float[length];
    for (int i = 0; i < length; i++) {
      x[i] = (float) CounterRandom.gaussian(key, i);
      weight[i] = 1;
    }
  }

  @Benchmark
  public float[] rotation() {
    rotation.apply(x, 0);
    return x;
  }

  @Benchmark
  public float[] softmax() {
    kernels.softmax(x, 0, length);
    return x;
  }

  @Benchmark
  public float[] rmsNorm() {
    kernels.rmsNorm(x, 0, weight, 1e-6f, out, 0, length);
    return out;
  }

  @Benchmark
  public float[] swiGlu() {
    kernels.swiGlu(out, 0, x, 0, length);
    return out;
  }
}
