package dev.quern.bench.cli;

import dev.quern.bench.smoke.SpeedSmoke;
import java.io.PrintWriter;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code quern bench smoke}: no kernel has fallen off the compiler's cliff. */
@Command(
    name = "smoke",
    mixinStandardHelpOptions = true,
    description = {
      "Compare every kernel with plain loops in the same JVM, in some seconds: exit code 1, and a",
      "line that names the kernel, if one is many times too slow, as code is that the compiler does",
      "not turn into vector instructions."
    })
public final class SmokeCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--filter",
      paramLabel = "REGEX",
      defaultValue = "",
      description = "only kernels whose name contains it")
  private Pattern filter;

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    try (SpeedSmoke smoke = new SpeedSmoke()) {
      Optional<String> slow =
          smoke.run(
              filter.asPredicate(),
              line -> {
                out.println(line);
                out.flush();
              });
      slow.ifPresent(what -> spec.commandLine().getErr().println("error: " + what));
      spec.commandLine().getErr().flush();
      return slow.isPresent() ? 1 : 0;
    }
  }
}
