package dev.quern.converter.work;

import dev.quern.format.AtomicFile;
import dev.quern.format.FormatException;
import dev.quern.format.Pack;
import dev.quern.format.PackManifest;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The folder a conversion writes to, held by one conversion at a time. Knows which files are a
 * conversion's own, so that nothing else is ever overwritten or deleted.
 */
public final class OutputDirectory implements AutoCloseable {
  /** Unfinished things; its own, with everything in it. */
  public static final String WORK_FOLDER = "quern-work";

  /** Error and sizes of every tensor. */
  public static final String STATISTICS = "stats/tensors.parquet";

  private static final List<String> COMMON_NAMES =
      Stream.concat(SideFiles.NAMES.stream(), Stream.of(Pack.DENSE_NAME)).toList();

  private static final String LOCK_NAME = "quern.lock";
  private static final Set<String> HARMLESS =
      Set.of(LOCK_NAME, ConversionRecord.PLAN_NAME + AtomicFile.PART_SUFFIX);
  private static final Pattern EXPERT_FILE = Pattern.compile("layer-\\d{5,}\\.qexp(\\.part)?");

  /** What a conversion finds in its folder. */
  public enum State {
    /** Nothing, or what {@code --force} lets go. */
    FRESH,
    /** An unfinished pack of the same plan. */
    RESUMABLE,
    /** The finished pack of the same plan. */
    COMPLETE
  }

  private final Path dir;
  private final ConversionRecord record;
  private final FileChannel lockChannel;
  private State state = State.FRESH;

  private OutputDirectory(Path dir, ConversionRecord record, FileChannel lockChannel) {
    this.dir = dir;
    this.record = record;
    this.lockChannel = lockChannel;
  }

  /**
   * Looks without changing anything.
   *
   * @param resume whether an unfinished pack of the same plan may be continued
   * @param force whether packs may be replaced and other files may stand beside
   * @throws FormatException if a conversion must not write here, with the reason and what to do
   */
  public static State examine(Path dir, ConversionRecord record, boolean resume, boolean force)
      throws IOException {
    if (!Files.exists(dir)) {
      return State.FRESH;
    }
    if (!Files.isDirectory(dir)) {
      throw new FormatException(dir + ": not a folder. Choose another --out");
    }
    if (Files.exists(dir.resolve(PackManifest.NAME))) {
      return examinePack(dir, record, force);
    }
    if (Files.exists(dir.resolve(ConversionRecord.PLAN_NAME))) {
      return examineUnfinished(dir, record, resume, force);
    }
    String foreign = firstForeign(dir);
    if (foreign.endsWith(".safetensors") && !foreign.equals(Pack.DENSE_NAME)) {
      throw new FormatException(
          "%s: holds model weights (%s). Choose another --out".formatted(dir, foreign));
    }
    if (!foreign.isEmpty() && !force) {
      throw new FormatException(
          "%s: not empty (%s) and no pack of quern. Choose another --out, or --force to write beside"
              .formatted(dir, foreign));
    }
    // Names that others use too: nothing says that a conversion wrote these files.
    for (String name : COMMON_NAMES) {
      if (Files.exists(dir.resolve(name))) {
        throw new FormatException(
            "%s: no pack of quern, and its %s would be overwritten. Choose another --out, or remove it"
                .formatted(dir, name));
      }
    }
    return State.FRESH;
  }

  private static State examinePack(Path dir, ConversionRecord record, boolean force)
      throws IOException {
    if (force) {
      return State.FRESH;
    }
    Path made = dir.resolve(ConversionRecord.NAME);
    if (!Files.exists(made)) {
      throw new FormatException(
          "%s: a finished pack without %s. Choose another --out, or --force to replace it"
              .formatted(dir, ConversionRecord.NAME));
    }
    List<String> differences = ConversionRecord.read(made).differences(record);
    if (!differences.isEmpty()) {
      throw new FormatException(
          "%s: a finished pack made otherwise: %s. Choose another --out, or --force to replace it"
              .formatted(dir, String.join(", ", differences)));
    }
    return State.COMPLETE;
  }

  private static State examineUnfinished(
      Path dir, ConversionRecord record, boolean resume, boolean force) throws IOException {
    ConversionRecord begun;
    try {
      begun = ConversionRecord.read(dir.resolve(ConversionRecord.PLAN_NAME));
    } catch (FormatException e) {
      if (force) {
        return State.FRESH;
      }
      throw new FormatException(
          "%s: an unfinished pack whose plan is damaged (%s). --force starts again"
              .formatted(dir, e.getMessage()),
          e);
    }
    List<String> differences = begun.differences(record);
    if (differences.isEmpty()) {
      return resume && !force ? State.RESUMABLE : State.FRESH;
    }
    if (!force) {
      throw new FormatException(
          "%s: an unfinished pack of another plan: %s. Repeat the old options to resume, or --force to start again"
              .formatted(dir, String.join(", ", differences)));
    }
    return State.FRESH;
  }

  /** The first weights file that is not ours, else the first other file; "" for an empty folder. */
  private static String firstForeign(Path dir) throws IOException {
    try (Stream<Path> entries = Files.list(dir)) {
      List<String> names =
          entries
              .map(entry -> entry.getFileName().toString())
              .filter(name -> !HARMLESS.contains(name))
              .sorted()
              .toList();
      return names.stream()
          .filter(name -> name.endsWith(".safetensors") && !name.equals(Pack.DENSE_NAME))
          .findFirst()
          .orElse(names.isEmpty() ? "" : names.getFirst());
    }
  }

  /**
   * Locks the folder, examines it, and makes it ready: an unfinished pack that is not continued and
   * a pack that is replaced are deleted, the plan is written.
   *
   * @throws FormatException as {@link #examine}, or if another conversion holds the folder
   */
  public static OutputDirectory open(
      Path dir, ConversionRecord record, boolean resume, boolean force) throws IOException {
    Files.createDirectories(dir);
    FileChannel channel =
        FileChannel.open(
            dir.resolve(LOCK_NAME), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      lock(dir, channel);
    } catch (Throwable e) {
      channel.close();
      throw e;
    }
    OutputDirectory output = new OutputDirectory(dir, record, channel);
    try {
      output.prepare(resume, force);
      return output;
    } catch (Throwable e) {
      output.close();
      throw e;
    }
  }

  private void prepare(boolean resume, boolean force) throws IOException {
    state = examine(dir, record, resume, force);
    switch (state) {
      case FRESH -> {
        deleteOwn();
        record.write(dir.resolve(ConversionRecord.PLAN_NAME));
      }
      case RESUMABLE -> {}
      case COMPLETE -> deleteUnfinished();
    }
  }

  private static void lock(Path dir, FileChannel channel) throws IOException {
    FileLock lock;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException e) {
      throw inUse(dir, e);
    }
    if (lock == null) {
      throw inUse(dir, null);
    }
  }

  private static FormatException inUse(Path dir, Throwable cause) {
    return new FormatException(
        dir + ": another conversion is writing here. Wait for it or choose another --out", cause);
  }

  public State state() {
    return state;
  }

  public Path work() {
    return dir.resolve(WORK_FOLDER);
  }

  /** Writes what the pack holds beside weights; returns the names. */
  public List<String> write(SideFiles files) throws IOException {
    return files.write(dir);
  }

  /** Writes the record, then the manifest, which makes the pack; then deletes what is left over. */
  public void finish(PackManifest manifest) throws IOException {
    manifest.write(dir);
    deleteUnfinished();
  }

  /** Writes {@link ConversionRecord#NAME}. */
  public void writeRecord() throws IOException {
    record.write(dir.resolve(ConversionRecord.NAME));
  }

  /** Gives up: deletes everything a conversion writes, and the folder if it is empty then. */
  public void abandon() throws IOException {
    deleteOwn();
    lockChannel.close();
    Files.deleteIfExists(dir.resolve(LOCK_NAME));
    deleteIfEmpty(dir);
  }

  /** Bytes of a conversion's own files here: what a new one may use again. */
  public static long ownBytes(Path dir) throws IOException {
    long bytes = 0;
    if (Files.isDirectory(dir)) {
      for (Path file : ownFiles(dir)) {
        bytes += Files.size(file);
      }
    }
    return bytes;
  }

  /** The manifest first: from then on the pack is unfinished. */
  private void deleteOwn() throws IOException {
    Files.deleteIfExists(dir.resolve(PackManifest.NAME));
    for (Path file : ownFiles(dir)) {
      Files.deleteIfExists(file);
    }
    for (String folder :
        List.of(WORK_FOLDER, Pack.EXPERTS_FOLDER, Pack.STAND_INS_FOLDER, "stats")) {
      deleteEmptyFolders(dir.resolve(folder));
    }
  }

  private void deleteUnfinished() throws IOException {
    for (Path file : filesBelow(dir.resolve(WORK_FOLDER))) {
      Files.deleteIfExists(file);
    }
    deleteEmptyFolders(dir.resolve(WORK_FOLDER));
    Files.deleteIfExists(dir.resolve(ConversionRecord.PLAN_NAME));
  }

  private static List<Path> ownFiles(Path dir) throws IOException {
    List<Path> files = new ArrayList<>();
    List<String> names = new ArrayList<>(SideFiles.NAMES);
    names.addAll(
        List.of(
            PackManifest.NAME,
            ConversionRecord.NAME,
            ConversionRecord.PLAN_NAME,
            Pack.DENSE_NAME,
            STATISTICS));
    for (String name : names) {
      for (String candidate : List.of(name, name + AtomicFile.PART_SUFFIX)) {
        if (Files.isRegularFile(dir.resolve(candidate))) {
          files.add(dir.resolve(candidate));
        }
      }
    }
    for (String folder : List.of(Pack.EXPERTS_FOLDER, Pack.STAND_INS_FOLDER)) {
      for (Path file : filesBelow(dir.resolve(folder))) {
        if (EXPERT_FILE.matcher(file.getFileName().toString()).matches()) {
          files.add(file);
        }
      }
    }
    files.addAll(filesBelow(dir.resolve(WORK_FOLDER)));
    return files;
  }

  private static List<Path> filesBelow(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> paths = Files.walk(folder)) {
      return paths.filter(path -> !Files.isDirectory(path)).toList();
    }
  }

  private static void deleteEmptyFolders(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return;
    }
    Files.walkFileTree(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult postVisitDirectory(Path visited, IOException e)
              throws IOException {
            if (e != null) {
              throw e;
            }
            deleteIfEmpty(visited);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            return FileVisitResult.CONTINUE;
          }
        });
  }

  private static void deleteIfEmpty(Path folder) throws IOException {
    try {
      Files.deleteIfExists(folder);
    } catch (DirectoryNotEmptyException e) {
      return; // Somebody else's file lies in it.
    }
  }

  /** Lets the next conversion in. */
  @Override
  public void close() throws IOException {
    if (lockChannel.isOpen()) {
      // Deleted while still locked: who opens the name from now on gets a file of its own.
      Files.deleteIfExists(dir.resolve(LOCK_NAME));
      lockChannel.close();
    }
  }
}
