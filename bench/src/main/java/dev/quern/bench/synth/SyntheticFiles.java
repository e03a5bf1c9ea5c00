package dev.quern.bench.synth;

import dev.quern.format.Extent;
import dev.quern.format.RawTensor;
import dev.quern.format.RowEncoding;
import dev.quern.format.SafetensorsWriter.Declared;
import dev.quern.format.TensorFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/** Tensors that lie in no file: whole rows are made when they are asked for. */
final class SyntheticFiles implements TensorFiles {
  private final Path file;
  private final ModelFolder.Rows rows;
  private final Map<String, RawTensor> tensors = new LinkedHashMap<>();
  private final NavigableMap<Long, Declared> byOffset = new TreeMap<>();

  /**
   * @param file that would hold them all, for messages
   */
  SyntheticFiles(Path file, List<Declared> declared, ModelFolder.Rows rows) {
    this.file = file;
    this.rows = rows;
    long offset = 0;
    for (Declared tensor : declared) {
      RawTensor raw =
          new RawTensor(
              tensor.name(),
              new RowEncoding.Plain(tensor.dtype()),
              tensor.shape(),
              file,
              offset,
              tensor.bytes());
      tensors.put(tensor.name(), raw);
      byOffset.put(offset, tensor);
      offset = Math.addExact(offset, tensor.bytes());
    }
  }

  @Override
  public Map<String, RawTensor> rawTensors() {
    return Collections.unmodifiableMap(tensors);
  }

  @Override
  public List<Path> files() {
    return List.of(file);
  }

  /**
   * Rows of one tensor.
   *
   * @throws IllegalArgumentException if the extent is anything else
   */
  @Override
  public MemorySegment map(Extent extent) {
    Map.Entry<Long, Declared> entry = byOffset.floorEntry(extent.offset());
    Declared tensor = entry.getValue();
    long from = extent.offset() - entry.getKey();
    long rowBytes = tensor.dtype().bytes(tensor.shape().getLast());
    if (from % rowBytes != 0
        || extent.bytes() % rowBytes != 0
        || from + extent.bytes() > tensor.bytes()) {
      throw new IllegalArgumentException("%s: no rows of %s".formatted(extent, tensor));
    }
    MemorySegment made = MemorySegment.ofArray(new byte[Math.toIntExact(extent.bytes())]);
    try {
      rows.fill(tensor, from / rowBytes, (int) (extent.bytes() / rowBytes), made);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return made;
  }

  /** Holds nothing. */
  @Override
  public void close() {}
}
