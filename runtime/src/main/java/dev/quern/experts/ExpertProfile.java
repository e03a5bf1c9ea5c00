package dev.quern.experts;

import dev.quern.format.AtomicFile;
import dev.quern.format.FormatException;
import dev.quern.format.Json;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * How often each expert of a model was used on some text.
 *
 * <p>As JSON: {@code {"format": "quern-expert-profile", "formatVersion": 1, "numLayers": 6,
 * "numExperts": 32, "tokens": 4096, "counts": [[…], …]}} with one list per layer.
 */
public final class ExpertProfile {
  private static final String FORMAT = "quern-expert-profile";
  private static final int FORMAT_VERSION = 1;
  private static final long MAX_BYTES = 64L << 20;
  private static final int MAX_LAYERS = 10_000;
  private static final int MAX_EXPERTS = 100_000;
  private static final long MAX_COUNT = 1L << 53; // any JSON reader keeps it

  private final int numLayers;
  private final int numExperts;
  private final long tokens;
  private final long[] counts; // [numLayers, numExperts]

  /**
   * @param tokens that passed the model
   * @param counts [numLayers, numExperts], tokens that used each expert; 0 in layers without
   */
  public ExpertProfile(int numLayers, int numExperts, long tokens, long[] counts) {
    if (numLayers < 1
        || numExperts < 1
        || counts.length != Math.multiplyExact(numLayers, numExperts)
        || tokens < 0
        || Arrays.stream(counts).anyMatch(count -> count < 0 || count > tokens)) {
      throw new IllegalArgumentException(
          "profile of %d layers, %d experts, %d tokens: %d counts"
              .formatted(numLayers, numExperts, tokens, counts.length));
    }
    this.numLayers = numLayers;
    this.numExperts = numExperts;
    this.tokens = tokens;
    this.counts = counts.clone();
  }

  public int numLayers() {
    return numLayers;
  }

  public int numExperts() {
    return numExperts;
  }

  /** That passed the model. */
  public long tokens() {
    return tokens;
  }

  /** Tokens that used an expert. */
  public long uses(int layer, int expert) {
    return counts[layer * numExperts + expert];
  }

  /**
   * The experts used most, all layers together, as keys of {@link CacheShape}; hottest first, of
   * equals the lowest key. Those that were never used are left out.
   *
   * @param n at most
   */
  public int[] hottest(int n) {
    return IntStream.range(0, counts.length)
        .filter(key -> counts[key] > 0)
        .boxed()
        .sorted((a, b) -> Long.compare(counts[b], counts[a])) // stable
        .mapToInt(Integer::intValue)
        .limit(n)
        .toArray();
  }

  /**
   * @throws IllegalArgumentException if the profile is of a model of another shape
   */
  void check(CacheShape shape) {
    if (shape.numLayers() != numLayers || shape.numExperts() != numExperts) {
      throw new IllegalArgumentException(
          "profile of %d layers of %d experts for a model of %d layers of %d"
              .formatted(numLayers, numExperts, shape.numLayers(), shape.numExperts()));
    }
  }

  /** Writes the profile; a file that was there is replaced. */
  public void save(Path file) throws IOException {
    ObjectNode root = Json.mapper().createObjectNode();
    root.put("format", FORMAT).put("formatVersion", FORMAT_VERSION);
    root.put("numLayers", numLayers).put("numExperts", numExperts).put("tokens", tokens);
    ArrayNode layers = root.putArray("counts");
    for (int layer = 0; layer < numLayers; layer++) {
      ArrayNode list = layers.addArray();
      for (int expert = 0; expert < numExperts; expert++) {
        list.add(uses(layer, expert));
      }
    }
    AtomicFile.writeText(file, Json.pretty(root));
  }

  /**
   * Reads a profile.
   *
   * @throws FormatException if the file is no profile
   */
  public static ExpertProfile load(Path file) throws IOException {
    return new Reader(file).profile(Json.read(file, MAX_BYTES));
  }

  /**
   * Reads a profile of a certain model.
   *
   * @param shape of that model; its capacity does not matter
   * @throws FormatException if the file is no profile, or one of a model of another shape
   */
  public static ExpertProfile load(Path file, CacheShape shape) throws IOException {
    ExpertProfile profile = load(file);
    if (profile.numLayers != shape.numLayers() || profile.numExperts != shape.numExperts()) {
      throw FormatException.of(
          file,
          "the profile",
          "numLayers and numExperts",
          shape.numLayers() + " layers of " + shape.numExperts(),
          profile.numLayers + " layers of " + profile.numExperts,
          "The profile was saved with another model.");
    }
    return profile;
  }

  /** Counts uses while a model runs. */
  public static final class Recorder implements RoutingObserver {
    private final int numLayers;
    private final int numExperts;
    private final long[] counts;
    private final long[] tokens; // per layer

    /**
     * @throws IllegalArgumentException if the model has no experts
     */
    public Recorder(int numLayers, int numExperts) {
      if (numExperts < 1) {
        throw new IllegalArgumentException("profile: the model has no experts to count");
      }
      this.numLayers = numLayers;
      this.numExperts = numExperts;
      counts = new long[Math.multiplyExact(numLayers, numExperts)];
      tokens = new long[numLayers];
    }

    @Override
    public void routed(RoutedTokens routed) {
      int[] experts = routed.experts();
      int base = routed.layer() * numExperts;
      for (int i = 0; i < routed.tokens() * routed.topK(); i++) {
        if (experts[i] >= 0) { // −1: dropped
          counts[base + experts[i]]++;
        }
      }
      tokens[routed.layer()] += routed.tokens();
    }

    /** What has been counted so far. */
    public ExpertProfile profile() {
      return new ExpertProfile(
          numLayers, numExperts, Arrays.stream(tokens).max().orElse(0), counts);
    }
  }

  /** Checks what a file says. */
  private record Reader(Path file) {
    ExpertProfile profile(JsonNode root) throws FormatException {
      if (!root.isObject() || !FORMAT.equals(root.path("format").asString(""))) {
        throw failure("format", FORMAT, root.path("format"), "Is it saved by --profile?");
      }
      int version =
          (int) integer(root.path("formatVersion"), "formatVersion", 1, Integer.MAX_VALUE);
      if (version != FORMAT_VERSION) {
        throw failure(
            "formatVersion", FORMAT_VERSION, version, "The profile is too new: update quern.");
      }
      int layers = (int) integer(root.path("numLayers"), "numLayers", 1, MAX_LAYERS);
      int experts = (int) integer(root.path("numExperts"), "numExperts", 1, MAX_EXPERTS);
      long tokens = integer(root.path("tokens"), "tokens", 0, MAX_COUNT);
      JsonNode lists = list(root.path("counts"), "counts", layers);
      for (int layer = 0; layer < layers; layer++) { // before anything is allocated
        list(lists.get(layer), "counts of layer " + layer, experts);
      }
      long[] counts = new long[Math.multiplyExact(layers, experts)];
      for (int key = 0; key < counts.length; key++) {
        JsonNode count = lists.get(key / experts).get(key % experts);
        String what = "layer " + key / experts + ", expert " + key % experts;
        counts[key] = integer(count, what, 0, tokens);
      }
      return new ExpertProfile(layers, experts, tokens, counts);
    }

    private JsonNode list(JsonNode node, String what, int size) throws FormatException {
      if (!node.isArray() || node.size() != size) {
        Object found = node.isArray() ? node.size() + " entries" : node;
        throw failure(what, size + " entries", found, "");
      }
      return node;
    }

    private long integer(JsonNode node, String what, long min, long max) throws FormatException {
      if (!node.isIntegralNumber()
          || !node.canConvertToLong()
          || node.longValue() < min
          || node.longValue() > max) {
        throw failure(what, min + " to " + max, node, "");
      }
      return node.longValue();
    }

    private FormatException failure(String what, Object expected, Object found, String advice) {
      return FormatException.of(file, "the profile", what, expected, found, advice);
    }
  }
}
