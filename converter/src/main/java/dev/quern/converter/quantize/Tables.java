package dev.quern.converter.quantize;

import dev.quern.quant.FittedCodebook;
import dev.quern.quant.LloydMax;
import dev.quern.quant.QuantScheme;

/**
 * What a reader needs besides scales and indices, the same for every tensor of a scheme: see {@code
 * Matrix.Packed}.
 *
 * @param codebook 2^bits levels, ascending; empty for 8 bits
 * @param scaleTable 16 scales for u4 codes; empty otherwise
 */
public record Tables(float[] codebook, float[] scaleTable) {
  private static final float[] NONE = {};

  /** The tables of a scheme; those with u4 scales are fitted at first use, in about a second. */
  public static Tables of(QuantScheme scheme) {
    return switch (scheme.method()) {
      case LLOYD_U4 -> {
        FittedCodebook fitted = FittedCodebook.ofBits(scheme.bits());
        yield new Tables(fitted.levels(), fitted.scales());
      }
      case LLOYD_F16, RMS_F16 -> new Tables(floats(LloydMax.levels(scheme.bits())), NONE);
      case AFFINE -> new Tables(integers(0, 1 << scheme.bits()), NONE);
      case ABSMAX ->
          scheme.bits() == Byte.SIZE ? new Tables(NONE, NONE) : new Tables(integers(-8, 16), NONE);
    };
  }

  private static float[] floats(double[] values) {
    float[] result = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      result[i] = (float) values[i];
    }
    return result;
  }

  private static float[] integers(int first, int count) {
    float[] result = new float[count];
    for (int i = 0; i < count; i++) {
      result[i] = first + i;
    }
    return result;
  }
}
