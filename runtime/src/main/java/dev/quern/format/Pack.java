package dev.quern.format;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * A converted model, opened: manifest, dense tensors and one file of experts per MoE layer; a pack
 * may hold stand-ins too, low-bit copies of all experts in files of the same kind.
 */
public final class Pack implements AutoCloseable {
  public static final String DENSE_NAME = "dense.safetensors";
  public static final String EXPERTS_FOLDER = "experts";
  public static final String STAND_INS_FOLDER = "stand-in";
  private static final String EXPERTS_SUFFIX = ".qexp";

  private final Path dir;
  private final PackManifest manifest;
  private final SafetensorsFolder dense;
  private final SortedMap<Integer, ExpertFile> experts = new TreeMap<>();
  private final SortedMap<Integer, ExpertFile> standIns = new TreeMap<>();

  private Pack(Path dir, PackManifest manifest, SafetensorsFolder dense) {
    this.dir = dir;
    this.manifest = manifest;
    this.dense = dense;
  }

  /** {@code experts/layer-00007.qexp}, relative to the pack. */
  public static String expertPath(int layer) {
    return layerPath(EXPERTS_FOLDER, layer);
  }

  /** {@code stand-in/layer-00007.qexp}, relative to the pack. */
  public static String standInPath(int layer) {
    return layerPath(STAND_INS_FOLDER, layer);
  }

  private static String layerPath(String folder, int layer) {
    return "%s/layer-%05d%s".formatted(folder, layer, EXPERTS_SUFFIX);
  }

  /** Whether a file of the pack is one of experts or of stand-ins. */
  static boolean isExpertPath(String path) {
    return isIn(EXPERTS_FOLDER, path) || isIn(STAND_INS_FOLDER, path);
  }

  private static boolean isIn(String folder, String path) {
    return path.startsWith(folder + "/") && path.endsWith(EXPERTS_SUFFIX);
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
    Pack pack = new Pack(dir, manifest, SafetensorsFolder.open(dir.resolve(DENSE_NAME)));
    try {
      pack.checkTensors();
      for (String path : manifest.files().keySet()) {
        if (isIn(EXPERTS_FOLDER, path)) {
          addExperts(dir, path, EXPERTS_FOLDER, pack.experts);
        } else if (isIn(STAND_INS_FOLDER, path)) {
          addExperts(dir, path, STAND_INS_FOLDER, pack.standIns);
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

  private static void addExperts(
      Path dir, String path, String folder, SortedMap<Integer, ExpertFile> files)
      throws IOException {
    ExpertFile file = ExpertFile.open(dir.resolve(path));
    boolean named = layerPath(folder, file.layer()).equals(path);
    if (!named) {
      file.close();
      throw FormatException.of(
          file.file(), "byte 12", "layer", "the one of its name", file.layer(), "");
    }
    files.put(file.layer(), file);
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

  /** Low-bit copies of a layer's experts; empty where the pack was made without, or has none. */
  public Optional<ExpertFile> standInFile(int layer) {
    return Optional.ofNullable(standIns.get(layer));
  }

  public boolean hasStandIns() {
    return !standIns.isEmpty();
  }

  @Override
  public void close() {
    experts.values().forEach(ExpertFile::close);
    standIns.values().forEach(ExpertFile::close);
    dense.close();
  }
}
