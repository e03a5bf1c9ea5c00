package dev.quern.format;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.zip.CRC32C;
import java.util.zip.Checksum;

/** CRC32C of a file and of its parts in one pass. */
final class FileChecksums {
  /** Feeds two checksums, a part's and the whole file's. */
  private record Both(CRC32C part, CRC32C whole) implements Checksum {
    @Override
    public void update(int b) {
      part.update(b);
      whole.update(b);
    }

    @Override
    public void update(byte[] bytes, int offset, int length) {
      part.update(bytes, offset, length);
      whole.update(bytes, offset, length);
    }

    @Override
    public long getValue() {
      return part.getValue();
    }

    @Override
    public void reset() {
      part.reset();
    }
  }

  private final Path file;
  private final FileChannel channel;
  private final Both checksum = new Both(new CRC32C(), new CRC32C());
  private long position;

  private FileChecksums(Path file, FileChannel channel) {
    this.file = file;
    this.channel = channel;
  }

  static PackManifest.FileEntry of(Path file) throws IOException {
    boolean safetensors = file.getFileName().toString().endsWith(".safetensors");
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      FileChecksums sums = new FileChecksums(file, channel);
      SortedMap<String, Integer> tensors = new TreeMap<>();
      if (safetensors) {
        SafetensorsIndex index = SafetensorsIndex.read(file);
        sums.next(index.dataStart());
        for (TensorInfo tensor : index.tensors()) {
          tensors.put(tensor.name(), sums.next(tensor.bytes()));
        }
      }
      long bytes = channel.size();
      sums.next(bytes - sums.position);
      return new PackManifest.FileEntry(bytes, sums.whole(), tensors);
    }
  }

  /**
   * The file's checksum, with each record of an expert file compared on the way.
   *
   * @param problem told of each damaged record, by its expert
   */
  static int ofExpertFile(ExpertFile.Header header, BiConsumer<Integer, FormatException> problem)
      throws IOException {
    try (FileChannel channel = FileChannel.open(header.file(), StandardOpenOption.READ)) {
      FileChecksums sums = new FileChecksums(header.file(), channel);
      sums.next(header.dataStart());
      for (int expert = 0; expert < header.experts(); expert++) {
        int found = sums.next(header.recordStride());
        try {
          ExpertFile.checkRecord(header, expert, found);
        } catch (FormatException e) {
          problem.accept(expert, e);
        }
      }
      return sums.whole();
    }
  }

  /** Checksum of the next part. */
  private int next(long bytes) throws IOException {
    checksum.reset();
    FileCursor.update(checksum, channel, file, position, bytes);
    position += bytes;
    return (int) checksum.getValue();
  }

  private int whole() {
    return (int) checksum.whole().getValue();
  }
}
