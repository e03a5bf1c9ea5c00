package dev.quern.format.gguf;

import dev.quern.format.FileCursor;
import dev.quern.format.FormatException;
import dev.quern.format.TensorInfo;
import dev.quern.format.gguf.GgufValue.Whole;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Table of contents of one GGUF file: metadata and tensors. No tensor data is read here.
 *
 * <p>Layout, little-endian: magic, version (u32), number of tensors (u64), number of key-value
 * pairs (u64), the pairs, the table of tensors, padding to the alignment, data. Source:
 * github.com/ggml-org/ggml, {@code docs/gguf.md}; what is refused follows the reference reader,
 * {@code src/gguf.cpp}.
 *
 * @param fileBytes length of the file when it was read
 * @param values metadata in file order
 * @param tensors in file order, each beginning at the first aligned byte after the one before it
 */
record GgufIndex(
    Path file, long fileBytes, Map<String, GgufValue> values, List<GgufTensor> tensors) {
  static final int MAGIC = 0x46554747; // "GGUF"
  static final String ALIGNMENT = "general.alignment";

  static final int DEFAULT_ALIGNMENT = 32;
  private static final int MAX_KEY_BYTES = 65535;
  static final int MAX_NAME_BYTES = 63; // GGML_MAX_NAME, less its closing zero
  static final int MAX_DIMENSIONS = 4;
  private static final int LEAST_PAIR_BYTES = 8 + 1 + 4 + 1;
  private static final int LEAST_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8;

  /**
   * @throws FormatException if the file is no GGUF, contradicts itself or its length
   */
  static GgufIndex read(Path file) throws IOException {
    try (FileCursor in = FileCursor.open(file)) {
      return new Reader(file, in).read();
    }
  }

  /** A line of the table before its offset is placed in the file. */
  private record Entry(String name, GgufType type, List<Long> shape, long bytes, long offset) {}

  private static final class Reader {
    private final Path file;
    private final FileCursor in;

    Reader(Path file, FileCursor in) {
      this.file = file;
      this.in = in;
    }

    GgufIndex read() throws IOException {
      readMagicAndVersion();
      long numTensors = readCount("number of tensors", LEAST_TENSOR_BYTES);
      long numPairs = readCount("number of key-value pairs", LEAST_PAIR_BYTES);
      Map<String, GgufValue> values = new LinkedHashMap<>();
      GgufValueReader valueReader = new GgufValueReader(in);
      for (long i = 0; i < numPairs; i++) {
        long at = in.position();
        String key = readName("key", MAX_KEY_BYTES);
        if (values.containsKey(key)) {
          throw in.failure(at, "key", "each once", "'" + key + "' again", "");
        }
        values.put(key, valueReader.read(key));
      }
      long alignment = alignment(values);
      List<Entry> entries = readTable(numTensors);
      List<GgufTensor> tensors = place(entries, alignment);
      return new GgufIndex(file, in.fileBytes(), values, tensors);
    }

    private void readMagicAndVersion() throws IOException {
      int magic = in.readInt();
      if (magic != MAGIC) {
        throw in.failure(
            0, "magic", hex(MAGIC) + " (GGUF)", hex(magic), "Is it a GGUF file, fully downloaded?");
      }
      int version = in.readInt();
      if ((version & 0xFFFF) == 0 && version != 0) {
        throw in.failure(
            4,
            "byte order",
            "little-endian",
            "big-endian, version " + Integer.toUnsignedString(Integer.reverseBytes(version)),
            "Take the little-endian file of this model.");
      }
      if (version != 2 && version != 3) {
        String advice = "";
        if (version == 1) {
          advice = "Version 1 is obsolete: convert the model anew.";
        } else if (version > 3) {
          advice = "The file is newer than this reader.";
        }
        throw in.failure(4, "version", "2 or 3", Integer.toUnsignedString(version), advice);
      }
    }

    private long readCount(String what, int leastBytes) throws IOException {
      long at = in.position();
      long count = in.readLong();
      long most = in.remaining() / leastBytes;
      if (count < 0 || count > most) {
        throw in.failure(
            at,
            what,
            "0 to " + most + ", for which the file is long enough",
            Long.toUnsignedString(count),
            "Is the download complete?");
      }
      return count;
    }

    private String readName(String what, int maxBytes) throws IOException {
      long at = in.position();
      long bytes = in.readLong();
      long most = Math.min(maxBytes, in.remaining());
      if (bytes < 1 || bytes > most) {
        throw in.failure(
            at, "length of a " + what, "1 to " + most, Long.toUnsignedString(bytes), "");
      }
      byte[] name = in.readBytes((int) bytes);
      try {
        return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(name)).toString();
      } catch (CharacterCodingException e) {
        String found = new String(name, StandardCharsets.ISO_8859_1);
        throw in.failure(at, what, "UTF-8", found, "");
      }
    }

    private long alignment(Map<String, GgufValue> values) throws FormatException {
      GgufValue value = values.get(ALIGNMENT);
      if (value == null) {
        return DEFAULT_ALIGNMENT;
      }
      if (value instanceof Whole(GgufValueType type, long alignment)
          && type == GgufValueType.UINT32
          && Long.bitCount(alignment) == 1) {
        return alignment;
      }
      throw FormatException.of(
          file, "key '" + ALIGNMENT + "'", "value", "uint32, a power of two", value.describe(), "");
    }

    private List<Entry> readTable(long numTensors) throws IOException {
      List<Entry> entries = new ArrayList<>();
      Map<String, Long> indices = new HashMap<>();
      for (long i = 0; i < numTensors; i++) {
        long at = in.position();
        String name = readName("tensor name", MAX_NAME_BYTES);
        Long before = indices.putIfAbsent(name, i);
        if (before != null) {
          throw in.failure(
              at, "tensor " + i, "a name of its own", "'" + name + "', as tensor " + before, "");
        }
        entries.add(readEntry(name));
      }
      return entries;
    }

    private Entry readEntry(String name) throws IOException {
      String place = place(name);
      int dimensions = in.readInt();
      if (dimensions < 1 || dimensions > MAX_DIMENSIONS) {
        throw failure(
            place,
            "number of dimensions",
            "1 to " + MAX_DIMENSIONS,
            Integer.toUnsignedString(dimensions));
      }
      List<Long> innermostFirst = new ArrayList<>();
      for (int i = 0; i < dimensions; i++) {
        long size = in.readLong();
        if (size < 0) {
          throw failure(
              place, "dimension " + i, "0 to " + Long.MAX_VALUE, Long.toUnsignedString(size));
        }
        innermostFirst.add(size);
      }
      GgufType type = readType(place);
      if (innermostFirst.getFirst() % type.blockElements() != 0) {
        throw failure(
            place,
            "elements in a row",
            "a multiple of " + type.blockElements() + " (" + type + ")",
            innermostFirst.getFirst());
      }
      long bytes;
      try {
        bytes = type.bytes(TensorInfo.elements(innermostFirst));
      } catch (ArithmeticException e) {
        throw failure(
            place, "size", "bytes that fit 63 bits", type + " " + innermostFirst.reversed());
      }
      return new Entry(name, type, innermostFirst.reversed(), bytes, in.readLong());
    }

    private GgufType readType(String place) throws IOException {
      int id = in.readInt();
      return GgufType.ofId(id)
          .orElseThrow(() ->
              FormatException.of(
                  file,
                  place,
                  "type",
                  "one that this reader knows",
                  GgufType.isRemoved(id) ? id + ", which GGUF has dropped" : id,
                  GgufType.isRemoved(id) ? "Convert the model anew." : ""));
    }

    /** Checks the offsets, which count from the start of the data. */
    private List<GgufTensor> place(List<Entry> entries, long alignment) throws FormatException {
      List<GgufTensor> tensors = new ArrayList<>();
      long dataStart = aligned(in.position(), alignment);
      long next = 0;
      for (Entry entry : entries) {
        String place = place(entry.name);
        String found = Long.toUnsignedString(entry.offset);
        if ((entry.offset & (alignment - 1)) != 0) {
          throw failure(place, "offset", "a multiple of " + alignment, found);
        }
        if (entry.offset != next) {
          throw failure(place, "offset", next + ", the end of the tensor before it", found);
        }
        long available = in.fileBytes() - dataStart - next; // may be negative
        if (entry.bytes > available) {
          throw FormatException.of(
              file,
              place,
              "file length",
              "at least " + dataStart + " + " + next + " + " + entry.bytes,
              in.fileBytes(),
              "Is the download complete?");
        }
        tensors.add(
            new GgufTensor(
                entry.name, entry.type, entry.shape, file, dataStart + next, entry.bytes));
        next = aligned(next + entry.bytes, alignment);
      }
      return List.copyOf(tensors);
    }

    private static long aligned(long offset, long alignment) {
      return offset + (-offset & (alignment - 1));
    }

    private static String place(String name) {
      return "tensor '" + FormatException.quote(name) + "'";
    }

    private static String hex(int value) {
      return "0x%08X".formatted(value);
    }

    private FormatException failure(String place, String what, Object expected, Object found) {
      return FormatException.of(file, place, what, expected, found, "");
    }
  }
}
