package dev.quern.model;

import dev.quern.experts.ExpertReadException;
import dev.quern.experts.ExpertStore;
import dev.quern.experts.ExpertViews;
import dev.quern.format.DType;
import dev.quern.format.ExpertFile;
import dev.quern.format.ExpertMatrix;
import dev.quern.format.FormatException;
import dev.quern.kernels.Matrix;
import dev.quern.quant.Linear;
import dev.quern.quant.QuantScheme;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Makes experts of the records of a pack, and of those of its stand-ins. */
final class PackedExperts {
  private final ModelSource.Packed pack;
  private final PackedMaps maps;

  /**
   * @param maps whose rotations the experts share with the rest of the model
   */
  PackedExperts(ModelSource.Packed pack, PackedMaps maps) {
    this.pack = pack;
    this.maps = maps;
  }

  /** One matrix in the bytes of a record. */
  Linear map(ExpertMatrix matrix, Path file, TensorKey key, MemorySegment record)
      throws IOException {
    MemorySegment data = record.asSlice(matrix.offset(), matrix.bytes());
    if (matrix.scheme().isPresent()) {
      return maps.packed(
          key,
          matrix.rows(),
          matrix.cols(),
          matrix.scheme().get(),
          matrix.codebook(),
          matrix.scaleTable(),
          data,
          pack.pack().manifest().seed());
    }
    Matrix.Element element =
        WeightsLoader.element(matrix.dense().orElseThrow())
            .orElseThrow(() -> notMultiplied(file, key, matrix.dense()));
    return Linear.plain(new Matrix.Dense(element, matrix.rows(), matrix.cols(), data));
  }

  /** Experts over the bytes of their records, wherever these have been read to. */
  ExpertViews views() {
    return (layer, expert, record) -> {
      try {
        Path file = pack.pack().expertFile(layer).orElseThrow().file();
        return expert(pack::expertMatrix, file, layer, expert, record);
      } catch (IOException e) {
        throw new ExpertReadException(e);
      }
    };
  }

  /** How a matrix of an expert, or of its stand-in, is stored. */
  @FunctionalInterface
  private interface MatrixOf {
    ExpertMatrix of(TensorKey key) throws FormatException;
  }

  private ExpertStore.Expert expert(
      MatrixOf matrices, Path file, int layer, int expert, MemorySegment record)
      throws IOException {
    TensorKey gate = new TensorKey(TensorRole.EXPERT_GATE, layer, expert);
    TensorKey up = new TensorKey(TensorRole.EXPERT_UP, layer, expert);
    TensorKey down = new TensorKey(TensorRole.EXPERT_DOWN, layer, expert);
    return new ExpertStore.Expert(
        map(matrices.of(gate), file, gate, record),
        map(matrices.of(up), file, up, record),
        map(matrices.of(down), file, down, record));
  }

  /**
   * Low-bit copies of all experts, in place in their mapped files and read into memory.
   *
   * @return experts of every layer; empty for layers without
   * @throws FormatException if the pack has none at so many bits
   */
  List<List<ExpertStore.Expert>> standIns(int bits) throws IOException {
    ModelConfig config = pack.config();
    List<List<ExpertStore.Expert>> layers = new ArrayList<>();
    for (int layer = 0; layer < config.numLayers(); layer++) {
      List<ExpertStore.Expert> experts = new ArrayList<>();
      if (config.hasExperts(layer)) {
        ExpertFile file = checkedStandIns(layer, bits);
        for (int expert = 0; expert < config.numExperts(); expert++) {
          MemorySegment record = file.record(expert);
          record.load();
          experts.add(expert(pack::standInMatrix, file.file(), layer, expert, record));
        }
      }
      layers.add(experts);
    }
    return layers;
  }

  private ExpertFile checkedStandIns(int layer, int bits) throws FormatException {
    Optional<ExpertFile> file = pack.pack().standInFile(layer);
    int found =
        file.flatMap(f -> f.matrices().getFirst().scheme()).map(QuantScheme::bits).orElse(0);
    if (file.isEmpty() || found != bits) {
      throw new FormatException(
          "%s: stand-ins: expected copies of the experts at %d bits, found %s. Convert with --stand-in-bits %d"
              .formatted(pack.path(), bits, found == 0 ? "none" : "some at " + found, bits));
    }
    return file.get();
  }

  private static FormatException notMultiplied(Path file, TensorKey key, Optional<DType> found) {
    return FormatException.of(
        file,
        "header",
        "dtype of " + key.describe(),
        "F32, F16 or BF16",
        found.orElseThrow(),
        "Convert again.");
  }
}
