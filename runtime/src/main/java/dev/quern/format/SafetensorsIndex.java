package dev.quern.format;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonParser.NumberType;
import tools.jackson.core.JsonToken;

/**
 * Table of contents of one safetensors file. No tensor data is read here.
 *
 * <p>Layout: header length N (u64, little-endian), N bytes of JSON, data to the end of the file.
 * Source: github.com/huggingface/safetensors, README, "Format".
 *
 * @param fileBytes length of the file when it was read
 * @param dataStart first byte of the data section, 8 + N
 * @param tensors in file order; together they cover the data section without gap or overlap
 * @param metadata the header's {@code __metadata__}
 */
public record SafetensorsIndex(
    Path file,
    long fileBytes,
    long dataStart,
    List<TensorInfo> tensors,
    Map<String, String> metadata) {
  static final int MAX_HEADER_BYTES = 100_000_000; // the limit of the reference reader
  static final String METADATA = "__metadata__";

  /**
   * @throws FormatException if the header contradicts itself or the length of the file
   */
  public static SafetensorsIndex read(Path file) throws IOException {
    try (FileCursor in = FileCursor.open(file)) {
      long headerBytes = in.readLong();
      long limit = Math.min(MAX_HEADER_BYTES, in.remaining());
      if (headerBytes < 2 || headerBytes > limit) { // before anything is allocated
        throw in.failure(
            0,
            "header length",
            "2 to " + limit,
            Long.toUnsignedString(headerBytes),
            "Is it safetensors, fully downloaded?");
      }
      byte[] header = in.readBytes((int) headerBytes);
      if (header[0] != '{') {
        throw in.failure(
            Long.BYTES,
            "header",
            "a JSON object beginning with '{'",
            "byte " + Byte.toUnsignedInt(header[0]),
            "Is it safetensors?");
      }
      long dataStart = in.position();
      try (JsonParser json = Json.parser(header)) {
        return new HeaderReader(file, in.fileBytes(), dataStart, json).read();
      } catch (JacksonException e) {
        throw Json.invalid(file, Long.BYTES, e);
      }
    }
  }

  /** One pass over the header's tokens: what is not expected is refused where it stands. */
  private static final class HeaderReader {
    private final Path file;
    private final long fileBytes;
    private final long dataStart;
    private final JsonParser json;
    private final List<TensorInfo> tensors = new ArrayList<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    HeaderReader(Path file, long fileBytes, long dataStart, JsonParser json) {
      this.file = file;
      this.fileBytes = fileBytes;
      this.dataStart = dataStart;
      this.json = json;
    }

    SafetensorsIndex read() throws FormatException {
      expect(JsonToken.START_OBJECT, "header", "a JSON object");
      while (json.nextToken() == JsonToken.PROPERTY_NAME) {
        String name = json.currentName();
        if (name.equals(METADATA)) {
          readMetadata();
        } else {
          tensors.add(readTensor(name));
        }
      }
      if (json.nextToken() != null) {
        throw failure("header", "after the closing brace", "spaces", json.currentToken(), "");
      }
      checkCoverage();
      return new SafetensorsIndex(
          file, fileBytes, dataStart, List.copyOf(tensors), Collections.unmodifiableMap(metadata));
    }

    private void readMetadata() throws FormatException {
      expect(JsonToken.START_OBJECT, METADATA, "a JSON object of strings");
      while (json.nextToken() == JsonToken.PROPERTY_NAME) {
        String key = json.currentName();
        expect(JsonToken.VALUE_STRING, METADATA + " '" + FormatException.quote(key) + "'", "text");
        metadata.put(key, json.getString());
      }
    }

    private TensorInfo readTensor(String name) throws FormatException {
      String place = "tensor '" + FormatException.quote(name) + "'";
      expect(JsonToken.START_OBJECT, place, "a JSON object");
      DType dtype = null;
      List<Long> shape = null;
      List<Long> offsets = null;
      while (json.nextToken() == JsonToken.PROPERTY_NAME) {
        switch (json.currentName()) {
          case "dtype" -> dtype = readDType(place);
          case "shape" -> shape = readLongs(place, "shape");
          case "data_offsets" -> offsets = readLongs(place, "data_offsets");
          default ->
              throw failure(place, "field", "dtype, shape, data_offsets", json.currentName(), "");
        }
      }
      if (dtype == null || shape == null || offsets == null) {
        String missing = dtype == null ? "dtype" : shape == null ? "shape" : "data_offsets";
        throw failure(place, "fields", "dtype, shape, data_offsets", "no " + missing, "");
      }
      return tensor(name, place, dtype, shape, offsets);
    }

    private DType readDType(String place) throws FormatException {
      expect(JsonToken.VALUE_STRING, place, "the name of a dtype");
      String name = json.getString();
      return DType.named(name)
          .orElseThrow(
              () -> failure(place, "dtype", "one of " + Arrays.toString(DType.values()), name, ""));
    }

    private List<Long> readLongs(String place, String what) throws FormatException {
      String expected = "an array of integers from 0 to " + Long.MAX_VALUE;
      if (json.nextToken() != JsonToken.START_ARRAY) {
        throw failure(place, what, expected, json.getString(), "");
      }
      List<Long> values = new ArrayList<>();
      while (json.nextToken() != JsonToken.END_ARRAY) {
        if (json.currentToken() != JsonToken.VALUE_NUMBER_INT
            || json.getNumberType() == NumberType.BIG_INTEGER
            || json.getLongValue() < 0) {
          throw failure(place, what, expected, json.getString(), "");
        }
        values.add(json.getLongValue());
      }
      return values;
    }

    private TensorInfo tensor(
        String name, String place, DType dtype, List<Long> shape, List<Long> offsets)
        throws FormatException {
      long dataBytes = fileBytes - dataStart;
      if (offsets.size() != 2
          || offsets.get(0) > offsets.get(1)
          || offsets.get(1) > dataBytes) { // the sums below cannot overflow
        throw failure(
            place,
            "data_offsets",
            "begin and end, ascending, up to " + dataBytes,
            offsets,
            "Is the download complete?");
      }
      long bytes = offsets.get(1) - offsets.get(0);
      long needed;
      try {
        needed = dtype.bytes(TensorInfo.elements(shape));
      } catch (ArithmeticException e) {
        throw failure(place, "shape", "whole bytes that fit a long", dtype + " " + shape, "");
      }
      if (needed != bytes) {
        String expected = needed + " bytes for " + dtype + " " + FormatException.quote(shape);
        throw failure(place, "data_offsets", expected, bytes, "");
      }
      return new TensorInfo(name, dtype, shape, file, dataStart + offsets.get(0), bytes);
    }

    /** Each tensor begins where the one before it ended, and the last ends with the file. */
    private void checkCoverage() throws FormatException {
      tensors.sort(
          Comparator.comparingLong(TensorInfo::offset).thenComparingLong(TensorInfo::bytes));
      long at = dataStart;
      for (TensorInfo tensor : tensors) {
        if (tensor.offset() != at) {
          throw failure(
              "tensor '" + FormatException.quote(tensor.name()) + "'",
              tensor.offset() < at ? "data_offsets overlap: begin" : "data_offsets gap: begin",
              at - dataStart,
              tensor.offset() - dataStart,
              "");
        }
        at += tensor.bytes();
      }
      if (at != fileBytes) {
        throw failure(
            "byte " + at, "end of the last tensor", fileBytes, at, "Is the download complete?");
      }
    }

    private void expect(JsonToken token, String place, String expected) throws FormatException {
      if (json.nextToken() != token) {
        String found = json.currentToken() == null ? "the end" : json.getString();
        throw failure(place, "value", expected, found, "");
      }
    }

    private FormatException failure(
        String place, String what, Object expected, Object found, String advice) {
      return FormatException.of(file, place, what, expected, found, advice);
    }
  }
}
