package dev.quern.converter.plan;

import dev.quern.converter.quantize.Tables;
import dev.quern.format.DType;
import dev.quern.format.ExpertMatrix;
import dev.quern.format.PackManifest.QuantizedTensor;
import dev.quern.format.SafetensorsWriter.Declared;
import dev.quern.format.StoredMatrix;
import dev.quern.model.TensorKey;
import dev.quern.model.TensorRole;
import java.io.Serializable;
import java.util.List;
import java.util.Optional;

/**
 * One tensor to store.
 *
 * @param name in the pack, see {@link TensorKey#path}
 * @param layer −1 outside layers
 * @param expert −1 for what is no routed expert
 * @param shape as the forward pass has it; [rows, cols] for all that is quantized
 * @param source where it lies; of a vector one row
 */
public record PlannedTensor(
    String name,
    TensorRole role,
    int layer,
    int expert,
    List<Long> shape,
    StoredMatrix source,
    Storage storage)
    implements Serializable {

  public PlannedTensor {
    shape = List.copyOf(shape);
  }

  /** The same tensor, stored otherwise. */
  PlannedTensor storedAs(Storage other) {
    return new PlannedTensor(name, role, layer, expert, shape, source, other);
  }

  public boolean quantized() {
    return storage instanceof Storage.Quantized;
  }

  /** Bytes of the stored tensor alone, without padding between tensors. */
  public long storedBytes() {
    return switch (storage) {
      case Storage.Numbers(DType dtype) -> dtype.bytes(source.elements());
      case Storage.Quantized quantized -> quantized.scheme().bytes(source.rows(), source.cols());
    };
  }

  /** Its place in the record of an expert. */
  public ExpertMatrix expertMatrix() {
    ExpertMatrix.Role projection =
        switch (role) {
          case EXPERT_GATE -> ExpertMatrix.Role.GATE;
          case EXPERT_UP -> ExpertMatrix.Role.UP;
          case EXPERT_DOWN -> ExpertMatrix.Role.DOWN;
          default -> throw new IllegalArgumentException(role + " is no matrix of an expert");
        };
    return switch (storage) {
      case Storage.Numbers(DType dtype) ->
          ExpertMatrix.dense(projection, source.rows(), source.cols(), dtype);
      case Storage.Quantized quantized -> {
        Tables tables = Tables.of(quantized.scheme());
        yield ExpertMatrix.quantized(
            projection,
            source.rows(),
            source.cols(),
            quantized.scheme(),
            tables.codebook(),
            tables.scaleTable());
      }
    };
  }

  /** Its entry in {@code dense.safetensors}: packed bytes are U8. */
  public Declared declared() {
    return switch (storage) {
      case Storage.Numbers(DType dtype) -> new Declared(name, dtype, shape);
      case Storage.Quantized quantized -> new Declared(name, DType.U8, List.of(storedBytes()));
    };
  }

  /** Its entry in the manifest; empty if it is not quantized. */
  public Optional<QuantizedTensor> quantizedEntry() {
    return switch (storage) {
      case Storage.Numbers numbers -> Optional.empty();
      case Storage.Quantized quantized -> {
        Tables tables = Tables.of(quantized.scheme());
        yield Optional.of(
            new QuantizedTensor(
                source.rows(),
                source.cols(),
                quantized.scheme(),
                tables.codebook(),
                tables.scaleTable()));
      }
    };
  }
}
