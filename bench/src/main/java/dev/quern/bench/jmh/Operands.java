package dev.quern.bench.jmh;

import dev.quern.kernels.Activations;
import java.util.Arrays;
import java.util.List;

/**
 * What a product multiplies as parameters of benchmarks name it: bits of a weight and, where there
 * is a choice, the activations, such as {@code 3 INT}, {@code 3 F32} and {@code 16}.
 *
 * @param bits one of {@link Products#BITS}
 */
public record Operands(int bits, Activations activations) {
  /**
   * From so many bits on, weights are multiplied with float32 activations whatever is asked for.
   */
  private static final int MIN_WIDE_BITS = 8;

  /** The names of all ways to multiply weights of so many bits. */
  public static List<String> names(int bits) {
    String name = Integer.toString(bits);
    return bits < MIN_WIDE_BITS
        ? Arrays.stream(Activations.values()).map(each -> name + " " + each).toList()
        : List.of(name);
  }

  /**
   * @throws IllegalArgumentException if it is no such name
   */
  static Operands parse(String name) {
    String[] parts = name.split(" ", 2);
    Activations activations = parts.length == 1 ? Activations.F32 : Activations.valueOf(parts[1]);
    return new Operands(Integer.parseInt(parts[0]), activations);
  }
}
