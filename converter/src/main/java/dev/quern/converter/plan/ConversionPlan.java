package dev.quern.converter.plan;

import dev.quern.format.PackManifest.QuantizedTensor;
import dev.quern.model.LeftAside;
import dev.quern.model.ModelConfig;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Everything a conversion will do, before a weight is read: small independent pieces, and the files
 * put together from them. The pieces do not decide bytes: the files are the same however the
 * experts of a layer are cut.
 *
 * @param config of the model
 * @param precision what is stored at how many bits
 * @param layers one file per layer with experts
 * @param standIns as many files with low-bit copies of the experts, or none
 * @param dense the file of everything else
 * @param leftAside what the model's files hold beside the model
 */
public record ConversionPlan(
    ModelConfig config,
    Precision precision,
    List<OutputFile.Layer> layers,
    List<OutputFile.Layer> standIns,
    OutputFile.DenseTensors dense,
    List<LeftAside> leftAside) {

  /** Input of one piece: a second or less of work, little lost when it is interrupted. */
  public static final long DEFAULT_CHUNK_BYTES = 48L << 20;

  private static final int TILE_ROWS = 64;

  /** Arrays of a tile of 64 rows that one quantizer holds: rows, tile, values and scratch. */
  private static final int TILE_ARRAYS = 6;

  public ConversionPlan {
    layers = List.copyOf(layers);
    standIns = List.copyOf(standIns);
    leftAside = List.copyOf(leftAside);
  }

  /** The files, dense tensors first: the embedding is often the longest piece. */
  public List<OutputFile> files() {
    List<OutputFile> files = new ArrayList<>();
    files.add(dense);
    files.addAll(layers);
    files.addAll(standIns);
    return files;
  }

  /** Every tensor of the model once: without stand-ins. */
  public Stream<PlannedTensor> tensors() {
    return Stream.concat(
        Stream.concat(dense.chunks().stream(), layers.stream().flatMap(l -> l.chunks().stream()))
            .flatMap(chunk -> chunk.tensors().stream()),
        dense.copied().stream());
  }

  public long inputBytes() {
    return tensors().mapToLong(tensor -> tensor.source().bytes()).sum();
  }

  /**
   * Exact length of the files with weights, without stand-ins; manifest, statistics and tokenizer
   * come on top.
   */
  public long outputBytes() {
    return dense.fileBytes() + expertBytes();
  }

  /** Exact length of the files of stand-ins, which come on top too. */
  public long standInBytes() {
    return standIns.stream().mapToLong(OutputFile::fileBytes).sum();
  }

  public long parameters() {
    return tensors().mapToLong(tensor -> tensor.source().elements()).sum();
  }

  /** Weights of routed experts. */
  public long expertParameters() {
    return layers.stream()
        .flatMap(layer -> layer.chunks().stream())
        .flatMap(chunk -> chunk.tensors().stream())
        .mapToLong(tensor -> tensor.source().elements())
        .sum();
  }

  public long expertBytes() {
    return layers.stream().mapToLong(OutputFile::fileBytes).sum();
  }

  /** Everything stored but the stand-ins, in bits per weight of the source. */
  public double bitsPerWeight() {
    return (double) outputBytes() * Byte.SIZE / parameters();
  }

  /** The same of the routed experts alone; NaN where there are none. */
  public double expertBitsPerWeight() {
    return (double) expertBytes() * Byte.SIZE / expertParameters();
  }

  /** What stand-ins add, in bits per weight of a routed expert; NaN where there are no experts. */
  public double standInBitsPerWeight() {
    return (double) standInBytes() * Byte.SIZE / expertParameters();
  }

  /**
   * Largest disk space needed at once: all chunks, then one file after another in place of its
   * chunks.
   *
   * @param tasks that run at once
   */
  public long diskBytes(int tasks) {
    long chunks =
        files().stream()
            .flatMap(file -> file.chunks().stream())
            .mapToLong(Chunk::storedBytes)
            .sum();
    long together =
        files().stream()
            .map(OutputFile::fileBytes)
            .sorted(Comparator.reverseOrder())
            .limit(tasks)
            .mapToLong(Long::longValue)
            .sum();
    return Math.max(chunks, outputBytes() + standInBytes()) + together;
  }

  /** Heap of one task: tiles of the widest matrix. */
  public long taskHeapBytes() {
    return files().stream()
        .flatMap(file -> file.chunks().stream())
        .flatMap(chunk -> chunk.tensors().stream())
        .filter(PlannedTensor::quantized)
        .mapToLong(t -> (long) TILE_ARRAYS * TILE_ROWS * t.source().cols() * Float.BYTES)
        .max()
        .orElse(0);
  }

  /** Memory of one task outside the heap: what it writes at once, and 64 rows of input. */
  public long taskNativeBytes() {
    return files().stream()
        .flatMap(file -> file.chunks().stream())
        .mapToLong(ConversionPlan::nativeBytes)
        .max()
        .orElse(0);
  }

  private static long nativeBytes(Chunk chunk) {
    long written =
        switch (chunk) {
          case Chunk.Experts experts -> experts.storedBytes() / experts.experts();
          case Chunk.Dense dense -> dense.storedBytes();
        };
    return written
        + chunk.tensors().stream().mapToLong(t -> t.source().readBytes(TILE_ROWS)).max().orElse(0);
  }

  /** The quantized tensors outside experts, for the manifest. */
  public SortedMap<String, QuantizedTensor> quantizedTensors() {
    SortedMap<String, QuantizedTensor> entries = new TreeMap<>();
    for (Chunk.Dense chunk : dense.chunks()) {
      chunk.tensor().quantizedEntry().ifPresent(e -> entries.put(chunk.tensor().name(), e));
    }
    return entries;
  }
}
