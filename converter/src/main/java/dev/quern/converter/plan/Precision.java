package dev.quern.converter.plan;

import dev.quern.model.TensorRole;
import dev.quern.model.TensorRole.Component;
import dev.quern.quant.QuantScheme;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What a conversion stores at how many bits, and how it quantizes. 16 bits mean "as in the source".
 * 8 bits are always symmetric codes with an f16 scale per 32 weights, unrotated: at that width
 * nothing else pays.
 *
 * @param method how levels and scales are chosen
 * @param scales encoding of the scales of {@link Method#TURBO}; the other methods have f16 scales
 * @param groupSize weights that share an f16 scale: 32, 64 or 128; u4 scales have groups of 16
 * @param rotated whether inputs are rotated before quantization
 * @param qjl whether a one-bit residual follows the codes of {@link Method#TURBO}
 * @param seed of all rotations
 * @param bits of the routed experts
 * @param headBits empty: as the embedding where the two are tied, else 16
 * @param standInBits of copies of the routed experts that answer while the experts themselves are
 *     not in memory: 2, 3 or 4; 0 for none
 * @param overrides in the order of the command line; the last one that covers a tensor counts
 */
public record Precision(
    Method method,
    Scales scales,
    int groupSize,
    boolean rotated,
    boolean qjl,
    long seed,
    int bits,
    int attentionBits,
    int sharedExpertBits,
    int embeddingBits,
    OptionalInt headBits,
    int standInBits,
    List<PrecisionOverride> overrides) {

  /** Bits that mean "keep the source's type". */
  public static final int SOURCE_BITS = 16;

  /** Weights that share an f16 scale unless {@code --group-size} says otherwise. */
  public static final int DEFAULT_GROUP_SIZE = 64;

  private static final List<Integer> WIDTHS = List.of(2, 3, 4, 8, SOURCE_BITS);
  private static final int U4_GROUP_SIZE = 16;
  private static final int ABSMAX_GROUP_SIZE = 32;

  /** How levels and scales are chosen. */
  public enum Method {
    /** Rotated Lloyd–Max codebook, scales and indices chosen together. */
    TURBO("turbo", true),
    /** The same levels, scale = RMS of the group: what turboquant does. */
    TURBO_RMS("turbo-rms", true),
    /** Equal steps between minimum and maximum of a group. */
    AFFINE("affine", false),
    /** Equal steps, symmetric about 0; 4 and 8 bits. */
    ABSMAX("absmax", false);

    private final String optionName;
    private final boolean rotatedByDefault;

    Method(String optionName, boolean rotatedByDefault) {
      this.optionName = optionName;
      this.rotatedByDefault = rotatedByDefault;
    }

    /** The name on the command line. */
    public String optionName() {
      return optionName;
    }

    /** The baselines quantize the weights as they are, unless asked. */
    public boolean rotatedByDefault() {
      return rotatedByDefault;
    }

    /**
     * @throws IllegalArgumentException if no method has this name
     */
    public static Method named(String name) {
      return Arrays.stream(values())
          .filter(method -> method.optionName.equals(name))
          .findFirst()
          .orElseThrow(() ->
              new IllegalArgumentException(
                  "unknown method '%s'; methods: %s"
                      .formatted(
                          name,
                          Arrays.stream(values())
                              .map(Method::optionName)
                              .collect(Collectors.joining(", ")))));
    }
  }

  /** Encoding of the scales of a group. */
  public enum Scales {
    U4,
    F16
  }

  public Precision {
    overrides = List.copyOf(overrides);
    checkBits("--bits", bits);
    checkBits("--attention-bits", attentionBits);
    checkBits("--shared-expert-bits", sharedExpertBits);
    checkBits("--embedding-bits", embeddingBits);
    headBits.ifPresent(width -> checkBits("--head-bits", width));
    if (standInBits != 0 && (standInBits < 2 || standInBits > 4)) {
      throw new IllegalArgumentException(
          "--stand-in-bits: %d bits; expected 2, 3 or 4".formatted(standInBits));
    }
    if (groupSize != 32 && groupSize != 64 && groupSize != 128) {
      throw new IllegalArgumentException("--group-size " + groupSize + ": expected 32, 64 or 128");
    }
    if (qjl && (method != Method.TURBO || !rotated)) {
      throw new IllegalArgumentException(
          "--qjl needs --method turbo and --rotation hadamard: its residual is one of rotated weights");
    }
    if (method == Method.ABSMAX) {
      for (int width : allWidths(bits, attentionBits, sharedExpertBits, embeddingBits, overrides)) {
        if (width < 4) {
          throw new IllegalArgumentException(
              "--method absmax with " + width + " bits: expected 4, 8 or 16");
        }
      }
    }
  }

  /** Without stand-ins. */
  public Precision(
      Method method,
      Scales scales,
      int groupSize,
      boolean rotated,
      boolean qjl,
      long seed,
      int bits,
      int attentionBits,
      int sharedExpertBits,
      int embeddingBits,
      OptionalInt headBits,
      List<PrecisionOverride> overrides) {
    this(
        method,
        scales,
        groupSize,
        rotated,
        qjl,
        seed,
        bits,
        attentionBits,
        sharedExpertBits,
        embeddingBits,
        headBits,
        0,
        overrides);
  }

  private static List<Integer> allWidths(
      int bits, int attention, int shared, int embedding, List<PrecisionOverride> overrides) {
    return Stream.concat(
            Stream.of(bits, attention, shared, embedding),
            overrides.stream().map(PrecisionOverride::bits))
        .toList();
  }

  static void checkBits(String what, int bits) {
    if (!WIDTHS.contains(bits)) {
      throw new IllegalArgumentException(
          "%s: %d bits; expected 2, 3, 4, 8 or 16 (16 keeps the source's type)"
              .formatted(what, bits));
    }
  }

  /** Routed experts at this width, everything else as in the source, seed 0. */
  public static Precision experts(Method method, int bits) {
    return new Precision(
        method,
        method == Method.TURBO ? Scales.U4 : Scales.F16,
        DEFAULT_GROUP_SIZE,
        method.rotatedByDefault(),
        false,
        0,
        bits,
        SOURCE_BITS,
        SOURCE_BITS,
        SOURCE_BITS,
        OptionalInt.empty(),
        List.of());
  }

  /** The same with a one-bit residual after the codes. */
  public Precision withQjl() {
    return new Precision(
        method,
        scales,
        groupSize,
        rotated,
        true,
        seed,
        bits,
        attentionBits,
        sharedExpertBits,
        embeddingBits,
        headBits,
        standInBits,
        overrides);
  }

  /** The same with other overrides. */
  public Precision withOverrides(List<PrecisionOverride> others) {
    return new Precision(
        method,
        scales,
        groupSize,
        rotated,
        qjl,
        seed,
        bits,
        attentionBits,
        sharedExpertBits,
        embeddingBits,
        headBits,
        standInBits,
        others);
  }

  /**
   * The same with low-bit copies of the experts.
   *
   * @param newBits 2, 3 or 4; 0 for none
   */
  public Precision withStandIns(int newBits) {
    return new Precision(
        method,
        scales,
        groupSize,
        rotated,
        qjl,
        seed,
        bits,
        attentionBits,
        sharedExpertBits,
        embeddingBits,
        headBits,
        newBits,
        overrides);
  }

  /** How low-bit copies of the experts are quantized; empty where there are none. */
  public Optional<QuantScheme> standIns() {
    return standInBits == 0 ? Optional.empty() : Optional.of(QuantScheme.turbo(standInBits));
  }

  /**
   * Bits of a tensor; norms and routers always keep the source's.
   *
   * @param layer −1 outside layers
   * @param tied whether the model's head is its embedding
   */
  public int bits(TensorRole role, int layer, boolean tied) {
    if (role.component() == Component.FULL_PRECISION) {
      return SOURCE_BITS;
    }
    for (PrecisionOverride override : overrides.reversed()) {
      if (override.covers(role, layer)) {
        return override.bits();
      }
    }
    return switch (role.component()) {
      case EXPERTS -> bits;
      case ATTENTION -> attentionBits;
      case SHARED_EXPERT -> sharedExpertBits;
      case EMBEDDING -> embeddingBits;
      case HEAD ->
          headBits.orElseGet(() -> tied ? bits(TensorRole.EMBEDDING, layer, true) : SOURCE_BITS);
      case FULL_PRECISION -> SOURCE_BITS;
    };
  }

  /** How a tensor is quantized; empty where it keeps the source's type. */
  public Optional<QuantScheme> scheme(TensorRole role, int layer, boolean tied) {
    int width = bits(role, layer, tied);
    return width == SOURCE_BITS ? Optional.empty() : Optional.of(scheme(width));
  }

  private QuantScheme scheme(int width) {
    if (width == Byte.SIZE) {
      return new QuantScheme(QuantScheme.Method.ABSMAX, width, ABSMAX_GROUP_SIZE, false, false);
    }
    return switch (method) {
      case TURBO ->
          scales == Scales.U4
              ? new QuantScheme(QuantScheme.Method.LLOYD_U4, width, U4_GROUP_SIZE, rotated, qjl)
              : new QuantScheme(QuantScheme.Method.LLOYD_F16, width, groupSize, rotated, qjl);
      case TURBO_RMS ->
          new QuantScheme(QuantScheme.Method.RMS_F16, width, groupSize, rotated, false);
      case AFFINE -> new QuantScheme(QuantScheme.Method.AFFINE, width, groupSize, rotated, false);
      case ABSMAX -> new QuantScheme(QuantScheme.Method.ABSMAX, width, groupSize, rotated, false);
    };
  }

  /** Everything that decides bytes, by the option that says it; equal maps give equal packs. */
  public SortedMap<String, String> options() {
    TreeMap<String, String> options = new TreeMap<>();
    options.put("--method", method.optionName());
    options.put("--scales", scales.name().toLowerCase(Locale.ROOT));
    options.put("--group-size", Integer.toString(groupSize));
    options.put("--rotation", rotated ? "hadamard" : "none");
    options.put("--qjl", Boolean.toString(qjl));
    options.put("--seed", Long.toString(seed));
    options.put("--bits", Integer.toString(bits));
    options.put("--attention-bits", Integer.toString(attentionBits));
    options.put("--shared-expert-bits", Integer.toString(sharedExpertBits));
    options.put("--embedding-bits", Integer.toString(embeddingBits));
    options.put("--head-bits", headBits.isEmpty() ? "default" : "" + headBits.getAsInt());
    if (standInBits > 0) { // packs made before there were any stay what they are
      options.put("--stand-in-bits", Integer.toString(standInBits));
    }
    options.put(
        "--override",
        overrides.stream().map(PrecisionOverride::toString).collect(Collectors.joining(" ")));
    return options;
  }

  /** Bits by component, and by what overrides name, for the manifest. */
  public SortedMap<String, Integer> summary() {
    TreeMap<String, Integer> summary = new TreeMap<>();
    summary.put("experts", bits);
    summary.put("attention", attentionBits);
    summary.put("shared", sharedExpertBits);
    summary.put("embedding", embeddingBits);
    headBits.ifPresent(width -> summary.put("head", width));
    if (standInBits > 0) {
      summary.put("stand-in", standInBits);
    }
    for (PrecisionOverride override : overrides) {
      summary.put(override.target(), override.bits());
    }
    return summary;
  }
}
