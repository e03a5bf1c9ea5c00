package dev.quern.bench.quality;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** Which sources these classes were built from. */
public final class SourceCommit {
  private static final String UNKNOWN = "unknown";
  private static final int TIMEOUT_SECONDS = 5;

  private SourceCommit() {}

  /** The folder of the project, if the classes still lie in it or the command was started in it. */
  public static Optional<Path> projectFolder() {
    Path start = Path.of("").toAbsolutePath();
    CodeSource code = SourceCommit.class.getProtectionDomain().getCodeSource();
    Optional<Path> above = Optional.empty();
    if (code != null) {
      try {
        above = above(Path.of(code.getLocation().toURI()));
      } catch (URISyntaxException e) {
        above = Optional.empty(); // a class path that is no folder: look elsewhere
      }
    }
    return above.or(() -> above(start));
  }

  private static Optional<Path> above(Path start) {
    for (Path folder = start; folder != null; folder = folder.getParent()) {
      if (Files.isRegularFile(folder.resolve("quern"))
          && Files.isDirectory(folder.resolve("datasets"))) {
        return Optional.of(folder);
      }
    }
    return Optional.empty();
  }

  /**
   * The commit as git describes it, {@code -dirty} if files differ; {@code unknown} without git.
   */
  public static String describe() {
    return projectFolder().map(SourceCommit::describe).orElse(UNKNOWN);
  }

  private static String describe(Path folder) {
    try {
      Process git =
          new ProcessBuilder(
                  "git", "-C", folder.toString(), "describe", "--always", "--dirty", "--abbrev=12")
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      String text = new String(git.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      boolean done = git.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS) && git.exitValue() == 0;
      return done && !text.isBlank() ? text.strip() : UNKNOWN;
    } catch (IOException e) {
      return UNKNOWN; // git is not installed
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return UNKNOWN;
    }
  }
}
