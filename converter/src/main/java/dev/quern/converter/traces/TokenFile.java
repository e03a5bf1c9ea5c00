package dev.quern.converter.traces;

import dev.quern.converter.traces.TracePart.Slice;
import java.io.BufferedOutputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Token ids of all documents, one after the other, as int32: encoded once, so that their number is
 * known before anything runs, and read in pieces by the tasks. A temporary file.
 */
final class TokenFile implements Closeable {
  private static final int BUFFER_BYTES = 1 << 16;

  private final OutputStream out;
  private long tokens;

  TokenFile(Path file) throws IOException {
    out = new BufferedOutputStream(Files.newOutputStream(file), BUFFER_BYTES);
  }

  /** Appends a document. */
  Slice add(int document, int[] ids) throws IOException {
    ByteBuffer bytes =
        ByteBuffer.allocate(Math.multiplyExact(ids.length, Integer.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
    bytes.asIntBuffer().put(ids);
    out.write(bytes.array());
    Slice slice = new Slice(document, tokens, ids.length);
    tokens += ids.length;
    return slice;
  }

  @Override
  public void close() throws IOException {
    out.close();
  }

  /** The tokens of some slices, one after the other. */
  static int[] read(FileChannel file, List<Slice> slices) throws IOException {
    int[] ids = new int[slices.stream().mapToInt(Slice::tokens).sum()];
    int at = 0;
    for (Slice slice : slices) {
      ByteBuffer bytes =
          ByteBuffer.allocate(slice.tokens() * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      long start = slice.offset() * Integer.BYTES;
      while (bytes.hasRemaining()) {
        if (file.read(bytes, start + bytes.position()) < 0) {
          throw new EOFException("tokens of document " + slice.document() + " are missing");
        }
      }
      bytes.flip().asIntBuffer().get(ids, at, slice.tokens());
      at += slice.tokens();
    }
    return ids;
  }
}
