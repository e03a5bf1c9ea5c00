package dev.quern.cli;

import dev.quern.format.FormatException;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * The command {@code quern}. Exit codes: 0 done, 1 failed with one line on standard error, 2 wrong
 * usage.
 */
@Command(
    name = "quern",
    mixinStandardHelpOptions = true,
    versionProvider = Main.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    description = "Quantizes mixture-of-experts language models to 2 to 4 bits and runs them.")
public final class Main implements Runnable {
  @Spec private CommandSpec spec;

  /** Exits with the code of {@link #commandLine}. */
  public static void main(String[] args) {
    // Text leaves as UTF-8 whatever the locale says; a closed pipe is seen by checkError, not
    // thrown.
    PrintWriter out = utf8(FileDescriptor.out);
    PrintWriter err = utf8(FileDescriptor.err);
    int code = commandLine().setOut(out).setErr(err).execute(args);
    out.flush();
    err.flush();
    System.exit(code);
  }

  private static PrintWriter utf8(FileDescriptor descriptor) {
    return new PrintWriter(
        new PrintStream(new FileOutputStream(descriptor), false, StandardCharsets.UTF_8),
        false,
        StandardCharsets.UTF_8);
  }

  /** All commands on the class path, with the one handler of errors. */
  public static CommandLine commandLine() {
    CommandLine line = new CommandLine(new Main());
    for (CommandProvider provider : ServiceLoader.load(CommandProvider.class)) {
      provider.commands().forEach(line::addSubcommand);
    }
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setUsageHelpAutoWidth(true);
    line.setExecutionExceptionHandler((exception, command, parsed) -> {
      command.getErr().println("error: " + message(exception));
      command.getErr().flush();
      return CommandLine.ExitCode.SOFTWARE;
    });
    line.setParameterExceptionHandler(Main::usageError);
    return line;
  }

  /**
   * One line about what the user can change.
   *
   * @throws Exception the exception itself, where it is our bug and keeps its stack trace
   */
  private static String message(Exception exception) throws Exception {
    return switch (exception) {
      case FormatException e -> e.getMessage();
      case NoSuchFileException e -> e.getFile() + ": no such file or folder";
      case NotDirectoryException e -> e.getFile() + ": not a folder";
      case AccessDeniedException e -> e.getFile() + ": permission denied";
      case FileAlreadyExistsException e -> e.getFile() + ": exists already";
      case IOException e -> oneLine(e);
      case UncheckedIOException e -> message(e.getCause());
      case IllegalArgumentException e -> oneLine(e);
      default -> throw exception;
    };
  }

  private static String oneLine(Exception e) {
    String text = Optional.ofNullable(e.getMessage()).orElse(e.getClass().getSimpleName());
    return text.lines().findFirst().orElse(text);
  }

  private static int usageError(ParameterException exception, String[] args) {
    CommandLine command = exception.getCommandLine();
    command.getErr().println("error: " + exception.getMessage());
    if (!CommandLine.UnmatchedArgumentException.printSuggestions(exception, command.getErr())) {
      command.getErr().println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
    }
    command.getErr().flush();
    return CommandLine.ExitCode.USAGE;
  }

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(),
        "a command is missing; there are " + List.copyOf(spec.subcommands().keySet()));
  }

  /** The version in the jar's manifest. */
  static final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Main.class.getPackage().getImplementationVersion();
      return new String[] {"quern " + Optional.ofNullable(version).orElse("(development)")};
    }
  }
}
