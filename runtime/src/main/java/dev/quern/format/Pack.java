package dev.quern.format;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** A converted model, opened: manifest, dense tensors and one file of experts per MoE layer. */
public final class Pack implements AutoCloseable {
  public static final String DENSE_NAME = "dense.safetensors";
  public static final String EXPERTS_FOLDER = "experts";
  private static final String EXPERTS_SUFFIX = ".qexp";

  private final Path dir;
  private final PackManifest manifest;
  private final SafetensorsFolder dense;
  private final SortedMap<Integer, ExpertFile> experts;

  private Pack(
      Path dir,
      PackManifest manifest,
      SafetensorsFolder dense,
      SortedMap<Integer, ExpertFile> experts) {
    this.dir = dir;
    this.manifest = manifest;
    this.dense = dense;
    this.experts = experts;
  }

  /** {@code experts/layer-00007.qexp}, relative to the pack. */
  public static String expertPath(int layer) {
    return "%s/layer-%05d%s".formatted(EXPERTS_FOLDER, layer, EXPERTS_SUFFIX);
  }

  static boolean isExpertPath(String path) {
    return path.startsWith(EXPERTS_FOLDER + "/") && path.endsWith(EXPERTS_SUFFIX);
  }

  /** Whether a folder holds a finished pack. */
  public static boolean isPack(Path dir) {
    return Files.exists(dir.resolve(PackManifest.NAME));
  }

  /**
   * Opens a pack after checking that every file is there with its length, and that headers agree
   * with the manifest. Checksums of the data are compared by {@link PackVerifier}.
   *
   * @throws FormatException if it is unfinished or something does not fit
   */
  public static Pack open(Path dir) throws IOException {
    PackManifest manifest = PackManifest.read(dir);
    for (Map.Entry<String, PackManifest.FileEntry> entry : manifest.files().entrySet()) {
      checkFile(dir, entry.getKey(), entry.getValue());
    }
    if (!manifest.files().containsKey(DENSE_NAME)) {
      throw FormatException.of(
          dir.resolve(PackManifest.NAME), "files", "dense tensors", DENSE_NAME, "no entry", "");
    }
    SortedMap<Integer, ExpertFile> experts = new TreeMap<>();
    SafetensorsFolder dense = SafetensorsFolder.open(dir.resolve(DENSE_NAME));
    Pack pack = new Pack(dir, manifest, dense, experts);
    try {
      pack.checkTensors();
      for (String path : manifest.files().keySet()) {
        if (isExpertPath(path)) {
          pack.addExperts(path);
        }
      }
      return pack;
    } catch (Throwable e) {
      pack.close();
      throw e;
    }
  }

  /** Compares a file's length with the manifest's. */
  static void checkFile(Path dir, String path, PackManifest.FileEntry entry) throws IOException {
    Path file = dir.resolve(path);
    Object found = Files.isRegularFile(file) ? Files.size(file) : "no file";
    if (!found.equals(entry.bytes())) {
      throw FormatException.of(
          file,
          path,
          "file length",
          entry.bytes(),
          found,
          "The pack is incomplete: copy or convert it again.");
    }
  }

  private void addExperts(String path) throws IOException {
    ExpertFile file = ExpertFile.open(dir.resolve(path));
    boolean named = expertPath(file.layer()).equals(path);
    if (!named) {
      file.close();
      throw FormatException.of(
          file.file(), "byte 12", "layer", "the one of its name", file.layer(), "");
    }
    experts.put(file.layer(), file);
  }

  private void checkTensors() throws FormatException {
    for (Map.Entry<String, PackManifest.QuantizedTensor> entry : manifest.tensors().entrySet()) {
      TensorInfo stored = dense.tensors().get(entry.getKey());
      List<Long> shape = List.of(entry.getValue().bytes());
      if (stored == null || stored.dtype() != DType.U8 || !stored.shape().equals(shape)) {
        throw FormatException.of(
            dir.resolve(DENSE_NAME),
            "tensor '" + FormatException.quote(entry.getKey()) + "'",
            "packed bytes",
            "U8 " + shape,
            stored == null ? "no tensor" : stored.dtype() + " " + stored.shape(),
            "Do manifest and tensors belong together?");
      }
    }
  }

  public Path dir() {
    return dir;
  }

  public PackManifest manifest() {
    return manifest;
  }

  /** {@code dense.safetensors}: what {@link PackManifest#tensors} names is packed there as U8. */
  public SafetensorsFolder dense() {
    return dense;
  }

  /** Empty for a layer without routed experts. */
  public Optional<ExpertFile> expertFile(int layer) {
    return Optional.ofNullable(experts.get(layer));
  }

  @Override
  public void close() {
    experts.values().forEach(ExpertFile::close);
    dense.close();
  }
}
