package dev.quern.peers;

import java.nio.file.Path;

/**
 * The options of llama-bench that matter here: one test of one model.
 *
 * @param prompt {@code -p}: tokens read at once; 0 if tokens are generated
 * @param generated {@code -n}: tokens read one by one; 0 if a prompt is read
 * @param depth {@code -d}: tokens in the context before
 * @param repetitions {@code -r}
 */
record BenchArguments(
    Path model, int prompt, int generated, int depth, int threads, int repetitions) {
  BenchArguments {
    if ((prompt == 0) == (generated == 0)) {
      throw new IllegalArgumentException(
          "expected one of -p and -n above 0, found %d and %d".formatted(prompt, generated));
    }
    if (prompt < 0 || generated < 0 || depth < 0 || threads < 1 || repetitions < 1) {
      throw new IllegalArgumentException(
          "expected counts, found -p %d -n %d -d %d -t %d -r %d"
              .formatted(prompt, generated, depth, threads, repetitions));
    }
    Math.addExact(depth, Math.addExact(prompt, generated));
  }

  /**
   * @throws IllegalArgumentException in one line, if an option is unknown, or lacks its value
   */
  static BenchArguments parse(String... arguments) {
    String model = null;
    int prompt = 0;
    int generated = 0;
    int depth = 0;
    int threads = 1;
    int repetitions = 1;
    for (int i = 0; i < arguments.length; i += 2) {
      String option = arguments[i];
      if (i + 1 == arguments.length) {
        throw new IllegalArgumentException(option + ": expected a value after it");
      }
      String value = arguments[i + 1];
      switch (option) {
        case "-m" -> model = value;
        case "-p" -> prompt = number(option, value);
        case "-n" -> generated = number(option, value);
        case "-d" -> depth = number(option, value);
        case "-t" -> threads = number(option, value);
        case "-r" -> repetitions = number(option, value);
        case "-o" -> {
          if (!value.equals("json")) {
            throw new IllegalArgumentException("-o: expected json, found " + value);
          }
        }
        default ->
            throw new IllegalArgumentException(
                "expected -m, -p, -n, -d, -t, -r or -o, found " + option);
      }
    }
    if (model == null) {
      throw new IllegalArgumentException("expected -m MODEL");
    }
    return new BenchArguments(Path.of(model), prompt, generated, depth, threads, repetitions);
  }

  private static int number(String option, String value) {
    try {
      return Integer.parseInt(value);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(option + ": expected a number, found " + value, e);
    }
  }

  /** Positions that the context must have room for. */
  int positions() {
    return depth + prompt + generated;
  }
}
