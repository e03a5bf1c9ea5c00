package dev.quern.system;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class DataFileTest {
  private static final int PAGE = PageMemory.PAGE_BYTES;

  @TempDir private Path folder;

  private static byte[] write(Path file, int length) throws IOException {
    byte[] bytes = new byte[length];
    new Random(length).nextBytes(bytes);
    Files.write(file, bytes);
    return bytes;
  }

  private static byte[] first(MemorySegment segment, long count) {
    return segment.asSlice(0, count).toArray(ValueLayout.JAVA_BYTE);
  }

  @ParameterizedTest
  @EnumSource(IoMode.class)
  void readsAtAnyPageAndUpToTheEnd(IoMode mode) throws IOException {
    Path path = folder.resolve("data");
    byte[] bytes = write(path, 5 * PAGE + 123);
    try (DataFile file = DataFile.open(path, mode);
        PageMemory memory = PageMemory.reserve(4L * PAGE)) {
      MemorySegment into = memory.segment();
      assertEquals(bytes.length, file.bytes());
      assertEquals(4 * PAGE, file.read(into, PAGE));
      assertArrayEquals(Arrays.copyOfRange(bytes, PAGE, 5 * PAGE), first(into, 4 * PAGE));
      assertEquals(PAGE + 123, file.read(into, 4 * PAGE));
      assertArrayEquals(Arrays.copyOfRange(bytes, 4 * PAGE, bytes.length), first(into, PAGE + 123));
      assertEquals(0, file.read(into, 8 * PAGE));
    }
  }

  @ParameterizedTest
  @EnumSource(IoMode.class)
  void anInterruptedReaderLeavesTheFileOpen(IoMode mode) throws IOException {
    Path path = folder.resolve("data");
    byte[] bytes = write(path, 2 * PAGE);
    try (DataFile file = DataFile.open(path, mode);
        PageMemory memory = PageMemory.reserve(2L * PAGE)) {
      Thread.currentThread().interrupt();
      assertEquals(2 * PAGE, file.read(memory.segment(), 0));
      assertTrue(Thread.interrupted(), "the interrupt is kept");
      assertEquals(PAGE, file.read(memory.segment(), PAGE));
      assertArrayEquals(Arrays.copyOfRange(bytes, PAGE, 2 * PAGE), first(memory.segment(), PAGE));
    }
  }

  @Test
  void directReadsFallBackWhereTheyAreRefused() throws IOException {
    Path shared = Path.of("/dev/shm");
    assumeTrue(Files.isWritable(shared), "no file system in memory here");
    Path path = Files.createTempFile(shared, "quern", ".tmp");
    try {
      byte[] bytes = write(path, PAGE);
      try (DataFile file = DataFile.open(path, IoMode.DIRECT);
          PageMemory memory = PageMemory.reserve(PAGE)) {
        // Newer kernels read directly there, too.
        assertEquals(file.direct(), file.note().isEmpty());
        file.note()
            .ifPresent(note -> {
              assertTrue(note.startsWith(path.getFileName() + ": direct reads are refused"), note);
              assertFalse(note.contains("\n"));
            });
        assertEquals(PAGE, file.read(memory.segment(), 0));
        assertArrayEquals(bytes, first(memory.segment(), PAGE));
      }
    } finally {
      Files.delete(path);
    }
  }

  @ParameterizedTest
  @EnumSource(IoMode.class)
  void aMissingFileIsAnError(IoMode mode) {
    assertThrows(
        NoSuchFileException.class, () -> DataFile.open(folder.resolve("none"), mode).close());
  }

  @Test
  void pagesThatAreGoneFromAMappedFileAreAnErrorNotACrash() throws IOException {
    Path path = folder.resolve("data");
    byte[] bytes = write(path, 8 * PAGE);
    try (Arena arena = Arena.ofShared();
        FileChannel channel =
            FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      MemorySegment mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, bytes.length, arena);
      MappedPages.populate(mapped);
      MappedPages.drop(mapped);
      assertArrayEquals(bytes, mapped.toArray(ValueLayout.JAVA_BYTE));
      channel.truncate(4 * PAGE);
      MappedPages.populate(mapped.asSlice(100, 3 * PAGE));
      assertThrows(EOFException.class, () -> MappedPages.populate(mapped.asSlice(100, 5 * PAGE)));
    }
  }

  @ParameterizedTest
  @EnumSource(IoMode.class)
  void speedIsMeasuredOnTheFilesThemselves(IoMode mode) throws IOException {
    Path large = folder.resolve("large");
    Path small = folder.resolve("small");
    write(large, 64 * PAGE);
    write(small, 3 * PAGE + 1);
    DiskSpeed speed = DiskSpeed.measure(List.of(large, small), mode, 5 * PAGE, 40);
    assertTrue(speed.bytesPerSecond() > 0);
    assertTrue(speed.readers() >= 1 && speed.readers() <= 8);
    assertTrue(speed.bytesRead() >= 15L * PAGE, speed::toString); // 1 + 2 + 4 + 8 reads
    assertThrows(
        IllegalArgumentException.class, () -> DiskSpeed.measure(List.of(), mode, 4096, 40));
    assertThrows(
        NoSuchFileException.class,
        () -> DiskSpeed.measure(List.of(folder.resolve("none")), mode, 4096, 40));
  }
}
