package dev.quern.converter.plan;

import dev.quern.format.ExpertFileWriter;
import dev.quern.format.Pack;
import dev.quern.format.SafetensorsWriter;
import dev.quern.format.SafetensorsWriter.Declared;
import java.io.Serializable;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** A file of the pack, put together from finished chunks. */
public sealed interface OutputFile extends Serializable {

  /** Begins the names of the pieces of work that make stand-ins. */
  String STAND_IN = "stand-in-";

  /** Its name as a piece of work. */
  String item();

  /** Relative to the pack. */
  String path();

  /** In the order in which their bytes lie in the file. */
  List<? extends Chunk> chunks();

  /** Exact length of the file. */
  long fileBytes();

  /**
   * The routed experts of one layer.
   *
   * @param standIn whether they are low-bit copies
   */
  record Layer(boolean standIn, int layer, int experts, List<Chunk.Experts> chunks)
      implements OutputFile {
    public Layer {
      chunks = List.copyOf(chunks);
    }

    @Override
    public String item() {
      return "%slayer-%05d".formatted(standIn ? STAND_IN : "", layer);
    }

    @Override
    public String path() {
      return standIn ? Pack.standInPath(layer) : Pack.expertPath(layer);
    }

    @Override
    public long fileBytes() {
      return ExpertFileWriter.fileBytes(chunks.getFirst().record(), experts);
    }
  }

  /**
   * Everything that is no routed expert.
   *
   * @param chunks the quantized tensors
   * @param copied the others, after them
   */
  record DenseTensors(List<Chunk.Dense> chunks, List<PlannedTensor> copied) implements OutputFile {
    public DenseTensors {
      chunks = List.copyOf(chunks);
      copied = List.copyOf(copied);
    }

    @Override
    public String item() {
      return "dense";
    }

    @Override
    public String path() {
      return Pack.DENSE_NAME;
    }

    /** The table of contents, in file order. */
    public List<Declared> declared() {
      return Stream.concat(
              chunks.stream().map(chunk -> chunk.tensor().declared()),
              copied.stream().map(PlannedTensor::declared))
          .toList();
    }

    /** What other tools see as metadata. */
    public Map<String, String> metadata() {
      return Map.of("format", "pt");
    }

    @Override
    public long fileBytes() {
      return SafetensorsWriter.fileBytes(declared(), metadata());
    }
  }
}
