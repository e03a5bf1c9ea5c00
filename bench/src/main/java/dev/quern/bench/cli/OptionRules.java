package dev.quern.bench.cli;

import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;

/** Refuses what a command line says without effect; every refusal is wrong usage, in one line. */
final class OptionRules {
  private final CommandLine command;

  /**
   * @param command after parsing
   */
  OptionRules(CommandLine command) {
    this.command = command;
  }

  /**
   * @param other without which the options do nothing
   * @throws ParameterException if one of them is given and the other is not, naming both
   */
  void onlyWith(String other, String... options) {
    if (!isGiven(other)) {
      refuse(other + foundInstead(other), options);
    }
  }

  /**
   * @param expected what the options do nothing without, which is not there
   * @throws ParameterException if one of them is given
   */
  void refuse(String expected, String... options) {
    for (String option : options) {
      if (isGiven(option)) {
        throw wrong("%s: expected with %s".formatted(option, expected));
      }
    }
  }

  /**
   * @throws ParameterException if a value occurs twice, which would be measured twice
   */
  void distinct(String option, List<?> values) {
    for (int i = 0; i < values.size(); i++) {
      if (values.indexOf(values.get(i)) < i) {
        throw wrong("%s: expected each once, found %s twice".formatted(option, values.get(i)));
      }
    }
  }

  /** The values of an option as they were given, none if it was not. */
  List<String> texts(String option) {
    return isGiven(option)
        ? command.getParseResult().matchedOption(option).originalStringValues()
        : List.of();
  }

  private boolean isGiven(String option) {
    return command.getParseResult().hasMatchedOption(option);
  }

  /** Which of the options that exclude another one is given. */
  private String foundInstead(String other) {
    ArgGroupSpec group = command.getCommandSpec().findOption(other).group();
    if (group == null) {
      return "";
    }
    return group.options().stream()
        .map(OptionSpec::longestName)
        .filter(this::isGiven)
        .map(name -> ", found with " + name)
        .findFirst()
        .orElse("");
  }

  private ParameterException wrong(String message) {
    return new ParameterException(command, message);
  }
}
