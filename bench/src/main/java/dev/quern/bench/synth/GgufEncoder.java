package dev.quern.bench.synth;

import dev.quern.format.FloatConversion;
import dev.quern.format.gguf.GgufType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Rows of float32 as a tensor type of GGUF that is written here. */
final class GgufEncoder {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final float LARGEST_CODE = 127;
  private static final int Q4_ZERO = 8;
  private static final int Q4_LARGEST = 15;

  private GgufEncoder() {}

  /**
   * Writes row[0 .. n) from out[at] on.
   *
   * @param type of plain numbers, Q8_0 or Q4_0
   * @param n whole blocks
   * @throws IllegalArgumentException if the type is another
   */
  static void encode(GgufType type, float[] row, int n, MemorySegment out, long at) {
    if (type == GgufType.Q8_0 || type == GgufType.Q4_0) {
      for (int i = 0; i < n; i += type.blockElements()) {
        if (type == GgufType.Q8_0) {
          q8(row, i, type.blockElements(), out, at + type.bytes(i));
        } else {
          q4(row, i, type.blockElements(), out, at + type.bytes(i));
        }
      }
      return;
    }
    FloatConversion.fromFloat(type.plain().orElseThrow(), row, 0, out, at, n);
  }

  /** Source: github.com/ggml-org/ggml, ggml-quants.c, {@code quantize_row_q8_0_ref}. */
  private static void q8(float[] row, int from, int n, MemorySegment out, long at) {
    float largest = 0;
    for (int i = from; i < from + n; i++) {
      largest = Math.max(largest, Math.abs(row[i]));
    }
    float scale = largest / LARGEST_CODE;
    float inverse = scale == 0 ? 0 : 1 / scale;
    out.set(SHORT, at, Float.floatToFloat16(scale));
    for (int i = 0; i < n; i++) {
      // Halves away from zero, as C rounds.
      float code = row[from + i] * inverse;
      int rounded = (int) (code + Math.copySign(0.5f, code));
      out.set(ValueLayout.JAVA_BYTE, at + Short.BYTES + i, (byte) rounded);
    }
  }

  /**
   * The weight farthest from 0 becomes code 0, -8 times the scale. Source: as above, {@code
   * quantize_row_q4_0_ref}.
   */
  private static void q4(float[] row, int from, int n, MemorySegment out, long at) {
    float farthest = 0;
    for (int i = from; i < from + n; i++) {
      farthest = Math.abs(row[i]) > Math.abs(farthest) ? row[i] : farthest;
    }
    float scale = farthest / -Q4_ZERO;
    float inverse = scale == 0 ? 0 : 1 / scale;
    out.set(SHORT, at, Float.floatToFloat16(scale));
    for (int i = 0; i < n / 2; i++) {
      int low = q4Code(row[from + i] * inverse);
      int high = q4Code(row[from + n / 2 + i] * inverse);
      out.set(ValueLayout.JAVA_BYTE, at + Short.BYTES + i, (byte) (low | high << 4));
    }
  }

  private static int q4Code(float steps) {
    return Math.min(Q4_LARGEST, (int) (steps + Q4_ZERO + 0.5f));
  }
}
