package dev.quern.converter.plan;

import dev.quern.model.TensorRole;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One {@code ROLE[@FIRST[-LAST]]=BITS} of the command line, such as {@code experts.down@0-3=4}.
 *
 * @param role as written: a role or a group of them, see the message for unknown ones
 * @param firstLayer first layer it holds for; 0 without a range
 * @param lastLayer last layer it holds for, included; {@link #ALL_LAYERS} without a range
 * @param bits 2, 3, 4, 8 or 16
 */
public record PrecisionOverride(String role, int firstLayer, int lastLayer, int bits) {
  /** The last layer of an override that names none. */
  public static final int ALL_LAYERS = Integer.MAX_VALUE;

  private static final Pattern SYNTAX =
      Pattern.compile("([a-zA-Z._]+)(?:@(\\d{1,6})(?:-(\\d{1,6}))?)?=(\\d{1,3})");

  public PrecisionOverride {
    Set<TensorRole> roles = RoleNames.named(role);
    Precision.checkBits(role, bits);
    if (firstLayer < 0 || lastLayer < firstLayer) {
      throw new IllegalArgumentException(
          "override of '%s': layers %d-%d end before they begin"
              .formatted(role, firstLayer, lastLayer));
    }
    boolean ranged = firstLayer > 0 || lastLayer < ALL_LAYERS;
    if (ranged && roles.stream().allMatch(one -> one.scope() == TensorRole.Scope.GLOBAL)) {
      throw new IllegalArgumentException("override of '" + role + "': it is not part of a layer");
    }
  }

  /**
   * @throws IllegalArgumentException if the text is no override, names no role or no usable width
   */
  public static PrecisionOverride parse(String text) {
    Matcher matcher = SYNTAX.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "override '%s': expected ROLE=BITS, ROLE@LAYER=BITS or ROLE@FIRST-LAST=BITS, such as experts.down@0-3=4"
              .formatted(text));
    }
    boolean ranged = matcher.group(2) != null;
    int first = ranged ? Integer.parseInt(matcher.group(2)) : 0;
    int last = ALL_LAYERS;
    if (ranged) {
      last = matcher.group(3) == null ? first : Integer.parseInt(matcher.group(3));
    }
    return new PrecisionOverride(matcher.group(1), first, last, Integer.parseInt(matcher.group(4)));
  }

  /**
   * @param layer −1 outside layers
   */
  boolean covers(TensorRole candidate, int layer) {
    return RoleNames.named(role).contains(candidate)
        && (layer < 0 || layer >= firstLayer && layer <= lastLayer);
  }

  /** What stands before the equals sign, such as {@code experts.down@0-3}. */
  public String target() {
    if (firstLayer == 0 && lastLayer == ALL_LAYERS) {
      return role;
    }
    return firstLayer == lastLayer
        ? role + "@" + firstLayer
        : role + "@" + firstLayer + "-" + lastLayer;
  }

  /** As {@link #parse} reads it. */
  @Override
  public String toString() {
    return target() + "=" + bits;
  }
}
