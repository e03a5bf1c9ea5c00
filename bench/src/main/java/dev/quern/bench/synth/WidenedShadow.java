package dev.quern.bench.synth;

import dev.quern.format.FormatException;
import dev.quern.format.Json;
import dev.quern.format.SafetensorsWriter.Declared;
import dev.quern.format.ShadowFile;
import dev.quern.format.ShadowFile.Head;
import dev.quern.format.ShadowFile.Header;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The trained predictor of a narrow model for the wide one that {@link WidenedModel} makes of it.
 * It predicts the same, to the order of additions, and costs what one of that width costs.
 *
 * <p>A wide router reads the narrow one's input several times, so the matrices that read it get
 * more columns: the first copy's as they are, zeros for the others. Dividing them among the copies,
 * as the model does, would lose bits of small weights in F16. Token rows and all else stay.
 */
public final class WidenedShadow {
  private WidenedShadow() {}

  /**
   * @param hiddenSize of the wide model, a multiple of the narrow one's
   * @throws FormatException if it is none
   */
  public static ShadowFile of(ShadowFile narrow, int hiddenSize) throws FormatException {
    Header header = narrow.header();
    if (hiddenSize < header.hiddenSize() || hiddenSize % header.hiddenSize() != 0) {
      throw new FormatException(
          "hidden size: expected a multiple of the shadow's %,d, found %,d"
              .formatted(header.hiddenSize(), hiddenSize));
    }
    Header wide =
        new Header(
            header.numLayers(),
            hiddenSize,
            header.numExperts(),
            header.topK(),
            header.vocabSize(),
            header.tokenWidth(),
            header.width(),
            header.heads());
    Set<String> read =
        header.heads().stream().map(WidenedShadow::input).collect(Collectors.toSet());
    Map<String, MemorySegment> tensors = new HashMap<>();
    for (Declared tensor : wide.declared()) {
      MemorySegment stored = narrow.tensors().get(tensor.name());
      tensors.put(tensor.name(), read.contains(tensor.name()) ? padded(stored, tensor) : stored);
    }
    return new ShadowFile(wide, tensors);
  }

  /** The matrix through which a head reads the router's input. */
  private static String input(Head head) {
    return switch (head.kind()) {
      case LINEAR -> ShadowFile.headName(head, "input");
      case TWO_LAYER -> ShadowFile.hiddenName(head.layer(), "input");
    };
  }

  /** Zeros after every row. */
  private static MemorySegment padded(MemorySegment narrow, Declared wide) {
    List<Long> shape = wide.shape();
    long from = narrow.byteSize() / shape.getFirst();
    long to = wide.bytes() / shape.getFirst();
    MemorySegment data = Arena.ofAuto().allocate(wide.bytes(), 64);
    for (long row = 0; row < shape.getFirst(); row++) {
      MemorySegment.copy(narrow, row * from, data, row * to, from);
    }
    return data;
  }

  /**
   * Writes {@code shadow/} beside a wide model or pack.
   *
   * @param narrow folder in which the trained predictor lies
   * @param folder of the wide model
   * @param hiddenSize the wide model's
   * @return bytes written
   */
  public static long write(Path narrow, Path folder, int hiddenSize) throws IOException {
    ShadowFile wide = of(ShadowFile.read(narrow), hiddenSize);
    wide.write(folder, Json.mapper().createObjectNode());
    return wide.header().bytes();
  }
}
