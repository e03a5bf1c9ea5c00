package dev.quern.format.gguf;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Metadata to be written, in the order in which it is given. */
public final class GgufPairs {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final Set<String> keys = new HashSet<>();

  int count() {
    return keys.size();
  }

  byte[] bytes() {
    return bytes.toByteArray();
  }

  public GgufPairs text(String key, String value) {
    begin(key, GgufValueType.STRING);
    bytes.writeBytes(string(value));
    return this;
  }

  /**
   * As uint32, the type of most of llama.cpp's keys.
   *
   * @throws IllegalArgumentException if it is negative
   */
  public GgufPairs whole(String key, int value) {
    if (value < 0) {
      throw new IllegalArgumentException(key + " is " + value + ", negative");
    }
    begin(key, GgufValueType.UINT32);
    integer(value);
    return this;
  }

  /** As float32. */
  public GgufPairs real(String key, float value) {
    begin(key, GgufValueType.FLOAT32);
    integer(Float.floatToRawIntBits(value));
    return this;
  }

  public GgufPairs flag(String key, boolean value) {
    begin(key, GgufValueType.BOOL);
    bytes.write(value ? 1 : 0);
    return this;
  }

  public GgufPairs texts(String key, List<String> values) {
    array(key, GgufValueType.STRING, values.size());
    for (String value : values) {
      bytes.writeBytes(string(value));
    }
    return this;
  }

  /** An array of int32. */
  public GgufPairs wholes(String key, List<Integer> values) {
    array(key, GgufValueType.INT32, values.size());
    values.forEach(this::integer);
    return this;
  }

  private void begin(String key, GgufValueType type) {
    if (!keys.add(key)) {
      throw new IllegalArgumentException("key given twice: " + key);
    }
    bytes.writeBytes(string(key));
    integer(type.ordinal());
  }

  private void array(String key, GgufValueType element, int size) {
    begin(key, GgufValueType.ARRAY);
    integer(element.ordinal());
    bytes.writeBytes(little(Long.BYTES).putLong(size).array());
  }

  private void integer(int value) {
    bytes.writeBytes(little(Integer.BYTES).putInt(value).array());
  }

  /** Length (u64), then UTF-8. */
  static byte[] string(String value) {
    byte[] text = value.getBytes(StandardCharsets.UTF_8);
    return little(Long.BYTES + text.length).putLong(text.length).put(text).array();
  }

  static ByteBuffer little(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }
}
