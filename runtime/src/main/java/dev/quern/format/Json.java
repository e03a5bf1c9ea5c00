package dev.quern.format;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.util.DefaultIndenter;
import tools.jackson.core.util.DefaultPrettyPrinter;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * JSON from strangers: bounded nesting, numbers and strings, no duplicate keys, nothing after the
 * end.
 */
public final class Json {
  private static final int MAX_NESTING = 64;
  private static final int MAX_NUMBER_CHARACTERS = 100;
  private static final int MAX_STRING_CHARACTERS = 16 << 20;

  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(MAX_NESTING)
                  .maxNumberLength(MAX_NUMBER_CHARACTERS)
                  .maxStringLength(MAX_STRING_CHARACTERS)
                  .build())
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .build();

  private static final JsonMapper MAPPER =
      JsonMapper.builder(FACTORY)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
          .build();

  private Json() {}

  /** For building trees; reading goes through {@link #read}. */
  public static JsonMapper mapper() {
    return MAPPER;
  }

  /**
   * A whole JSON file as a tree.
   *
   * @param maxBytes refused before anything is allocated if the file is longer
   */
  public static JsonNode read(Path file, long maxBytes) throws IOException {
    return parse(file, readBytes(file, maxBytes));
  }

  /** Refuses a file longer than maxBytes before anything is allocated. */
  public static byte[] readBytes(Path file, long maxBytes) throws IOException {
    long bytes = Files.size(file);
    if (bytes > maxBytes) {
      throw FormatException.of(file, "byte 0", "file length", "at most " + maxBytes, bytes, "");
    }
    return Files.readAllBytes(file);
  }

  /**
   * @param file only named in messages
   */
  public static JsonNode parse(Path file, byte[] json) throws FormatException {
    try {
      return MAPPER.readTree(json);
    } catch (JacksonException e) {
      throw invalid(file, 0, e);
    } catch (NumberFormatException e) { // the library's answer to an exponent beyond its limits
      throw new FormatException(
          file.getFileName() + ": JSON: " + FormatException.quote(e.getMessage()), e);
    }
  }

  /** A parser with the same limits, for files whose tree would be large. */
  public static JsonParser parser(byte[] json) {
    return FACTORY.createParser(ObjectReadContext.empty(), json);
  }

  /**
   * @param start of the JSON text in the file
   */
  public static FormatException invalid(Path file, long start, JacksonException e) {
    long at = e.getLocation() == null ? -1 : e.getLocation().getByteOffset();
    return new FormatException(
        "%s, byte %d: JSON: %s"
            .formatted(
                file.getFileName(),
                start + Math.max(at, 0),
                FormatException.quote(plain(e.getOriginalMessage()))),
        e);
  }

  /** Without the library's remarks about its own settings. */
  private static String plain(String message) {
    return message.replaceAll(" \\(for \\w+ starting at .*\\)", "");
  }

  /** Indented by two spaces, lines ended by \n on every system, keys in the order of the tree. */
  public static String pretty(JsonNode tree) {
    DefaultIndenter indenter = new DefaultIndenter("  ", "\n");
    DefaultPrettyPrinter printer = new DefaultPrettyPrinter().withObjectIndenter(indenter);
    return MAPPER.writer().with(printer).writeValueAsString(tree) + "\n";
  }
}
