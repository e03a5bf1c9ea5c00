package dev.quern.quant;

import dev.quern.kernels.Matrix;
import java.util.Optional;

/**
 * A linear map as it is stored: y = W′ (R x), with R the rotation of its input, plus the QJL
 * residual's B (R′ R x) where there is one.
 *
 * @param rotation of the input; {@link Rotation#none} where the weight is not rotated. Maps that
 *     read the same input share one object, so an input is rotated once
 */
public record Linear(Matrix weight, Rotation rotation, Optional<Residual> residual) {

  /**
   * One-bit residual.
   *
   * @param signs 1-bit indices with codebook ±1 and row factors √(π/2)/√cols · ‖residual row‖
   * @param rotation of the already rotated input
   */
  public record Residual(Matrix.Packed signs, Rotation rotation) {}

  /** Bytes that one product with one vector reads. */
  public long bytes() {
    return weight.bytes() + residual.map(part -> part.signs().bytes()).orElse(0L);
  }

  /** A weight that is neither rotated nor has a residual. */
  public static Linear plain(Matrix weight) {
    return new Linear(weight, Rotation.none(weight.cols()), Optional.empty());
  }
}
