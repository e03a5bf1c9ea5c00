package dev.quern.peers;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import java.util.stream.Collectors;

/** Warms a peer up, runs a test some times and prints what llama-bench would. */
final class Bench {
  // A peer in Java is compiled while it runs: the rule by which quern's own warm-up ends, shorter
  // because it is paid in every process.
  private static final double FASTER = 1.03;
  private static final int SETTLED_RUNS = 3;
  private static final double MAX_WARM_SECONDS = 10;

  private Bench() {}

  /** Loads a model. */
  @FunctionalInterface
  interface Opener {
    Peer open(BenchArguments arguments) throws Exception;
  }

  /**
   * Does what a program does: prints JSON and ends with 0, or one line and ends with 1. The process
   * is ended, because peers leave threads behind.
   */
  static void main(String[] arguments, Opener opener) {
    try {
      BenchArguments test = BenchArguments.parse(arguments);
      Peer peer = opener.open(test);
      System.out.println(json(peer.build(), test, measure(peer, test)));
      System.out.flush();
      System.exit(0);
    } catch (Exception | LinkageError e) {
      System.err.println("\nerror: " + reason(e));
      System.err.flush();
      System.exit(1);
    }
  }

  /** Tokens per second of every repetition. */
  static List<Double> measure(Peer peer, BenchArguments test) {
    double best = 0;
    int settled = 0;
    for (double warm = 0; warm < MAX_WARM_SECONDS && settled < SETTLED_RUNS; settled++) {
      double seconds = run(peer, test);
      warm += seconds;
      if (1 / seconds > FASTER * best) {
        best = 1 / seconds;
        settled = 0;
      }
    }
    List<Double> rates = new ArrayList<>();
    for (int i = 0; i < test.repetitions(); i++) {
      rates.add((test.prompt() + test.generated()) / run(peer, test));
    }
    return rates;
  }

  private static double run(Peer peer, BenchArguments test) {
    return test.prompt() > 0
        ? peer.prefill(test.prompt(), test.depth())
        : peer.decode(test.generated(), test.depth());
  }

  /** An array with one object, as llama-bench's {@code -o json} has it; only the keys of a test. */
  static String json(String build, BenchArguments test, List<Double> rates) {
    String samples =
        rates.stream()
            .map(rate -> String.format(Locale.ROOT, "%.3f", rate))
            .collect(Collectors.joining(", "));
    return """
    [
      {
        "build_commit": "%s",
        "n_prompt": %d,
        "n_gen": %d,
        "n_depth": %d,
        "n_threads": %d,
        "samples_ts": [ %s ]
      }
    ]\
    """
        .formatted(build, test.prompt(), test.generated(), test.depth(), test.threads(), samples);
  }

  /** Of what reflection only wrapped, the cause. */
  static String reason(Throwable thrown) {
    Throwable cause = thrown;
    while (cause.getCause() != null
        && (cause.getMessage() == null || cause.getMessage().equals(cause.getCause().toString()))) {
      cause = cause.getCause();
    }
    String message = cause.getMessage();
    String line = message == null ? cause.getClass().getSimpleName() : message;
    return line.strip().replaceAll("\\s*\\R\\s*", " | ");
  }

  /** The version that Maven wrote into an artifact's jar. */
  static String version(Class<?> of, String artifact) throws IOException {
    String resource = "/META-INF/maven/" + artifact + "/pom.properties";
    try (InputStream in = of.getResourceAsStream(resource)) {
      Properties properties = new Properties();
      if (in != null) {
        properties.load(in);
      }
      return properties.getProperty("version", "unknown version");
    }
  }
}
