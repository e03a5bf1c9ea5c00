package dev.quern.converter.plan;

import dev.quern.converter.quantize.Tables;
import dev.quern.format.DType;
import dev.quern.format.ExpertMatrix;
import dev.quern.format.PackManifest.QuantizedTensor;
import dev.quern.format.SafetensorsWriter.Declared;
import dev.quern.model.TensorRole;
import java.io.Serializable;
import java.util.List;
import java.util.Optional;

/**
 * One tensor to store.
 *
 * @param name in the pack: the family's name for the role
 * @param layer −1 outside layers
 * @param expert −1 for what is no routed expert
 * @param shape as in the source; [rows, cols] for all that is quantized
 * @param source where it lies; of a vector one row
 */
public record PlannedTensor(
    String name,
    TensorRole role,
    int layer,
    int expert,
    List<Long> shape,
    SourceSlice source,
    Storage storage)
    implements Serializable {

  public PlannedTensor {
    shape = List.copyOf(shape);
  }

  public boolean quantized() {
    return storage instanceof Storage.Quantized;
  }

  /** Bytes of the stored tensor alone, without padding between tensors. */
  public long storedBytes() {
    return switch (storage) {
      case Storage.AsSource() -> source.bytes();
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
      case Storage.AsSource() ->
          ExpertMatrix.dense(projection, source.rows(), source.cols(), source.dtype());
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
    return quantized()
        ? new Declared(name, DType.U8, List.of(storedBytes()))
        : new Declared(name, source.dtype(), shape);
  }

  /** Its entry in the manifest; empty if it is not quantized. */
  public Optional<QuantizedTensor> quantizedEntry() {
    return switch (storage) {
      case Storage.AsSource() -> Optional.empty();
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
