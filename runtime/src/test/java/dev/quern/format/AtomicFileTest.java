package dev.quern.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
  @TempDir private Path folder;

  private long entries() throws IOException {
    try (var files = Files.list(folder)) {
      return files.count();
    }
  }

  @Test
  void replacesWholeFiles() throws IOException {
    Path file = folder.resolve("a.txt");
    AtomicFile.writeText(file, "first, and longer");
    Files.writeString(folder.resolve("a.txt.part"), "left by a killed process, longer than both");
    AtomicFile.writeText(file, "zweite: ä");
    assertEquals("zweite: ä", Files.readString(file));
    assertEquals(1, entries());
  }

  @Test
  void keepsTheOldFileUntilCommitted() throws IOException {
    Path file = folder.resolve("a.txt");
    AtomicFile.writeText(file, "old");
    try (AtomicFile out = AtomicFile.create(file)) {
      out.write(ByteBuffer.wrap("half".getBytes(StandardCharsets.UTF_8)));
    }
    assertEquals("old", Files.readString(file));
    assertEquals(1, entries());
  }

  @Test
  void appendsCopiesAndOverwritesBeyondOnePiece() throws IOException {
    byte[] expected = new byte[5 << 20];
    new Random(1).nextBytes(expected);
    Path source = Files.write(folder.resolve("source"), expected);
    Path file = folder.resolve("a.bin");
    try (AtomicFile out = AtomicFile.create(file);
        FileChannel in = FileChannel.open(source)) {
      out.write(ByteBuffer.wrap(expected, 0, 9));
      out.copy(in, 9, expected.length - 9);
      assertThrows(EOFException.class, () -> out.copy(in, expected.length, 1));
      out.commit();
    }
    assertArrayEquals(expected, Files.readAllBytes(file));
    try (AtomicFile out = AtomicFile.create(file)) {
      out.write(ByteBuffer.wrap(new byte[7]));
      out.write(ByteBuffer.wrap(expected, 7, expected.length - 12));
      out.overwrite(0, ByteBuffer.wrap(expected, 0, 7));
      out.write(ByteBuffer.wrap(expected, expected.length - 5, 5));
      out.commit();
    }
    assertArrayEquals(expected, Files.readAllBytes(file));
  }

  @Test
  void npyIsWhatNumpyReads() throws IOException {
    Path file = folder.resolve("m.npy");
    try (NpyWriter out = NpyWriter.create(file, 2, 3)) {
      out.writeRow(new float[] {9, 1, 2, 3}, 1);
      assertThrows(IllegalStateException.class, out::finish);
      assertThrows(IndexOutOfBoundsException.class, () -> out.writeRow(new float[3], 1));
      out.writeRow(new float[] {4, 5, -6}, 0);
      assertThrows(IllegalStateException.class, () -> out.writeRow(new float[3], 0));
      out.finish();
    }
    byte[] bytes = Files.readAllBytes(file);
    ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    byte[] magic = new byte[8];
    in.get(magic);
    assertArrayEquals(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0}, magic);
    byte[] header = new byte[in.getShort()];
    in.get(header);
    String text = new String(header, StandardCharsets.US_ASCII);
    assertTrue(
        text.startsWith("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"), text);
    assertTrue(text.endsWith(" \n"), text);
    assertEquals(0, in.position() % 64);
    float[] values = new float[6];
    in.asFloatBuffer().get(values);
    assertArrayEquals(new float[] {1, 2, 3, 4, 5, -6}, values);
    assertEquals(in.position() + 24, bytes.length);
  }
}
