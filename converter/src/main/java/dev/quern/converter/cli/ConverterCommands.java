package dev.quern.converter.cli;

import dev.quern.cli.CommandProvider;
import java.util.List;

/** The commands of this module. */
public final class ConverterCommands implements CommandProvider {
  @Override
  public List<Object> commands() {
    return List.of(new ConvertCommand(), new CollectTracesCommand(), new TrainShadowCommand());
  }
}
