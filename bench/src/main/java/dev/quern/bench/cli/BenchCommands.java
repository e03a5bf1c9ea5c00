package dev.quern.bench.cli;

import dev.quern.cli.CommandProvider;
import java.util.List;

/** The commands of this module. */
public final class BenchCommands implements CommandProvider {
  @Override
  public List<Object> commands() {
    return List.of(
        new DemoCommand(),
        new EvaluateCommand(),
        new ReportCommand(),
        new BenchCommand(),
        new PlanCommand(),
        new SynthCommand());
  }
}
