package dev.quern.cli;

import java.util.List;

/**
 * Adds subcommands to {@code quern}. {@link Main} finds providers with {@link
 * java.util.ServiceLoader}, so a jar on the class path is all it takes.
 */
public interface CommandProvider {

  /**
   * Objects annotated with picocli's {@code @Command}; each implements {@code Callable<Integer>}
   * and returns 0 when done, 1 when failed.
   */
  List<Object> commands();
}
