package dev.quern.model;

import dev.quern.format.FormatException;
import dev.quern.kernels.Matrix;
import dev.quern.kernels.TileLayout;
import dev.quern.quant.Linear;
import dev.quern.quant.QuantScheme;
import dev.quern.quant.Rotation;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** Makes maps of quantized matrices; those that read one input share the object of its rotation. */
final class PackedMaps {
  private static final float[] SIGNS = {-1, 1};

  private final Path path;

  /** One object per rotation, so that the forward pass rotates each input once. */
  private final Map<RotationKey, Rotation> rotations = new HashMap<>();

  private record RotationKey(
      boolean none, int layer, Rotation.Input input, boolean residual, int length) {}

  /**
   * @param path of the model, for messages
   */
  PackedMaps(Path path) {
    this.path = path;
  }

  /** The rotation of what is not rotated. */
  Rotation identity(int length) {
    return rotation(false, -1, Rotation.Input.ATTENTION, false, length, 0);
  }

  /**
   * @param data begins with the packed bytes
   * @throws FormatException if the format allows no such tensor to be quantized
   */
  Linear packed(
      TensorKey key,
      int rows,
      int cols,
      QuantScheme scheme,
      float[] codebook,
      float[] scaleTable,
      MemorySegment data,
      long seed)
      throws FormatException {
    Rotation.Input input =
        key.role()
            .input()
            .orElseThrow(() ->
                new FormatException(
                    "%s: %s is quantized, which this reader does not allow"
                        .formatted(path, key.describe())));
    TileLayout layout = scheme.layout(rows, cols);
    Matrix.Packed weight =
        new Matrix.Packed(layout, data.asSlice(0, layout.bytes()), codebook, scaleTable);
    Optional<Linear.Residual> residual = Optional.empty();
    if (scheme.qjl()) {
      TileLayout signs = scheme.residualLayout(rows, cols);
      MemorySegment signData = data.asSlice(layout.bytes(), signs.bytes());
      residual =
          Optional.of(
              new Linear.Residual(
                  new Matrix.Packed(signs, signData, SIGNS, new float[0]),
                  rotation(true, key.layer(), input, true, cols, seed)));
    }
    Rotation rotation = rotation(scheme.rotated(), key.layer(), input, false, cols, seed);
    return new Linear(weight, rotation, residual);
  }

  private Rotation rotation(
      boolean rotated, int layer, Rotation.Input input, boolean residual, int length, long seed) {
    // The identity depends on the length alone.
    RotationKey key =
        rotated
            ? new RotationKey(false, layer, input, residual, length)
            : new RotationKey(true, -1, Rotation.Input.ATTENTION, false, length);
    return rotations.computeIfAbsent(
        key,
        k ->
            k.none
                ? Rotation.none(length)
                : k.residual
                    ? Rotation.residual(seed, layer, input, length)
                    : Rotation.hadamard(seed, layer, input, length));
  }
}
