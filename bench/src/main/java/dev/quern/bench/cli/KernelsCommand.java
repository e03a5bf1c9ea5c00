package dev.quern.bench.cli;

import dev.quern.bench.jmh.KernelRecords;
import dev.quern.bench.jmh.KernelTable;
import dev.quern.bench.jmh.MatrixSize;
import dev.quern.bench.jmh.MultiplyAddPeak;
import dev.quern.bench.jmh.Operands;
import dev.quern.bench.jmh.Products;
import dev.quern.bench.quality.SourceCommit;
import dev.quern.bench.report.Machine;
import dev.quern.format.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.NoBenchmarksException;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.Options;
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
  private Pattern filter;

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

  @Option(
      names = "--json",
      paramLabel = "FILE",
      description = "JMH's record, with machine, commit and command")
  private Optional<Path> json = Optional.empty();

  @Override
  public Integer call() throws IOException {
    try {
      check();
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
    if (json.isPresent()) {
      Files.createDirectories(json.get().toAbsolutePath().getParent());
    }
    Collection<RunResult> results = measure();
    spec.commandLine().getOut().print(KernelTable.of(results));
    spec.commandLine().getOut().flush();
    if (json.isPresent()) {
      AtomicFile.writeText(json.get(), KernelRecords.json(results, origin()));
    }
    return 0;
  }

  private void check() {
    if (threads < 1 || forks < 1 || seconds < 1) {
      throw new IllegalArgumentException("--threads, --forks and --seconds: expected at least 1");
    }
    for (int each : bits) {
      if (!Products.BITS.contains(each)) {
        throw new IllegalArgumentException(
            "--bits: expected one of %s, found %d".formatted(Products.BITS, each));
      }
    }
    for (String shape : shapes) {
      try {
        MatrixSize.parse(shape);
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException("--shape: " + e.getMessage(), e);
      }
    }
  }

  private Collection<RunResult> measure() throws IOException {
    try {
      return new Runner(options()).run();
    } catch (NoBenchmarksException e) {
      throw new ParameterException(
          spec.commandLine(), "--filter: no kernel's name contains '%s'".formatted(filter), e);
    } catch (RunnerException e) {
      throw new IOException("JMH: " + e.getMessage(), e);
    }
  }

  private Options options() {
    ChainedOptionsBuilder options =
        new OptionsBuilder()
            .include(PACKAGE + filter)
            .shouldFailOnError(true)
            .forks(forks)
            .warmupTime(TimeValue.seconds(seconds))
            .measurementTime(TimeValue.seconds(seconds))
            .param("threads", Integer.toString(threads));
    if (!shapes.isEmpty()) {
      options.param("shape", shapes.toArray(String[]::new));
    }
    if (!bits.isEmpty()) {
      options.param("bits", bits.stream().map(String::valueOf).toArray(String[]::new));
      options.param(
          "operands",
          bits.stream().flatMap(each -> Operands.names(each).stream()).toArray(String[]::new));
    }
    return options.build();
  }

  private KernelRecords.Origin origin() {
    return new KernelRecords.Origin(
        Machine.detect(threads, 0),
        MultiplyAddPeak.vectorBits(),
        SourceCommit.describe(),
        System.getenv().getOrDefault("QUERN_COMMAND", "quern bench kernels"));
  }
}
