package dev.quern.bench.report;

import dev.quern.format.AtomicFile;
import dev.quern.format.FormatException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** {@code results.json}: a {@link Results} as JSON, its record components as property names. */
public final class ResultsFile {
  public static final String NAME = "results.json";
  private static final long MAX_BYTES = 64L << 20; // a few hundred variants
  private static final int MAX_DEPTH = 16;

  private static final JsonMapper MAPPER =
      JsonMapper.builder(
              JsonFactory.builder()
                  .streamReadConstraints(
                      StreamReadConstraints.builder()
                          .maxNestingDepth(MAX_DEPTH)
                          .maxDocumentLength(MAX_BYTES)
                          .build())
                  .build())
          .enable(SerializationFeature.INDENT_OUTPUT)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES) // of a later version
          .build();

  private ResultsFile() {}

  public static void write(Results results, Path file) throws IOException {
    Files.createDirectories(file.toAbsolutePath().getParent());
    AtomicFile.writeText(file, MAPPER.writeValueAsString(results) + "\n");
  }

  /** What lossy shortcuts cost, for others to read. */
  public static void write(LossyResults results, Path file) throws IOException {
    Files.createDirectories(file.toAbsolutePath().getParent());
    AtomicFile.writeText(file, MAPPER.writeValueAsString(results) + "\n");
  }

  /**
   * @throws FormatException if it is not the JSON of {@link Results}
   */
  public static Results read(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw FormatException.of(
          file, "the path", "results", "a file", "none", "Run quern evaluate first");
    }
    if (Files.size(file) > MAX_BYTES) {
      throw FormatException.of(
          file, "the file", "size in bytes", "at most " + MAX_BYTES, Files.size(file), "");
    }
    try {
      return MAPPER.readValue(Files.readString(file), Results.class);
    } catch (JacksonException | CharacterCodingException e) {
      String place =
          e instanceof JacksonException json && json.getLocation() != null
              ? "line " + json.getLocation().getLineNr()
              : "the file";
      String found =
          e instanceof JacksonException json ? json.getOriginalMessage() : "bytes not in UTF-8";
      throw new FormatException(
          FormatException.of(
                  file,
                  place,
                  "content",
                  "results of quern evaluate",
                  found,
                  "Run quern evaluate again")
              .getMessage(),
          e);
    }
  }
}
