package dev.quern.converter.work;

import dev.quern.converter.plan.SourceSlice;
import dev.quern.format.FloatConversion;
import dev.quern.format.FormatException;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;

/**
 * Reads byte ranges of source files with positional reads: mapped pages would count as resident
 * memory. Keeps its files open and one buffer; for one thread.
 */
final class SourceReader implements Closeable {
  private static final int MIN_BUFFER_BYTES = 1 << 20;

  private final Map<String, FileChannel> channels = new HashMap<>();
  private Arena arena = Arena.ofConfined();
  private MemorySegment buffer = arena.allocate(MIN_BUFFER_BYTES);

  /** Rows [firstRow, firstRow + count) of a matrix as float32 to into[0 .. count·cols). */
  void readRows(SourceSlice slice, int firstRow, int count, float[] into) throws IOException {
    long bytes = count * slice.rowBytes();
    reserve(bytes);
    MemorySegment target = buffer.asSlice(0, bytes);
    read(slice, slice.offset() + firstRow * slice.rowBytes(), target);
    FloatConversion.toFloat(
        slice.dtype(), target, 0, into, 0, Math.multiplyExact(count, slice.cols()));
  }

  /** The tensor's bytes as they are, to the beginning of out. */
  void readAll(SourceSlice slice, MemorySegment out) throws IOException {
    long bytes = slice.bytes();
    for (long at = 0; at < bytes; at += MIN_BUFFER_BYTES) {
      long piece = Math.min(MIN_BUFFER_BYTES, bytes - at);
      read(slice, slice.offset() + at, out.asSlice(at, piece));
    }
  }

  FileChannel channel(SourceSlice slice) throws IOException {
    FileChannel channel = channels.get(slice.file());
    if (channel == null) {
      channel = FileChannel.open(Path.of(slice.file()), StandardOpenOption.READ);
      channels.put(slice.file(), channel);
    }
    return channel;
  }

  private void read(SourceSlice slice, long position, MemorySegment target) throws IOException {
    FileChannel channel = channel(slice);
    ByteBuffer into = target.asByteBuffer();
    while (into.hasRemaining()) {
      int read = channel.read(into, position + into.position());
      if (read < 0) {
        throw FormatException.of(
            Path.of(slice.file()),
            "byte " + (position + into.position()),
            "data",
            into.remaining() + " more bytes",
            "the end of the file",
            "It became shorter since the conversion began.");
      }
    }
  }

  private void reserve(long bytes) {
    if (buffer.byteSize() < bytes) {
      arena.close();
      arena = Arena.ofConfined();
      buffer = arena.allocate(bytes);
    }
  }

  @Override
  public void close() throws IOException {
    arena.close();
    for (FileChannel channel : channels.values()) {
      channel.close();
    }
  }
}
