package dev.quern.converter.traces;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.cli.ModelText;
import dev.quern.converter.SharedSpark;
import dev.quern.converter.TinyMoe;
import dev.quern.converter.work.ProgressListener;
import dev.quern.experts.RoutedTokens;
import dev.quern.experts.RoutingObserver;
import dev.quern.format.FormatException;
import dev.quern.kv.KvType;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import dev.quern.model.Session;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TraceCollectionTest {
  private static final int HIDDEN = 256;
  private static final int EXPERTS = 32;
  private static final int TOP_K = 4;
  private static final int WINDOW = 16;
  private static final SplitRule TEST = new SplitRule.Whole(Split.TEST);
  private static final Set<TraceColumn> ALL = Set.of(TraceColumn.values());

  @TempDir private Path folder;

  /** Stories of different lengths. */
  private Path dataset(int documents) throws IOException {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < documents; i++) {
      text.append("Once upon a time there was a king who had ").append(i).append(" sons.");
      text.repeat(" And the youngest went into the wood.", i % 5).append("<|endoftext|>");
    }
    return Files.writeString(folder.resolve("stories.txt"), text);
  }

  private TraceOptions options(Path dataset, String out, SplitRule rule) {
    return new TraceOptions(
        TinyMoe.MODEL,
        dataset,
        folder.resolve(out),
        SharedSpark.MASTER,
        rule,
        OptionalInt.of(WINDOW),
        false,
        OptionalLong.empty(),
        TraceColumn.OPTIONAL);
  }

  private static TraceOptions with(
      TraceOptions o, String master, boolean continuous, OptionalLong maxTokens) {
    return new TraceOptions(
        o.model(),
        o.dataset(),
        o.out(),
        master,
        o.rule(),
        o.window(),
        continuous,
        maxTokens,
        o.columns());
  }

  private static Traces collect(TraceOptions options) throws IOException {
    SharedSpark.start();
    try (TraceCollection collection = TraceCollection.prepare(options)) {
      collection.run(ProgressListener.SILENT);
    }
    return Traces.open(options.out());
  }

  /** One row as text, exact: values after float16. */
  private static List<String> rows(Traces traces, Split split, int layer, int batchRows)
      throws IOException {
    List<String> rows = new ArrayList<>();
    try (TraceReader reader = traces.read(split, layer, ALL, batchRows)) {
      TraceBatch batch = reader.batch();
      while (reader.next()) {
        for (int i = 0; i < batch.rows(); i++) {
          rows.add(
              "%d %d %d %d %s %s %s %s %s"
                  .formatted(
                      batch.documents()[i],
                      batch.windows()[i],
                      batch.positions()[i],
                      batch.tokens()[i],
                      part(batch.input(), i, HIDDEN),
                      part(batch.entered(), i, HIDDEN),
                      part(batch.scores(), i, EXPERTS),
                      Arrays.toString(
                          Arrays.copyOfRange(batch.experts(), i * TOP_K, (i + 1) * TOP_K)),
                      part(batch.weights(), i, TOP_K)));
        }
      }
    }
    return rows;
  }

  private static String part(float[] values, int row, int width) {
    return Arrays.toString(Arrays.copyOfRange(values, row * width, (row + 1) * width));
  }

  private static String halves(float[] values, int row, int width) {
    float[] halves = Arrays.copyOfRange(values, row * width, (row + 1) * width);
    for (int i = 0; i < width; i++) {
      halves[i] = Float.float16ToFloat(Float.floatToFloat16(halves[i]));
    }
    return Arrays.toString(halves);
  }

  /** What a session says by itself, a window at a time. */
  private static Map<Integer, List<String>> expected(List<int[]> texts, boolean continuous)
      throws IOException {
    Map<Integer, List<String>> rows = new TreeMap<>();
    try (Model model = Model.open(TinyMoe.MODEL, new ModelOptions(1).with(KvType.F32));
        Session session = model.newSession(WINDOW)) {
      List<Integer> documents = new ArrayList<>();
      int[] window = {0};
      session.observe(
          new RoutingObserver() {
            private float[] entering = {};

            @Override
            public void entered(int layer, int start, float[] hidden, int tokens) {
              entering = Arrays.copyOf(hidden, tokens * HIDDEN);
            }

            @Override
            public void routed(RoutedTokens routed) {
              for (int t = 0; t < routed.tokens(); t++) {
                rows.computeIfAbsent(routed.layer(), _ -> new ArrayList<>())
                    .add(
                        "%d %d %d %d %s %s %s %s %s"
                            .formatted(
                                documents.get(routed.start() + t),
                                window[0],
                                routed.start() + t,
                                routed.id(t),
                                halves(routed.input(), t, HIDDEN),
                                halves(entering, routed.start() + t, HIDDEN),
                                halves(routed.scores(), t, EXPERTS),
                                Arrays.toString(
                                    Arrays.copyOfRange(
                                        routed.experts(), t * TOP_K, (t + 1) * TOP_K)),
                                part(routed.weights(), t, TOP_K)));
              }
            }
          });
      List<Integer> ids = new ArrayList<>();
      for (int document = 0; document < texts.size(); document++) {
        boolean last = document == texts.size() - 1;
        for (int i = 0; i < texts.get(document).length; i++) {
          ids.add(texts.get(document)[i]);
          documents.add(document);
          boolean end = i == texts.get(document).length - 1 && (last || !continuous);
          if (ids.size() == WINDOW || end) {
            session.truncate(0);
            session.append(ids.stream().mapToInt(Integer::intValue).toArray());
            ids.clear();
            documents.clear();
            window[0]++;
          }
        }
        window[0] = continuous ? window[0] : 0;
      }
    }
    return rows;
  }

  private static List<int[]> encoded(Path dataset) throws IOException {
    List<int[]> texts = new ArrayList<>();
    try (ModelText text = ModelText.open(TinyMoe.MODEL)) {
      for (String document : Files.readString(dataset).split("<\\|endoftext\\|>")) {
        texts.add(text.tokenizer().encode(document + "<|endoftext|>", false));
      }
    }
    return texts;
  }

  private static void assertTraces(Path dataset, Traces traces, boolean continuous)
      throws IOException {
    List<int[]> texts = encoded(dataset);
    Map<Integer, List<String>> expected = expected(texts, continuous);
    assertEquals(List.copyOf(expected.keySet()), traces.shape().layers());
    for (int layer : traces.shape().layers()) {
      assertEquals(expected.get(layer), rows(traces, Split.TEST, layer, 7), "layer " + layer);
    }
    TraceManifest.Count count = traces.manifest().counts().get(Split.TEST);
    assertEquals(texts.size(), count.documents());
    assertEquals(texts.stream().mapToInt(ids -> ids.length).sum(), count.tokens());
  }

  @Test
  void rowsAreWhatASessionSays() throws IOException {
    Path dataset = dataset(9);
    assertTraces(dataset, collect(options(dataset, "out", TEST)), false);
  }

  @Test
  void continuousWindowsGoOnOverTheEndsOfDocuments() throws IOException {
    Path dataset = dataset(9);
    TraceOptions options = options(dataset, "out", TEST);
    Traces traces = collect(with(options, SharedSpark.MASTER, true, OptionalLong.empty()));
    assertTraces(dataset, traces, true);
    try (ModelText text = ModelText.open(TinyMoe.MODEL);
        TraceReader reader = traces.read(Split.TEST, 3, TraceColumn.ROUTING, 10_000)) {
      assertTrue(reader.next());
      assertArrayEquals(
          text.tokenizer().encode(Files.readString(dataset), false),
          Arrays.copyOf(reader.batch().tokens(), reader.batch().rows()));
      assertEquals(0, reader.batch().input().length, "a column that was not asked for");
    }
  }

  /** Two parts at least, so that two tasks may run at once. */
  @Test
  void sameBytesWhateverTheMaster() throws IOException {
    Path dataset = Files.writeString(folder.resolve("long.txt"), longText());
    TraceOptions options =
        new TraceOptions(
            TinyMoe.MODEL,
            dataset,
            folder.resolve("two"),
            SharedSpark.MASTER,
            TEST,
            OptionalInt.of(256),
            false,
            OptionalLong.empty(),
            Set.of());
    Traces two = collect(options);
    assertTrue(two.parts(Split.TEST) > 1, "parts: " + two.parts(Split.TEST));
    TraceOptions one = with(options, "local[1]", false, OptionalLong.empty());
    one =
        new TraceOptions(
            one.model(),
            one.dataset(),
            folder.resolve("one"),
            one.master(),
            one.rule(),
            one.window(),
            false,
            one.maxTokens(),
            one.columns());
    try (TraceCollection collection = TraceCollection.prepare(one)) {
      collection.run(ProgressListener.SILENT);
    }
    assertEquals(contents(options.out()), contents(one.out()));
    long rows = 0;
    for (int part = 0; part < two.parts(Split.TEST); part++) {
      try (TraceReader reader =
          two.readPart(Split.TEST, 2, part, Set.of(TraceColumn.POSITION), 1000)) {
        while (reader.next()) {
          rows += reader.batch().rows();
        }
      }
    }
    assertEquals(two.tokens(Split.TEST), rows);
  }

  private static String longText() {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 40; i++) {
      text.repeat("The fox said to the raven, number " + i + ", come down to me. ", 30)
          .append("<|endoftext|>");
    }
    return text.toString();
  }

  /** Checksums of all files by path. */
  private static Map<String, Integer> contents(Path root) throws IOException {
    Map<String, Integer> contents = new TreeMap<>();
    try (Stream<Path> files = Files.walk(root)) {
      for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
        contents.put(root.relativize(file).toString(), Arrays.hashCode(Files.readAllBytes(file)));
      }
    }
    return contents;
  }

  @Test
  void splitsAreOfWholeDocumentsAndDrawnByTheSeed() throws IOException {
    Path dataset = dataset(40);
    SplitRule rule = new SplitRule.Shares(List.of(0.5, 0.25, 0.25), 7);
    Traces traces = collect(options(dataset, "out", rule));
    Map<Integer, Split> splits = new HashMap<>();
    for (Split split : Split.values()) {
      try (TraceReader reader = traces.read(split, 0, Set.of(TraceColumn.DOCUMENT), 100)) {
        while (reader.next()) {
          for (int i = 0; i < reader.batch().rows(); i++) {
            Split other = splits.putIfAbsent(reader.batch().documents()[i], split);
            assertTrue(other == null || other == split, "document in two splits");
          }
        }
      }
      assertTrue(splits.containsValue(split), split + " is empty");
    }
    assertEquals(40, splits.size());
    splits.forEach((document, split) -> assertEquals(rule.of(document), split));
    assertEquals(rule, traces.manifest().rule());
  }

  @Test
  void maxTokensTakesWholeDocumentsFromEverywhere() throws IOException {
    Path dataset = dataset(60);
    List<int[]> texts = encoded(dataset);
    long all = texts.stream().mapToInt(ids -> ids.length).sum();
    TraceOptions options =
        with(options(dataset, "out", TEST), SharedSpark.MASTER, false, OptionalLong.of(all / 3));
    Traces traces = collect(options);
    long tokens = traces.tokens(Split.TEST);
    assertTrue(tokens <= all / 3 && tokens > all / 4, tokens + " of " + all / 3);
    Map<Integer, Integer> rows = new TreeMap<>();
    try (TraceReader reader = traces.read(Split.TEST, 5, Set.of(TraceColumn.DOCUMENT), 64)) {
      while (reader.next()) {
        Arrays.stream(reader.batch().documents(), 0, reader.batch().rows())
            .forEach(document -> rows.merge(document, 1, Integer::sum));
      }
    }
    rows.forEach((document, count) -> assertEquals(texts.get(document).length, count));
    Set<Integer> tenths = new HashSet<>();
    rows.keySet().forEach(document -> tenths.add(document / 10));
    assertEquals(6, tenths.size(), "documents " + rows.keySet());
    assertEquals(60, traces.manifest().dataset().documents());
  }

  @Test
  void oneDocumentMustFit() throws IOException {
    TraceOptions options =
        with(options(dataset(3), "out", TEST), SharedSpark.MASTER, false, OptionalLong.of(5));
    String message =
        assertThrows(FormatException.class, () -> TraceCollection.prepare(options)).getMessage();
    assertTrue(message.contains("--max-tokens: expected"), message);
    assertTrue(message.contains("a whole document, found 5"), message);
    assertNothingLeft("out");
  }

  private void assertNothingLeft(String out) {
    assertFalse(Files.exists(folder.resolve(out)));
    assertFalse(Files.exists(folder.resolve(out + ".part")));
  }

  /** On prose: what repeats itself, zstd makes smaller than any estimate. */
  @Test
  void sizeIsStatedBeforeAndHolds() throws IOException {
    Path prose = TinyMoe.MODEL.resolveSibling("text").resolve("test.txt");
    TraceOptions options =
        with(options(prose, "out", TEST), SharedSpark.MASTER, false, OptionalLong.of(4000));
    SharedSpark.start();
    try (TraceCollection collection = TraceCollection.prepare(options)) {
      long tokens = collection.manifest().tokens();
      assertTrue(tokens > 2000 && tokens <= 4000, tokens + " tokens");
      assertEquals(6 * tokens, collection.rows());
      // Four numbers, two vectors of 256, one of 32 with a length each, 4 experts with weights.
      long rowBytes = 4 * 4 + 2 * (4 + 512) + (4 + 64) + 4 * 8;
      assertEquals(6 * tokens * rowBytes, collection.expectedBytes());
      collection.run(ProgressListener.SILENT);
      long bytes = 0;
      try (Stream<Path> files = Files.walk(options.out())) {
        for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
          bytes += Files.size(file);
        }
      }
      assertTrue(bytes < collection.expectedBytes(), bytes + " bytes");
      assertTrue(bytes > collection.expectedBytes() * 0.7, bytes + " bytes");
    }
  }

  @Test
  void diskThatCannotHoldItIsRefusedWithTheNumbers() {
    String message =
        assertThrows(
                FormatException.class,
                () -> TraceCollection.checkDisk(Path.of("out"), 2_500_000, 1_999_999))
            .getMessage();
    assertEquals(
        "out: the traces need up to 3 MB of disk, 1 MB are free. Choose another --out, a smaller --max-tokens, or fewer --columns",
        message);
  }

  /** Files of a folder are read in the order of their names, packed or not. */
  @Test
  void folderOfTextsIsOneDataset() throws IOException {
    Path texts = Files.createDirectories(folder.resolve("texts"));
    Files.writeString(texts.resolve("b.txt"), "The second.<|endoftext|>\n<|endoftext|>The third.");
    try (OutputStream out =
        new GZIPOutputStream(Files.newOutputStream(texts.resolve("a.txt.gz")))) {
      out.write("The first.".getBytes(StandardCharsets.UTF_8));
    }
    Files.writeString(texts.resolve("notes.md"), "Not a text of the dataset.");
    List<String> found = new ArrayList<>();
    try (TextDocuments documents = TextDocuments.open(texts, "<|endoftext|>")) {
      documents.next().ifPresent(found::add);
      documents.next().ifPresent(found::add);
      documents.next().ifPresent(found::add);
      assertTrue(documents.next().isEmpty());
    }
    assertEquals(List.of("The first.", "The second.", "The third."), found);
  }
}
