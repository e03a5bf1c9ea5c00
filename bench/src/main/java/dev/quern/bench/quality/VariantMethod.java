package dev.quern.bench.quality;

import dev.quern.converter.plan.Precision;

/** The ways to quantize that an evaluation compares. */
public enum VariantMethod {
  /** Rotated, codebook and u4 scales fitted together: the default of the project. */
  TURBO("turbo", Precision.Method.TURBO, false),
  /** Rotated, codebook of the unit normal, f16 RMS scales of groups of 64: turboquant's. */
  TURBO_RMS("turbo-rms", Precision.Method.TURBO_RMS, false),
  /** Minimum and maximum of groups of 64, not rotated. */
  AFFINE("affine", Precision.Method.AFFINE, false),
  /** The default with a one-bit residual. */
  TURBO_QJL("turbo+qjl", Precision.Method.TURBO, true);

  private final String label;
  private final Precision.Method method;
  private final boolean qjl;

  VariantMethod(String label, Precision.Method method, boolean qjl) {
    this.label = label;
    this.method = method;
    this.qjl = qjl;
  }

  /** The name in tables and files. */
  public String label() {
    return label;
  }

  /**
   * @param common bits of the other components and of stand-ins, overrides and seed
   */
  Precision precision(int bits, Precision common) {
    return new Precision(
        method,
        method == Precision.Method.TURBO ? Precision.Scales.U4 : Precision.Scales.F16,
        Precision.DEFAULT_GROUP_SIZE,
        method.rotatedByDefault(),
        qjl,
        common.seed(),
        bits,
        common.attentionBits(),
        common.sharedExpertBits(),
        common.embeddingBits(),
        common.headBits(),
        common.standInBits(),
        common.overrides());
  }
}
