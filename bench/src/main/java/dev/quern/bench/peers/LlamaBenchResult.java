package dev.quern.bench.peers;

import dev.quern.bench.speed.SpeedTest;
import dev.quern.format.FormatException;
import dev.quern.format.Json;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;

/**
 * One test as llama-bench's {@code -o json} reports it; keys that are not named here are not read.
 *
 * @param build {@code build_commit}
 * @param depth {@code n_depth}; 0 where a version does not know it
 * @param samples tokens per second; the mean alone where a version does not list them
 */
record LlamaBenchResult(
    String build, int prompt, int generated, int depth, int threads, List<Double> samples) {

  private static final Pattern JSON_LINE = Pattern.compile("\\s*[\\[\\]{}\",]");

  LlamaBenchResult {
    samples = List.copyOf(samples);
  }

  /** Whether this is the result of a test. */
  boolean isOf(SpeedTest test) {
    boolean tokens =
        switch (test.kind()) {
          case PREFILL -> prompt == test.tokens() && generated == 0;
          case DECODE -> prompt == 0 && generated == test.tokens();
        };
    return tokens && depth == test.depth();
  }

  /**
   * Reads what the program wrote. Some versions write other lines before, within or after the
   * array, which begins and ends with a bracket on a line of its own and has a key per line.
   *
   * @param name of the peer, for messages
   * @throws FormatException if there is no array, or an element lacks a key
   */
  static List<LlamaBenchResult> parse(String name, String output) throws FormatException {
    List<String> lines = output.lines().toList();
    int first = lines.indexOf("[");
    int last = lines.lastIndexOf("]");
    if (first < 0 || last < first) {
      throw new FormatException(
          "%s: expected a JSON array from -o json, found %s. Is it a llama-bench?"
              .formatted(
                  name, output.isBlank() ? "nothing" : "'" + FormatException.quote(output) + "'"));
    }
    String array =
        lines.subList(first, last + 1).stream()
            .filter(line -> JSON_LINE.matcher(line).lookingAt())
            .collect(Collectors.joining("\n"));
    JsonNode root = Json.parse(Path.of(name + "'s output"), array.getBytes(StandardCharsets.UTF_8));
    List<LlamaBenchResult> results = new ArrayList<>();
    for (JsonNode element : root) {
      results.add(of(name, element));
    }
    return results;
  }

  private static LlamaBenchResult of(String name, JsonNode element) throws FormatException {
    return new LlamaBenchResult(
        element.path("build_commit").asString("unknown build"),
        integer(name, element, "n_prompt"),
        integer(name, element, "n_gen"),
        element.has("n_depth") ? integer(name, element, "n_depth") : 0,
        integer(name, element, "n_threads"),
        samples(name, element));
  }

  private static List<Double> samples(String name, JsonNode element) throws FormatException {
    JsonNode list = element.path("samples_ts");
    List<Double> samples = new ArrayList<>();
    if (list.isArray() && !list.isEmpty()) {
      for (JsonNode sample : list) {
        samples.add(rate(name, "samples_ts", sample));
      }
    } else {
      samples.add(rate(name, "avg_ts", element.path("avg_ts")));
    }
    return samples;
  }

  private static double rate(String name, String key, JsonNode value) throws FormatException {
    double rate = value.isNumber() ? value.asDouble() : Double.NaN;
    if (!(rate > 0) || Double.isInfinite(rate)) {
      throw wrong(name, key, "tokens per second", value);
    }
    return rate;
  }

  private static int integer(String name, JsonNode element, String key) throws FormatException {
    JsonNode value = element.path(key);
    if (!value.isInt() || value.asInt() < 0) {
      throw wrong(name, key, "a count", value);
    }
    return value.asInt();
  }

  private static FormatException wrong(String name, String key, String expected, JsonNode found) {
    return new FormatException(
        "%s: key '%s' of its JSON: expected %s, found %s"
            .formatted(
                name,
                key,
                expected,
                found.isMissingNode() ? "none" : FormatException.quote(found.toString())));
  }
}
