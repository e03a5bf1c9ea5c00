package dev.quern.bench.cli;

import dev.quern.cli.CommandProvider;
import java.util.List;

/** The commands that measure. */
public final class BenchCommands implements CommandProvider {
  @Override
  public List<Object> commands() {
    return List.of(new BenchCommand(), new SynthCommand());
  }
}
