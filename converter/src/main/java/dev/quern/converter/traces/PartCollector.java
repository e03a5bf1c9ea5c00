package dev.quern.converter.traces;

import dev.quern.converter.traces.TracePart.Slice;
import dev.quern.converter.traces.TracePart.Window;
import dev.quern.experts.RoutedTokens;
import dev.quern.experts.RoutingObserver;
import dev.quern.model.Model;
import dev.quern.model.Session;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;

/** Runs the windows of one part and writes what the routers see, one file per layer. */
final class PartCollector implements Closeable {
  private final TraceShape shape;
  private final Map<Integer, LayerWriter> writers = new LinkedHashMap<>();
  private final Observer observer = new Observer();
  private Window window;
  private int[] documents = {}; // of every token of the window
  private byte[] entered = {}; // of the present layer and batch
  private int enteredStart; // position of its first token
  private byte[] input = {};
  private byte[] scores = {};

  private PartCollector(Path folder, TraceShape shape, TracePart part) throws IOException {
    this.shape = shape;
    try {
      for (int layer : shape.layers()) {
        Path file = folder.resolve(TracePart.path(part.split(), layer, part.number()));
        writers.put(layer, new LayerWriter(file, shape));
      }
    } catch (IOException | RuntimeException e) {
      close();
      throw e;
    }
  }

  /**
   * @param tokenFile see {@link TokenFile}
   * @param folder of the traces
   * @param done told the tokens of each window that is written
   */
  static void collect(
      Model model,
      Path tokenFile,
      Path folder,
      TraceShape shape,
      TracePart part,
      int windowTokens,
      boolean continuous,
      LongConsumer done)
      throws IOException {
    List<Window> windows = part.windows(windowTokens, continuous);
    int longest = windows.stream().mapToInt(Window::tokens).max().orElseThrow();
    try (PartCollector collector = new PartCollector(folder, shape, part);
        Session session = model.newSession(longest);
        FileChannel tokens = FileChannel.open(tokenFile)) {
      session.observe(collector.observer);
      for (Window window : windows) {
        collector.begin(window);
        session.truncate(0);
        session.append(TokenFile.read(tokens, window.slices()));
        done.accept(window.tokens());
      }
      collector.finish();
    } catch (UncheckedIOException e) { // from the observer
      throw e.getCause();
    }
  }

  private void begin(Window next) {
    window = next;
    documents = new int[next.tokens()];
    int at = 0;
    for (Slice slice : next.slices()) {
      Arrays.fill(documents, at, at + slice.tokens(), slice.document());
      at += slice.tokens();
    }
  }

  private void finish() throws IOException {
    for (LayerWriter writer : writers.values()) {
      writer.finish();
    }
  }

  @Override
  public void close() throws IOException {
    IOException failure = null;
    for (LayerWriter writer : writers.values()) {
      try {
        writer.close();
      } catch (IOException e) {
        failure = e;
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  /** Values as float16, little-endian, into an array that grows. */
  private static byte[] halves(float[] values, int count, byte[] old) {
    byte[] bytes = old.length < count * Short.BYTES ? new byte[count * Short.BYTES] : old;
    for (int i = 0; i < count; i++) {
      short half = Float.floatToFloat16(values[i]);
      bytes[2 * i] = (byte) half;
      bytes[2 * i + 1] = (byte) (half >>> Byte.SIZE);
    }
    return bytes;
  }

  private void write(RoutedTokens routed) throws IOException {
    LayerWriter writer = writers.get(routed.layer());
    int tokens = routed.tokens();
    boolean hasInput = shape.columns().contains(TraceColumn.INPUT);
    boolean hasEntered = shape.columns().contains(TraceColumn.ENTERED);
    boolean hasScores = shape.columns().contains(TraceColumn.SCORES);
    int inputBytes = Short.BYTES * shape.hiddenSize();
    int scoreBytes = Short.BYTES * shape.numExperts();
    int topK = shape.topK();
    if (hasInput) {
      input = halves(routed.input(), tokens * shape.hiddenSize(), input);
    }
    if (hasScores) {
      scores = halves(routed.scores(), tokens * shape.numExperts(), scores);
    }
    for (int t = 0; t < tokens; t++) {
      int position = routed.start() + t;
      LayerWriter.Row row = writer.row();
      row.put(TraceColumn.DOCUMENT, documents[position]);
      row.put(TraceColumn.WINDOW, window.number());
      row.put(TraceColumn.POSITION, position);
      row.put(TraceColumn.TOKEN, routed.id(t));
      if (hasInput) {
        row.put(TraceColumn.INPUT, input, t * inputBytes, inputBytes);
      }
      if (hasEntered) {
        row.put(TraceColumn.ENTERED, entered, (position - enteredStart) * inputBytes, inputBytes);
      }
      if (hasScores) {
        row.put(TraceColumn.SCORES, scores, t * scoreBytes, scoreBytes);
      }
      row.put(TraceColumn.EXPERTS, routed.experts(), t * topK, topK);
      row.put(TraceColumn.WEIGHTS, routed.weights(), t * topK, topK);
      writer.write(row);
    }
  }

  /** Of every layer it hears first what entered, then what was routed. */
  private final class Observer implements RoutingObserver {
    @Override
    public void entered(int layer, int start, float[] hidden, int tokens) {
      if (writers.containsKey(layer) && shape.columns().contains(TraceColumn.ENTERED)) {
        enteredStart = start;
        entered = halves(hidden, tokens * shape.hiddenSize(), entered);
      }
    }

    @Override
    public void routed(RoutedTokens routed) {
      try {
        write(routed);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
