package dev.quern.bench.jmh;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.infra.IterationParams;
import org.openjdk.jmh.results.AverageTimeResult;
import org.openjdk.jmh.results.BenchmarkResult;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.IterationResultMetaData;
import org.openjdk.jmh.results.ResultRole;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.IterationType;
import org.openjdk.jmh.runner.WorkloadParams;
import org.openjdk.jmh.runner.options.TimeValue;

/** What JMH would answer. */
final class KernelResults {
  private static final TimeValue SECOND = TimeValue.seconds(1);

  private KernelResults() {}

  /** One fork with one iteration, in which 1000 calls took so long each. */
  static RunResult of(String kernel, Map<String, String> parameters, int micros) {
    BenchmarkParams params = params(kernel, parameters);
    IterationResult iteration =
        new IterationResult(
            params, params.getMeasurement(), new IterationResultMetaData(1000, 1000));
    iteration.addResult(
        new AverageTimeResult(
            ResultRole.PRIMARY, kernel, 1000, 1_000_000L * micros, TimeUnit.MICROSECONDS));
    return new RunResult(params, List.of(new BenchmarkResult(params, List.of(iteration))));
  }

  private static BenchmarkParams params(String kernel, Map<String, String> parameters) {
    WorkloadParams workload = new WorkloadParams();
    new TreeMap<>(parameters).forEach((name, value) -> workload.put(name, value, 0));
    return new BenchmarkParams(
        "dev.quern.bench.jmh.Benchmark." + kernel,
        "generated",
        true,
        1,
        new int[] {1},
        List.of(),
        1,
        0,
        new IterationParams(IterationType.WARMUP, 3, SECOND, 1),
        new IterationParams(IterationType.MEASUREMENT, 1, SECOND, 1),
        Mode.AverageTime,
        workload,
        TimeUnit.MICROSECONDS,
        1,
        "java",
        List.of("-XX:+UseSerialGC"),
        "25",
        "a machine",
        "25",
        "1.37",
        SECOND);
  }
}
