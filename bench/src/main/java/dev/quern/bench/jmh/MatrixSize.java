package dev.quern.bench.jmh;

/** The shape of a matrix as parameters of benchmarks name it, such as {@code 768x2048}. */
public record MatrixSize(int rows, int cols) {
  /**
   * @throws IllegalArgumentException if it is not two numbers with an x between
   */
  public static MatrixSize parse(String text) {
    String[] parts = text.split("x", -1);
    if (parts.length != 2) {
      throw new IllegalArgumentException("shape: expected ROWSxCOLS, found '" + text + "'");
    }
    return new MatrixSize(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]));
  }

  /** Weights of such a matrix. */
  public long weights() {
    return (long) rows * cols;
  }
}
