package dev.quern.format;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** Compares every byte of a pack with its checksums. */
public final class PackVerifier {

  /** Told while a pack is being read. */
  public interface Listener {
    /** Called after each file. */
    default void progress(String path, long doneBytes, long totalBytes) {}

    /**
     * @param record the file, or the expert or tensor in it that is damaged
     * @param message one line: expected, found, what to do
     */
    void problem(String record, String message);
  }

  /**
   * What was read.
   *
   * @param records experts and tensors that were compared one by one
   */
  public record Result(int files, long records, long bytes, int problems) {}

  private final Path dir;
  private final Listener listener;
  private long records;
  private int problems;

  private PackVerifier(Path dir, Listener listener) {
    this.dir = dir;
    this.listener = listener;
  }

  /**
   * Reads a pack from end to end.
   *
   * @throws FormatException if there is no readable manifest to compare with
   */
  public static Result verify(Path dir, Listener listener) throws IOException {
    PackManifest manifest = PackManifest.read(dir);
    PackVerifier verifier = new PackVerifier(dir, listener);
    long total = manifest.files().values().stream().mapToLong(PackManifest.FileEntry::bytes).sum();
    long done = 0;
    for (Map.Entry<String, PackManifest.FileEntry> entry : manifest.files().entrySet()) {
      try {
        verifier.verifyFile(entry.getKey(), entry.getValue());
      } catch (FormatException e) {
        verifier.problem(entry.getKey(), e.getMessage());
      }
      done += entry.getValue().bytes();
      listener.progress(entry.getKey(), done, total);
    }
    if (verifier.problems == 0) {
      verifier.checkOpens();
    }
    if (ShadowFile.isIn(dir)) {
      verifier.checkShadow();
    }
    return new Result(manifest.files().size(), verifier.records, done, verifier.problems);
  }

  /** Files may each be whole and still not belong together. */
  private void checkOpens() throws IOException {
    try {
      Pack.open(dir).close();
    } catch (FormatException e) {
      problem(PackManifest.NAME, e.getMessage());
    }
  }

  /** A predictor is trained after the pack was finished: it carries its own checksum. */
  private void checkShadow() throws IOException {
    try {
      records += ShadowFile.read(dir).tensors().size();
    } catch (FormatException e) {
      problem(ShadowFile.FOLDER, e.getMessage());
    }
  }

  private void verifyFile(String path, PackManifest.FileEntry expected) throws IOException {
    Path file = dir.resolve(path);
    if (!Files.isRegularFile(file)) {
      Pack.checkFile(dir, path, expected);
    }
    int before = problems;
    int found = checksum(path, file, expected);
    Pack.checkFile(dir, path, expected);
    // A damaged record has been reported by its name: the file's checksum says nothing new.
    if (found != expected.crc32c() && problems == before) {
      problem(path, mismatch(file, path, expected.crc32c(), found).getMessage());
    }
  }

  private int checksum(String path, Path file, PackManifest.FileEntry expected) throws IOException {
    if (Pack.isExpertPath(path)) {
      ExpertFile.Header header;
      try (ExpertFile experts = ExpertFile.open(file)) {
        header = experts.header();
      }
      records += header.experts();
      return FileChecksums.ofExpertFile(
          header, (expert, damage) -> problem(path + ", expert " + expert, damage.getMessage()));
    }
    PackManifest.FileEntry found = PackManifest.FileEntry.of(file);
    records += found.tensors().size();
    for (Map.Entry<String, Integer> tensor : expected.tensors().entrySet()) {
      Integer sum = found.tensors().get(tensor.getKey());
      if (!tensor.getValue().equals(sum)) {
        String place = "tensor '" + FormatException.quote(tensor.getKey()) + "'";
        problem(
            path + ", " + place,
            sum == null
                ? path + ", " + place + ": not in the file. Convert again."
                : mismatch(file, place, tensor.getValue(), sum).getMessage());
      }
    }
    return found.crc32c();
  }

  private static FormatException mismatch(Path file, String place, int expected, int found) {
    return FormatException.of(
        file,
        place,
        "CRC32C",
        "%08x".formatted(expected),
        "%08x".formatted(found),
        "It is damaged: convert again.");
  }

  private void problem(String record, String message) {
    problems++;
    listener.problem(record, message);
  }
}
