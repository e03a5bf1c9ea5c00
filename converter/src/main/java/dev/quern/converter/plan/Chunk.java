package dev.quern.converter.plan;

import dev.quern.format.ExpertMatrix;
import java.io.Serializable;
import java.util.List;

/** A piece of work that quantizes some tensors of one output file into a file of its own. */
public sealed interface Chunk extends Serializable {

  /** Its name, which is also that of its files. */
  String item();

  /** In the order in which they are stored. */
  List<PlannedTensor> tensors();

  default long inputBytes() {
    return tensors().stream().mapToLong(tensor -> tensor.source().bytes()).sum();
  }

  /** Bytes of the chunk's file. */
  long storedBytes();

  /**
   * The records of some experts of a layer, one after the other.
   *
   * @param standIn whether they are low-bit copies
   * @param tensors of each expert gate, up, down
   */
  record Experts(
      boolean standIn, int layer, int firstExpert, int experts, List<PlannedTensor> tensors)
      implements Chunk {
    public Experts {
      tensors = List.copyOf(tensors);
    }

    @Override
    public String item() {
      return "%slayer-%05d-experts-%05d-%05d"
          .formatted(
              standIn ? OutputFile.STAND_IN : "", layer, firstExpert, firstExpert + experts - 1);
    }

    /** The tensors of the expert that stands at this place of the chunk. */
    public List<PlannedTensor> expert(int index) {
      int perExpert = tensors.size() / experts;
      return tensors.subList(index * perExpert, (index + 1) * perExpert);
    }

    /** The matrices of one record, in place; the same for every expert. */
    public List<ExpertMatrix> record() {
      return ExpertMatrix.inRecord(expert(0).stream().map(PlannedTensor::expertMatrix).toList());
    }

    @Override
    public long storedBytes() {
      return experts * ExpertMatrix.recordBytes(record());
    }
  }

  /** One quantized matrix of {@code dense.safetensors}. */
  record Dense(int index, PlannedTensor tensor) implements Chunk {
    @Override
    public String item() {
      return "dense-%05d".formatted(index);
    }

    @Override
    public List<PlannedTensor> tensors() {
      return List.of(tensor);
    }

    @Override
    public long storedBytes() {
      return tensor.storedBytes();
    }
  }
}
