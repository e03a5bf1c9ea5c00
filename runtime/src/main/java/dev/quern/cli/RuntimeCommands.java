package dev.quern.cli;

import java.util.List;

/** What the runtime alone can do. */
public final class RuntimeCommands implements CommandProvider {
  @Override
  public List<Object> commands() {
    return List.of(
        new GenerateCommand(),
        new LogitsCommand(),
        new TokenizeCommand(),
        new InspectCommand(),
        new VerifyCommand());
  }
}
