package dev.quern.bench.jmh;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The shape of a matrix as parameters of benchmarks name it, such as {@code 768x2048}. */
public record MatrixSize(int rows, int cols) {
  private static final Pattern TEXT = Pattern.compile("([1-9]\\d{0,8})x([1-9]\\d{0,8})");

  /**
   * @throws IllegalArgumentException if it is not two positive numbers with an x between
   */
  public static MatrixSize parse(String text) {
    Matcher matcher = TEXT.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "expected ROWSxCOLS, such as 768x2048, found '%s'".formatted(text));
    }
    return new MatrixSize(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)));
  }

  /** Weights of such a matrix. */
  public long weights() {
    return (long) rows * cols;
  }
}
