package dev.quern.bench.cli;

import dev.quern.bench.jmh.GemvBenchmark;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code quern bench kernels}: kernels under JMH. */
@Command(
    name = "kernels",
    mixinStandardHelpOptions = true,
    description = "Measure kernels with JMH: weights per nanosecond, by bits per weight.")
public final class KernelsCommand implements Callable<Integer> {
  @Option(
      names = "--forks",
      paramLabel = "N",
      defaultValue = "2",
      description = "JVMs per measurement (${DEFAULT-VALUE})")
  private int forks;

  @Option(
      names = "--seconds",
      paramLabel = "N",
      defaultValue = "1",
      description = "per iteration (${DEFAULT-VALUE})")
  private int seconds;

  @Option(names = "--json", paramLabel = "FILE", description = "JMH's own record")
  private Path json;

  @Override
  public Integer call() throws IOException {
    ChainedOptionsBuilder options =
        new OptionsBuilder()
            .include(GemvBenchmark.class.getName())
            .forks(forks)
            .warmupTime(TimeValue.seconds(seconds))
            .measurementTime(TimeValue.seconds(seconds));
    if (json != null) {
      options.resultFormat(ResultFormatType.JSON).result(json.toString());
    }
    try {
      return new Runner(options.build()).run().isEmpty() ? 1 : 0;
    } catch (RunnerException e) {
      throw new IOException("JMH: " + e.getMessage(), e);
    }
  }
}
