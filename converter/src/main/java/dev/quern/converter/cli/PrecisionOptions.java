package dev.quern.converter.cli;

import dev.quern.converter.plan.Precision;
import dev.quern.converter.plan.PrecisionOverride;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import picocli.CommandLine.Option;

/** The options that choose what is stored at how many bits; mixed into commands that quantize. */
public final class PrecisionOptions {
  private static final String WIDTHS = "2, 3, 4, 8 or 16; 16 keeps the source's type";

  @Option(
      names = "--attention-bits",
      paramLabel = "BITS",
      defaultValue = "16",
      description = "query, key, value and output projection: " + WIDTHS + " (${DEFAULT-VALUE})")
  private int attentionBits;

  @Option(
      names = "--shared-expert-bits",
      paramLabel = "BITS",
      defaultValue = "16",
      description = "shared experts and dense MLP layers (${DEFAULT-VALUE})")
  private int sharedExpertBits;

  @Option(
      names = "--embedding-bits",
      paramLabel = "BITS",
      defaultValue = "16",
      description = "embedding (${DEFAULT-VALUE})")
  private int embeddingBits;

  @Option(
      names = "--head-bits",
      paramLabel = "BITS",
      description = "output head (as the embedding where the model ties them, else 16)")
  private Integer headBits;

  @Option(
      names = "--stand-in-bits",
      paramLabel = "BITS",
      defaultValue = "0",
      description = {
        "besides, copies of the routed experts at 2, 3 or 4 bits, for generate --stand-in-bits:",
        "they answer while an expert is not in memory"
      })
  private int standInBits;

  @Option(
      names = "--override",
      paramLabel = "ROLE[@FIRST-LAST]=BITS",
      description = {
        "other bits for a role, in some layers: experts.down=4, attention@0-3=8.",
        "May be repeated; the last that covers a tensor counts."
      })
  private List<String> overrides = new ArrayList<>();

  @Option(
      names = "--method",
      paramLabel = "NAME",
      defaultValue = "turbo",
      description = "turbo, turbo-rms, affine or absmax; all but the first are baselines")
  private String method;

  @Option(
      names = "--scales",
      paramLabel = "u4|f16",
      description = "scales of turbo: 4-bit codes per 16 weights (default), or f16 per group")
  private String scales;

  @Option(
      names = "--group-size",
      paramLabel = "N",
      description = "weights that share an f16 scale: 32, 64 or 128 (64)")
  private Integer groupSize;

  @Option(
      names = "--rotation",
      paramLabel = "hadamard|none",
      description = "rotation of inputs (hadamard; none for affine and absmax)")
  private String rotation;

  @Option(
      names = "--qjl",
      description = "add a one-bit residual: one bit more per weight, for comparison")
  private boolean qjl;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "0",
      description = "of the rotations (${DEFAULT-VALUE})")
  private long seed;

  /**
   * The choices together with the bits of the routed experts.
   *
   * @throws IllegalArgumentException if they do not fit together, naming the option
   */
  public Precision precision(int bits) {
    Precision.Method chosen = Precision.Method.named(method);
    Precision.Scales encoding = scales(chosen);
    if (groupSize != null && encoding == Precision.Scales.U4) {
      throw new IllegalArgumentException(
          "--group-size is for f16 scales; u4 scales have groups of 16. Add --scales f16");
    }
    return new Precision(
        chosen,
        encoding,
        Optional.ofNullable(groupSize).orElse(Precision.DEFAULT_GROUP_SIZE),
        rotated(chosen),
        qjl,
        seed,
        bits,
        attentionBits,
        sharedExpertBits,
        embeddingBits,
        headBits == null ? OptionalInt.empty() : OptionalInt.of(headBits),
        standInBits,
        overrides.stream().map(PrecisionOverride::parse).toList());
  }

  private Precision.Scales scales(Precision.Method chosen) {
    boolean turbo = chosen == Precision.Method.TURBO;
    if (scales == null) {
      return turbo ? Precision.Scales.U4 : Precision.Scales.F16;
    }
    Precision.Scales encoding =
        switch (scales.toLowerCase(Locale.ROOT)) {
          case "u4" -> Precision.Scales.U4;
          case "f16" -> Precision.Scales.F16;
          default ->
              throw new IllegalArgumentException("--scales " + scales + ": expected u4 or f16");
        };
    if (encoding == Precision.Scales.U4 && !turbo) {
      throw new IllegalArgumentException("--scales u4 is for --method turbo");
    }
    return encoding;
  }

  private boolean rotated(Precision.Method chosen) {
    if (rotation == null) {
      return chosen.rotatedByDefault();
    }
    return switch (rotation.toLowerCase(Locale.ROOT)) {
      case "hadamard" -> true;
      case "none" -> false;
      default ->
          throw new IllegalArgumentException(
              "--rotation " + rotation + ": expected hadamard or none");
    };
  }
}
