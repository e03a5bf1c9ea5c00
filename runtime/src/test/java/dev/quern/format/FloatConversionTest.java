package dev.quern.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class FloatConversionTest {
  private static final int GUARD = 3;

  /** Every code of a type, after one byte that makes it unaligned. */
  private static MemorySegment allCodes(DType dtype) {
    int codes = 1 << dtype.bits();
    ByteBuffer bytes =
        ByteBuffer.allocate(1 + codes * dtype.bits() / 8)
            .order(ByteOrder.LITTLE_ENDIAN)
            .put((byte) 0);
    for (int code = 0; code < codes; code++) {
      if (dtype.bits() == 8) {
        bytes.put((byte) code);
      } else {
        bytes.putShort((short) code);
      }
    }
    return MemorySegment.ofArray(bytes.array());
  }

  @ParameterizedTest
  @EnumSource(names = {"F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0", "I8", "U8", "I16", "U16"})
  void everyCodeEqualsTheDefinition(DType dtype) {
    MemorySegment src = allCodes(dtype);
    int n = 1 << dtype.bits();
    float[] actual = new float[n + 2 * GUARD];
    FloatConversion.toFloat(dtype, src, 1, actual, GUARD, n);
    for (int code = 0; code < n; code++) {
      float expected = FloatConversion.decode(dtype, src, 1 + dtype.bytes(code));
      // floatToIntBits: all NaN are equal, the zeros are not.
      assertEquals(
          Float.floatToIntBits(expected),
          Float.floatToIntBits(actual[GUARD + code]),
          dtype + " code " + Integer.toHexString(code) + ": " + expected);
    }
    for (int i = 0; i < GUARD; i++) {
      assertEquals(0f, actual[i]);
      assertEquals(0f, actual[GUARD + n + i]);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0"})
  void everyLengthWritesItsRangeOnly(DType dtype) {
    MemorySegment src = allCodes(dtype);
    for (int n = 0; n <= 40; n++) {
      float[] actual = new float[64];
      Arrays.fill(actual, -77f);
      FloatConversion.toFloat(dtype, src, 1, actual, GUARD, n);
      for (int i = 0; i < actual.length; i++) {
        boolean inside = i >= GUARD && i < GUARD + n;
        float expected =
            inside ? FloatConversion.decode(dtype, src, 1 + dtype.bytes(i - GUARD)) : -77f;
        assertEquals(expected, actual[i], dtype + " n " + n + " at " + i);
      }
    }
  }

  /** Values from the formats' papers, not from this code. */
  @ParameterizedTest
  @CsvSource({
    "F16, 0x0001, 5.9604645e-8", // smallest subnormal
    "F16, 0x03ff, 6.0975552e-5", // largest subnormal
    "F16, 0x7bff, 65504",
    "F16, 0xc000, -2",
    "F16, 0xfc00, -Infinity",
    "F16, 0x7e01, NaN",
    "BF16, 0x3f80, 1",
    "BF16, 0x0001, 9.1835e-41",
    "BF16, 0xff80, -Infinity",
    "F8_E4M3, 0x7e, 448",
    "F8_E4M3, 0x7f, NaN",
    "F8_E4M3, 0xff, NaN",
    "F8_E4M3, 0x01, 0.001953125",
    "F8_E4M3, 0x08, 0.015625",
    "F8_E4M3, 0xb8, -1",
    "F8_E5M2, 0x7b, 57344",
    "F8_E5M2, 0x7c, Infinity",
    "F8_E5M2, 0x7d, NaN",
    "F8_E5M2, 0x01, 1.52587890625e-5",
    "F8_E8M0, 0x7f, 1",
    "F8_E8M0, 0x00, 5.877472e-39",
    "F8_E8M0, 0xfe, 1.7014118e38",
    "F8_E8M0, 0xff, NaN",
  })
  void knownCodes(DType dtype, String code, float expected) {
    float[] all = new float[1 << dtype.bits()];
    FloatConversion.toFloat(dtype, allCodes(dtype), 1, all, 0, all.length);
    assertEquals(expected, all[Integer.decode(code)]);
  }

  @Test
  void widerTypesAreRounded() {
    MemorySegment bytes = MemorySegment.ofArray(new byte[32]);
    float[] out = new float[2];
    bytes.set(ValueLayout.JAVA_DOUBLE_UNALIGNED, 0, 0.1);
    bytes.set(ValueLayout.JAVA_DOUBLE_UNALIGNED, 8, -1e300);
    FloatConversion.toFloat(DType.F64, bytes, 0, out, 0, 2);
    assertArrayEquals(new float[] {0.1f, Float.NEGATIVE_INFINITY}, out);
    bytes.set(ValueLayout.JAVA_LONG_UNALIGNED, 0, -(1L << 40));
    FloatConversion.toFloat(DType.I64, bytes, 0, out, 0, 1);
    assertEquals(-0x1p40f, out[0]);
    bytes.set(ValueLayout.JAVA_INT_UNALIGNED, 0, -1);
    FloatConversion.toFloat(DType.U32, bytes, 0, out, 0, 1);
    assertEquals(0x1p32f, out[0]);
    bytes.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 3, 1.5f);
    FloatConversion.toFloat(DType.F32, bytes, 3, out, 0, 1);
    assertEquals(1.5f, out[0]);
  }

  @ParameterizedTest
  @EnumSource
  void everyTypeIsConvertedOrRefusedWithItsName(DType dtype) {
    MemorySegment bytes = MemorySegment.ofArray(new byte[8]);
    float[] out = {-1};
    if (FloatConversion.supports(dtype)) {
      FloatConversion.toFloat(dtype, bytes, 0, out, 0, 1);
      assertEquals(dtype == DType.F8_E8M0 ? 0x1p-127f : 0f, out[0]);
    } else {
      IllegalArgumentException e =
          assertThrows(
              IllegalArgumentException.class,
              () -> FloatConversion.toFloat(dtype, bytes, 0, out, 0, 1));
      assertTrue(e.getMessage().contains(dtype.name()));
    }
  }

  @Test
  void refusesRangesThatDoNotFit() {
    MemorySegment bytes = MemorySegment.ofArray(new byte[8]);
    assertThrows(
        IndexOutOfBoundsException.class,
        () -> FloatConversion.toFloat(DType.BF16, bytes, 2, new float[4], 0, 4));
    assertThrows(
        IndexOutOfBoundsException.class,
        () -> FloatConversion.toFloat(DType.BF16, bytes, 0, new float[4], 1, 4));
  }

  @Test
  void everyBf16SurvivesARoundTrip() {
    float[] all = new float[1 << 16];
    MemorySegment codes = allCodes(DType.BF16);
    FloatConversion.toFloat(DType.BF16, codes, 1, all, 0, all.length);
    MemorySegment back = MemorySegment.ofArray(new byte[2 * all.length]);
    FloatConversion.toBf16(all, 0, back, 0, all.length);
    float[] again = new float[all.length];
    FloatConversion.toFloat(DType.BF16, back, 0, again, 0, all.length);
    for (int i = 0; i < all.length; i++) {
      assertEquals(Float.floatToIntBits(all[i]), Float.floatToIntBits(again[i]));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0x3f800000, 0x3f80",
    "0x3f808000, 0x3f80", // a tie, to even: down
    "0x3f818000, 0x3f82", // a tie, to even: up
    "0x3f808001, 0x3f81",
    "0x3f807fff, 0x3f80",
    "0x7f7fffff, 0x7f80", // beyond the largest
    "0xff7fffff, 0xff80",
    "0x7f800001, 0x7fc0", // a NaN whose payload lies in the lost half
    "0x80000001, 0x8000",
  })
  void bf16RoundsToNearestEven(String bits, String expected) {
    float value = Float.intBitsToFloat(Long.decode(bits).intValue());
    assertEquals(Integer.decode(expected), Short.toUnsignedInt(FloatConversion.toBf16(value)));
  }

  @Test
  void bf16IsTheNearest() {
    Random random = new Random(5);
    for (int i = 0; i < 100_000; i++) {
      float value = Float.intBitsToFloat(random.nextInt());
      float rounded = Float.intBitsToFloat(FloatConversion.toBf16(value) << 16);
      if (Float.isFinite(value) && Float.isFinite(rounded)) {
        double error = Math.abs((double) rounded - value);
        double step =
            Math.abs(
                Float.intBitsToFloat((FloatConversion.toBf16(value) + 1) << 16) - (double) rounded);
        assertTrue(error <= step / 2 || step == Double.POSITIVE_INFINITY, value + " → " + rounded);
      }
    }
  }
}
