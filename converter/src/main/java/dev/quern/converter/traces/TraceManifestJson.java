package dev.quern.converter.traces;

import dev.quern.converter.traces.TraceManifest.Count;
import dev.quern.converter.traces.TraceManifest.Dataset;
import dev.quern.converter.traces.TraceManifest.Model;
import dev.quern.format.AtomicFile;
import dev.quern.format.FormatException;
import dev.quern.format.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** The text of a {@link TraceManifest}. */
final class TraceManifestJson {
  private static final String FORMAT = "quern-traces";
  private static final long MAX_BYTES = 16 << 20;

  private final Path file;

  private TraceManifestJson(Path file) {
    this.file = file;
  }

  static void write(TraceManifest manifest, Path file) throws IOException {
    ObjectNode root = Json.mapper().createObjectNode();
    root.put("format", FORMAT).put("formatVersion", TraceManifest.FORMAT_VERSION);
    Model model = manifest.model();
    root.putObject("model")
        .put("name", model.name())
        .put("fingerprint", model.fingerprint())
        .put("modelType", model.modelType())
        .put("numLayers", model.numLayers())
        .put("vocabSize", model.vocabSize());
    Dataset dataset = manifest.dataset();
    root.putObject("dataset")
        .put("name", dataset.name())
        .put("sha256", dataset.sha256())
        .put("documents", dataset.documents());
    TraceShape shape = manifest.shape();
    ArrayNode layers = root.putArray("layers");
    shape.layers().forEach(layers::add);
    root.put("hiddenSize", shape.hiddenSize())
        .put("numExperts", shape.numExperts())
        .put("topK", shape.topK());
    ArrayNode columns = root.putArray("columns");
    shape.columns().forEach(column -> columns.add(column.label()));
    root.put("endToken", manifest.endToken())
        .put("window", manifest.window())
        .put("continuous", manifest.continuous());
    ObjectNode rule = root.putObject("split");
    switch (manifest.rule()) {
      case SplitRule.Whole(Split split) -> rule.put("whole", split.label());
      case SplitRule.Shares(List<Double> shares, long seed) -> {
        ArrayNode values = rule.putArray("shares");
        shares.forEach(values::add);
        rule.put("seed", seed);
      }
    }
    ObjectNode counts = root.putObject("counts");
    manifest
        .counts()
        .forEach((split, count) ->
            counts
                .putObject(split.label())
                .put("documents", count.documents())
                .put("windows", count.windows())
                .put("tokens", count.tokens())
                .put("parts", count.parts()));
    AtomicFile.writeText(
        file, Json.mapper().writerWithDefaultPrettyPrinter().writeValueAsString(root) + "\n");
  }

  static TraceManifest read(Path folder) throws IOException {
    Path file = folder.resolve(TraceManifest.NAME);
    if (!Files.isRegularFile(file)) {
      throw new FormatException(
          "%s: no %s, so no complete traces. Make them with quern collect-traces"
              .formatted(folder, TraceManifest.NAME));
    }
    return new TraceManifestJson(file).parse(Json.read(file, MAX_BYTES));
  }

  private TraceManifest parse(JsonNode root) throws FormatException {
    String format = text(root, "format");
    if (!format.equals(FORMAT)) {
      throw wrong("format", FORMAT, format, "Is it a folder of traces?");
    }
    int version = integer(root, "formatVersion");
    if (version != TraceManifest.FORMAT_VERSION) {
      throw wrong(
          "formatVersion",
          TraceManifest.FORMAT_VERSION,
          version,
          version > TraceManifest.FORMAT_VERSION
              ? "It was made by a newer quern: use that one"
              : "It was made by an older quern: collect the traces again");
    }
    try {
      return new TraceManifest(
          model(object(root, "model")),
          dataset(object(root, "dataset")),
          shape(root),
          text(root, "endToken"),
          integer(root, "window"),
          bool(root, "continuous"),
          rule(object(root, "split")),
          counts(object(root, "counts")));
    } catch (IllegalArgumentException e) {
      throw new FormatException(file + ": " + FormatException.quote(e.getMessage()), e);
    }
  }

  private Model model(JsonNode node) throws FormatException {
    return new Model(
        text(node, "name"),
        text(node, "fingerprint"),
        text(node, "modelType"),
        integer(node, "numLayers"),
        integer(node, "vocabSize"));
  }

  private Dataset dataset(JsonNode node) throws FormatException {
    return new Dataset(text(node, "name"), text(node, "sha256"), integer(node, "documents"));
  }

  private TraceShape shape(JsonNode root) throws FormatException {
    List<Integer> layers = new ArrayList<>();
    for (JsonNode layer : array(root, "layers")) {
      layers.add(integer("layers", layer));
    }
    EnumSet<TraceColumn> columns = EnumSet.noneOf(TraceColumn.class);
    for (JsonNode column : array(root, "columns")) {
      columns.add(TraceColumn.of(column.asString("")));
    }
    if (!columns.containsAll(TraceColumn.ROUTING)) {
      throw wrong("columns", "all of " + TraceColumn.ROUTING, columns, "");
    }
    return new TraceShape(
        layers,
        integer(root, "hiddenSize"),
        integer(root, "numExperts"),
        integer(root, "topK"),
        columns);
  }

  private SplitRule rule(JsonNode node) throws FormatException {
    if (node.has("whole")) {
      return new SplitRule.Whole(Split.of(text(node, "whole")));
    }
    List<Double> shares = new ArrayList<>();
    for (JsonNode share : array(node, "shares")) {
      shares.add(share.asDouble(Double.NaN));
    }
    return new SplitRule.Shares(shares, number(node, "seed"));
  }

  private Map<Split, Count> counts(JsonNode node) throws FormatException {
    Map<Split, Count> counts = new EnumMap<>(Split.class);
    for (Map.Entry<String, JsonNode> entry : node.properties()) {
      JsonNode count = entry.getValue();
      counts.put(
          Split.of(entry.getKey()),
          new Count(
              integer(count, "documents"),
              number(count, "windows"),
              number(count, "tokens"),
              integer(count, "parts")));
    }
    return counts;
  }

  private JsonNode object(JsonNode node, String key) throws FormatException {
    JsonNode value = node.path(key);
    if (!value.isObject()) {
      throw wrong(key, "an object", value, "");
    }
    return value;
  }

  private JsonNode array(JsonNode node, String key) throws FormatException {
    JsonNode value = node.path(key);
    if (!value.isArray()) {
      throw wrong(key, "a list", value, "");
    }
    return value;
  }

  private String text(JsonNode node, String key) throws FormatException {
    JsonNode value = node.path(key);
    if (!value.isString()) {
      throw wrong(key, "text", value, "");
    }
    return value.stringValue();
  }

  private boolean bool(JsonNode node, String key) throws FormatException {
    JsonNode value = node.path(key);
    if (!value.isBoolean()) {
      throw wrong(key, "true or false", value, "");
    }
    return value.booleanValue();
  }

  private int integer(JsonNode node, String key) throws FormatException {
    return integer(key, node.path(key));
  }

  private int integer(String key, JsonNode value) throws FormatException {
    if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < 0) {
      throw wrong(key, "a whole number from 0 on", value, "");
    }
    return value.intValue();
  }

  private long number(JsonNode node, String key) throws FormatException {
    JsonNode value = node.path(key);
    if (!value.isIntegralNumber() || !value.canConvertToLong()) {
      throw wrong(key, "a whole number", value, "");
    }
    return value.longValue();
  }

  private FormatException wrong(String key, Object expected, Object found, String advice) {
    return FormatException.of(file, "'" + key + "'", "value", expected, found, advice);
  }
}
