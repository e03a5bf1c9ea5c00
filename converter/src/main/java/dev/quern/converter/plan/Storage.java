package dev.quern.converter.plan;

import dev.quern.quant.QuantScheme;
import dev.quern.quant.Rotation;
import java.io.Serializable;

/** How a matrix is stored. */
public sealed interface Storage extends Serializable {

  /** Bytes as they are in the source. */
  record AsSource() implements Storage {}

  /**
   * Quantized.
   *
   * @param input whose rotation is applied if the scheme is rotated
   */
  record Quantized(QuantScheme scheme, Rotation.Input input, long seed) implements Storage {

    /**
     * @param layer −1 outside layers
     */
    public Rotation rotation(int layer, int cols) {
      return scheme.rotated() ? Rotation.hadamard(seed, layer, input, cols) : Rotation.none(cols);
    }

    /** The second rotation of a QJL residual; none where the scheme has no residual. */
    public Rotation residualRotation(int layer, int cols) {
      return scheme.qjl() ? Rotation.residual(seed, layer, input, cols) : Rotation.none(cols);
    }
  }
}
