package dev.quern.experts;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.quern.experts.ExpertStore.Expert;
import dev.quern.format.DType;
import dev.quern.format.ExpertFile;
import dev.quern.format.ExpertFileWriter;
import dev.quern.format.ExpertMatrix;
import dev.quern.kernels.Matrix;
import dev.quern.quant.Linear;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/** Expert files of random bytes: layer 1 has no experts, layer 2 larger records than the others. */
final class StreamedPack implements AutoCloseable {
  static final int TOP_K = 2;
  private static final int HIDDEN = 24;

  private final List<Optional<ExpertFile>> layers = new ArrayList<>();
  private final int numExperts;

  /**
   * @param width of the experts: their records have 3 · 24 · 4 · width bytes, and twice as many in
   *     layer 2
   */
  static StreamedPack write(Path folder, int numExperts, int width) throws IOException {
    StreamedPack pack = new StreamedPack(numExperts);
    for (int layer = 0; layer < 4; layer++) {
      if (layer == 1) {
        pack.layers.add(Optional.empty());
        continue;
      }
      int size = layer == 2 ? 2 * width : width;
      Path file = folder.resolve("layer-%05d.qexp".formatted(layer));
      List<ExpertMatrix> matrices =
          List.of(
              ExpertMatrix.dense(ExpertMatrix.Role.GATE, size, HIDDEN, DType.F32),
              ExpertMatrix.dense(ExpertMatrix.Role.UP, size, HIDDEN, DType.F32),
              ExpertMatrix.dense(ExpertMatrix.Role.DOWN, HIDDEN, size, DType.F32));
      try (ExpertFileWriter out = ExpertFileWriter.create(file, layer, numExperts, matrices)) {
        for (int expert = 0; expert < numExperts; expert++) {
          out.append(MemorySegment.ofArray(bytes(layer, expert, out.recordBytes())));
        }
        out.finish();
      }
      pack.layers.add(Optional.of(ExpertFile.open(file)));
    }
    return pack;
  }

  private StreamedPack(int numExperts) {
    this.numExperts = numExperts;
  }

  List<Optional<ExpertFile>> layers() {
    return layers;
  }

  int numExperts() {
    return numExperts;
  }

  ExpertFile file(int layer) {
    return layers.get(layer).orElseThrow();
  }

  StreamedExperts open(StreamOptions options) throws IOException {
    return StreamedExperts.open(layers, TOP_K, this::view, options);
  }

  Expert view(int layer, int expert, MemorySegment record) {
    List<Linear> matrices = new ArrayList<>();
    for (ExpertMatrix matrix : file(layer).matrices()) {
      matrices.add(
          Linear.plain(
              new Matrix.Dense(
                  Matrix.Element.F32,
                  matrix.rows(),
                  matrix.cols(),
                  record.asSlice(matrix.offset(), matrix.bytes()))));
    }
    return new Expert(matrices.get(0), matrices.get(1), matrices.get(2));
  }

  private static byte[] bytes(int layer, int expert, long count) {
    byte[] bytes = new byte[Math.toIntExact(count)];
    new Random(1000L * layer + expert).nextBytes(bytes);
    return bytes;
  }

  /** The expert's matrices are those of the file. */
  void check(int layer, int expert, Expert found) {
    byte[] expected = bytes(layer, expert, file(layer).recordBytes());
    int at = 0;
    for (Linear linear : List.of(found.gate(), found.up(), found.down())) {
      byte[] bytes = ((Matrix.Dense) linear.weight()).data().toArray(ValueLayout.JAVA_BYTE);
      byte[] part = Arrays.copyOfRange(expected, at, at + bytes.length);
      assertArrayEquals(part, bytes, () -> "layer %d, expert %d".formatted(layer, expert));
      at += bytes.length;
    }
    assertEquals(expected.length, at);
  }

  @Override
  public void close() {
    layers.forEach(file -> file.ifPresent(ExpertFile::close));
  }
}
