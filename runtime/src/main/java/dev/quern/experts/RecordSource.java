package dev.quern.experts;

import dev.quern.format.ExpertFile;
import dev.quern.format.FormatException;
import dev.quern.system.DataFile;
import dev.quern.system.DiskSpeed;
import dev.quern.system.IoMode;
import dev.quern.system.MappedPages;
import dev.quern.system.PageMemory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The records of a pack's experts on disk. Reads may run at the same time, each of one record by
 * one read: from the page in which it begins to the page in which it ends.
 */
final class RecordSource implements AutoCloseable {
  private final IoMode mode;
  private final ExpertFile[] files; // null for layers without experts
  private final DataFile[] data;
  private final int numExperts;
  private String note = "";

  /**
   * @param layers of the model; the files stay the caller's
   */
  RecordSource(List<Optional<ExpertFile>> layers, IoMode mode) throws IOException {
    this.mode = mode;
    files = new ExpertFile[layers.size()];
    data = new DataFile[layers.size()];
    int most = 0;
    try {
      for (int layer = 0; layer < files.length; layer++) {
        if (layers.get(layer).isPresent()) {
          files[layer] = layers.get(layer).get();
          data[layer] = DataFile.open(files[layer].file(), mode);
          most = Math.max(most, files[layer].numExperts());
          if (note.isEmpty()) {
            note = data[layer].note().orElse("");
          }
        }
      }
      if (most == 0) {
        throw new IllegalArgumentException("no layer has experts");
      }
    } catch (Throwable e) {
      close();
      throw e;
    }
    numExperts = most;
  }

  int numLayers() {
    return files.length;
  }

  int numExperts() {
    return numExperts;
  }

  /** What is read otherwise than asked for, one line. */
  Optional<String> note() {
    return note.isEmpty() ? Optional.empty() : Optional.of(note);
  }

  boolean inPlace() {
    return mode == IoMode.MMAP;
  }

  boolean hasExperts(int layer) {
    return files[layer] != null;
  }

  ExpertFile file(int layer) {
    return files[layer];
  }

  /** Of the largest extent of a layer's records. */
  long slotBytes(int layer) {
    return slotBytes(files[layer]);
  }

  /** Of the largest extent of a file's records. */
  static long slotBytes(ExpertFile file) {
    long most = 0;
    for (int expert = 0; expert < file.numExperts(); expert++) {
      most = Math.max(most, extentBytes(file, expert));
    }
    return most;
  }

  /** Bytes of the pages in which a record lies. */
  long extentBytes(int layer, int expert) {
    return extentBytes(files[layer], expert);
  }

  private static long extentBytes(ExpertFile file, int expert) {
    long offset = file.recordOffset(expert);
    return PageMemory.roundUp(offset % PageMemory.PAGE_BYTES + file.recordStride());
  }

  /**
   * Reads one record.
   *
   * @param slot at least {@link #extentBytes}, written; not used where records are used in place
   * @return the record without its padding
   * @throws FormatException if the file has shrunk or the record is damaged
   * @throws IOException if the disk fails; the message names file and expert
   */
  MemorySegment read(int layer, int expert, MemorySegment slot, boolean verify) throws IOException {
    ExpertFile file = files[layer];
    try {
      MemorySegment padded = inPlace() ? populated(layer, expert) : copied(layer, expert, slot);
      if (verify) {
        file.verify(expert, padded);
      }
      return padded.asSlice(0, file.recordBytes());
    } catch (FormatException e) {
      throw e;
    } catch (IOException | UncheckedIOException e) {
      throw new IOException(
          "%s, expert %d: %d bytes at byte %d were not read: %s. Are the disk and the file sound?"
              .formatted(
                  file.file().getFileName(),
                  expert,
                  file.recordStride(),
                  file.recordOffset(expert),
                  e.getMessage()),
          e);
    }
  }

  private MemorySegment copied(int layer, int expert, MemorySegment slot) throws IOException {
    ExpertFile file = files[layer];
    long offset = file.recordOffset(expert);
    long inSlot = offset % PageMemory.PAGE_BYTES;
    long read = data[layer].read(slot.asSlice(0, extentBytes(layer, expert)), offset - inSlot);
    if (read < inSlot + file.recordStride()) {
      throw shrunk(layer, expert, offset - inSlot + read);
    }
    return slot.asSlice(inSlot, file.recordStride());
  }

  /** A page that the file no longer has must not be touched: the length is compared before. */
  private MemorySegment populated(int layer, int expert) throws IOException {
    ExpertFile file = files[layer];
    long found = data[layer].bytes();
    if (found < file.recordOffset(expert) + file.recordStride()) {
      throw shrunk(layer, expert, found);
    }
    MemorySegment padded = file.paddedRecord(expert);
    MappedPages.populate(padded);
    return padded;
  }

  private FormatException shrunk(int layer, int expert, long found) {
    ExpertFile file = files[layer];
    return FormatException.of(
        file.file(),
        "expert " + expert,
        "file length",
        "at least " + (file.recordOffset(expert) + file.recordStride()),
        found,
        "The file has changed: is it complete?");
  }

  /** A record that is used in place leaves memory. */
  void drop(int layer, int expert) {
    if (inPlace()) {
      MappedPages.drop(files[layer].paddedRecord(expert));
      data[layer].forget(files[layer].recordOffset(expert), files[layer].recordStride());
    }
  }

  /** How fast records of the largest size come. */
  DiskSpeed measure(long maxMillis) throws IOException {
    List<Path> paths = new ArrayList<>();
    long largest = 0;
    for (int layer = 0; layer < files.length; layer++) {
      if (hasExperts(layer)) {
        paths.add(files[layer].file());
        largest = Math.max(largest, slotBytes(layer));
      }
    }
    return DiskSpeed.measure(paths, mode, largest, maxMillis);
  }

  @Override
  public void close() {
    for (DataFile file : data) {
      if (file != null) {
        file.close();
      }
    }
  }
}
