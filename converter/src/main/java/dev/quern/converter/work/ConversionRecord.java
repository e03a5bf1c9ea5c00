package dev.quern.converter.work;

import dev.quern.format.AtomicFile;
import dev.quern.format.FormatException;
import dev.quern.format.Json;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What decides the bytes of a pack: source and options. Equal records make equal packs. Kept as
 * {@link #PLAN_NAME} while a conversion runs and as {@link #NAME} in the finished pack.
 *
 * @param source name of the model's folder
 * @param fingerprint of its configuration, headers and samples of its weights
 * @param options by their names on the command line
 */
public record ConversionRecord(
    String source, String fingerprint, SortedMap<String, String> options) {
  /** In an unfinished pack. */
  public static final String PLAN_NAME = "convert-plan.json";

  /** In a finished pack. */
  public static final String NAME = "conversion.json";

  private static final long MAX_BYTES = 1 << 20;

  public ConversionRecord {
    options = Collections.unmodifiableSortedMap(new TreeMap<>(options));
  }

  /**
   * @throws FormatException if it is damaged
   */
  static ConversionRecord read(Path file) throws IOException {
    JsonNode root = Json.read(file, MAX_BYTES);
    SortedMap<String, String> options = new TreeMap<>();
    for (Map.Entry<String, JsonNode> entry : root.path("options").properties()) {
      options.put(entry.getKey(), entry.getValue().asString());
    }
    JsonNode source = root.path("source");
    JsonNode fingerprint = root.path("fingerprint");
    if (!source.isString() || !fingerprint.isString() || options.isEmpty()) {
      throw FormatException.of(
          file, "top level", "record", "source, fingerprint, options", root.getNodeType(), "");
    }
    return new ConversionRecord(source.asString(), fingerprint.asString(), options);
  }

  void write(Path file) throws IOException {
    ObjectNode root = Json.mapper().createObjectNode();
    root.put("source", source);
    root.put("fingerprint", fingerprint);
    ObjectNode values = root.putObject("options");
    options.forEach(values::put);
    AtomicFile.writeText(
        file, Json.mapper().writerWithDefaultPrettyPrinter().writeValueAsString(root) + "\n");
  }

  /** What differs, such as {@code --bits (3 there, 4 now)}; empty if nothing does. */
  List<String> differences(ConversionRecord now) {
    List<String> differences = new ArrayList<>();
    if (!fingerprint.equals(now.fingerprint)) {
      differences.add(
          source.equals(now.source)
              ? "the model's configuration or weights"
              : "the model (%s there, %s now)".formatted(source, now.source));
    }
    TreeSet<String> names = new TreeSet<>(options.keySet());
    names.addAll(now.options.keySet());
    for (String name : names) {
      String there = options.getOrDefault(name, "");
      String here = now.options.getOrDefault(name, "");
      if (!there.equals(here)) {
        differences.add("%s (%s there, %s now)".formatted(name, shown(there), shown(here)));
      }
    }
    return differences;
  }

  private static String shown(String value) {
    return value.isEmpty() ? "none" : value;
  }
}
