package dev.quern.bench.cli;

import dev.quern.bench.jmh.KernelTable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.regex.PatternSyntaxException;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code quern bench kernels}: kernels under JMH, in JVMs with the flags of this one. */
@Command(
    name = "kernels",
    mixinStandardHelpOptions = true,
    description = {
      "Measure kernels with JMH: gemv and gemm per bits and shape, rotation, softmax, rmsNorm,",
      "swiGlu, attention. All of them take an hour; choose with --filter, --shape and --bits."
    })
public final class KernelsCommand implements Callable<Integer> {
  private static final String PACKAGE = "dev\\.quern\\.bench\\.jmh\\..*";

  @Spec private CommandSpec spec;

  @Option(
      names = "--filter",
      paramLabel = "REGEX",
      defaultValue = "",
      description = "only kernels whose name contains it: gemv, gemm, rotation, softmax, ...")
  private String filter;

  @Option(
      names = "--shape",
      paramLabel = "ROWSxCOLS",
      arity = "1..*",
      description = "of gemv and gemm (five of published models)")
  private List<String> shapes = List.of();

  @Option(
      names = "--bits",
      paramLabel = "N",
      arity = "1..*",
      description = "of gemv and gemm: 2, 3, 4, 8, 16 or 32 (all but the last)")
  private List<Integer> bits = List.of();

  @Option(
      names = {"-t", "--threads"},
      paramLabel = "N",
      defaultValue = "1",
      description = "of gemv and gemm (${DEFAULT-VALUE})")
  private int threads;

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
  private Optional<Path> json = Optional.empty();

  @Override
  public Integer call() throws IOException {
    if (threads < 1 || forks < 1 || seconds < 1) {
      throw new ParameterException(
          spec.commandLine(), "--threads, --forks and --seconds: expected at least 1");
    }
    ChainedOptionsBuilder options =
        new OptionsBuilder()
            .include(PACKAGE + filter)
            .forks(forks)
            .warmupTime(TimeValue.seconds(seconds))
            .measurementTime(TimeValue.seconds(seconds))
            .param("threads", Integer.toString(threads));
    if (!shapes.isEmpty()) {
      options.param("shape", shapes.toArray(String[]::new));
    }
    if (!bits.isEmpty()) {
      options.param("bits", bits.stream().map(String::valueOf).toArray(String[]::new));
    }
    if (json.isPresent()) {
      options.resultFormat(ResultFormatType.JSON).result(json.get().toString());
    }
    try {
      Collection<RunResult> results = new Runner(options.build()).run();
      spec.commandLine().getOut().print(KernelTable.of(results));
      spec.commandLine().getOut().flush();
      return results.isEmpty() ? 1 : 0;
    } catch (PatternSyntaxException e) {
      throw new ParameterException(spec.commandLine(), "--filter: " + e.getMessage(), e);
    } catch (RunnerException e) {
      throw new IOException("JMH: " + e.getMessage(), e);
    }
  }
}
