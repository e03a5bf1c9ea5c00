package dev.quern.converter;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.cli.ModelText;
import dev.quern.converter.work.ProgressListener;
import dev.quern.experts.CachePolicyKind;
import dev.quern.experts.ExpertProfile;
import dev.quern.experts.ExpertReadException;
import dev.quern.experts.StreamStatistics;
import dev.quern.format.ExpertFile;
import dev.quern.format.Pack;
import dev.quern.kernels.Activations;
import dev.quern.kv.KvType;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import dev.quern.model.Prefill;
import dev.quern.model.Session;
import dev.quern.model.Streaming;
import dev.quern.model.Streaming.Prediction;
import dev.quern.system.IoMode;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Experts from disk give the bits that experts in memory give, whatever the cache does. */
class StreamedGenerationTest {
  private static final int PROMPTS = 200;
  private static final int MAX_PROMPT = 24;
  private static final int STEPS = 8;
  private static final Path TEXT = Path.of("..", "datasets", "tiny-moe", "text", "test.txt");

  @TempDir private static Path shared;
  private static Path pack;
  private static int[][] prompts;
  private static int[][] expected; // hashes of the bits of the logits, step by step
  private static long recordBytes;
  private static long allBytes;
  private static ExpertProfile profile;

  @BeforeAll
  static void runResident() throws IOException {
    SharedSpark.start();
    pack = shared.resolve("pack");
    Converter.convert(TinyMoe.to(pack, TinyMoe.THREE_BITS), ProgressListener.SILENT);
    try (ModelText text = ModelText.open(pack)) {
      int[] ids = text.tokenizer().encode(Files.readString(TEXT), false);
      SplittableRandom random = new SplittableRandom(4);
      prompts = new int[PROMPTS][];
      for (int i = 0; i < PROMPTS; i++) {
        int length = random.nextInt(1, MAX_PROMPT + 1);
        int from = random.nextInt(ids.length - length);
        prompts[i] = Arrays.copyOfRange(ids, from, from + length);
      }
    }
    try (Model model = Model.open(pack, new ModelOptions(2))) {
      ExpertProfile.Recorder recorder =
          new ExpertProfile.Recorder(model.config().numLayers(), model.config().numExperts());
      expected = new int[PROMPTS][];
      for (int i = 0; i < PROMPTS; i++) {
        try (Session session = model.newSession(MAX_PROMPT + STEPS)) {
          session.observe(recorder);
          expected[i] = hashes(session, prompts[i]);
        }
      }
      profile = recorder.profile();
    }
    try (Pack open = Pack.open(pack)) {
      ExpertFile file = open.expertFile(0).orElseThrow();
      recordBytes = Math.ceilDiv(file.recordStride() + 4095, 4096) * 4096; // not aligned to pages
      allBytes = 6 * 32 * recordBytes;
    }
  }

  /** Reads a prompt and goes on greedily. */
  private static int[] hashes(Session session, int[] prompt) {
    int[] hashes = new int[STEPS];
    float[] logits = session.append(prompt);
    for (int step = 0; step < STEPS; step++) {
      hashes[step] = Arrays.hashCode(logits);
      logits = session.append(new int[] {argmax(logits)});
    }
    return hashes;
  }

  private static int argmax(float[] values) {
    int best = 0;
    for (int i = 1; i < values.length; i++) {
      best = values[i] > values[best] ? i : best;
    }
    return best;
  }

  private record Case(
      CachePolicyKind policy,
      IoMode io,
      Prediction prediction,
      boolean speculate,
      double fraction,
      int threads,
      int readers) {

    Streaming streaming() {
      long bytes = Math.max(recordBytes, Math.round(fraction * allBytes));
      return new Streaming(
          new Streaming.Experts(bytes),
          io,
          policy,
          Optional.of(profile),
          true,
          readers,
          prediction,
          speculate,
          false);
    }
  }

  /** Every value of every choice, each policy at two budgets. */
  private static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    double[] fractions = {0, 0.02, 0.1, 0.25, 0.5, 1};
    int n = 0;
    for (CachePolicyKind policy : CachePolicyKind.values()) {
      for (int i = 0; i < 2; i++, n++) {
        cases.add(
            new Case(
                policy,
                IoMode.values()[n % 3],
                n % 4 == 0 ? Prediction.NONE : Prediction.NEXT_ROUTER,
                n % 3 == 1,
                fractions[(n * 5 + i) % fractions.length],
                1 + n / 2 % 2,
                1 + n % 4));
      }
    }
    return cases;
  }

  @ParameterizedTest
  @MethodSource("cases")
  void streamedEqualsResidentBitForBit(Case c) throws IOException {
    ModelOptions options = new ModelOptions(c.threads).with(c.streaming());
    try (Model model = Model.open(pack, options)) {
      for (int i = 0; i < PROMPTS; i++) {
        try (Session session = model.newSession(MAX_PROMPT + STEPS)) {
          assertArrayEquals(expected[i], hashes(session, prompts[i]), "prompt " + i);
        }
      }
      StreamStatistics statistics = model.streams().orElseThrow().statistics();
      assertTrue(statistics.bytesInUse() <= statistics.budgetBytes(), statistics.toString());
      assertEquals(c.fraction == 1, statistics.reads() == 0, statistics.toString());
    }
  }

  /** Cut into chunks, a prompt gives the same up to rounding; all experts may be read for it. */
  @ParameterizedTest
  @MethodSource("prefills")
  void everyWayToPrefillGivesTheSameLogits(Prefill prefill) throws IOException {
    int[] ids = Stream.of(prompts).flatMapToInt(Arrays::stream).limit(300).toArray();
    Case c =
        new Case(
            CachePolicyKind.LRU,
            IoMode.DIRECT,
            Prediction.NONE,
            false,
            prefill == Prefill.RESIDENT ? 1 : 0.1,
            2,
            2);
    ModelOptions exact = new ModelOptions(2).with(KvType.F32).with(Activations.F32);
    ModelOptions options = exact.with(c.streaming()).with(prefill, 100);
    try (Model resident = Model.open(pack, exact);
        Session whole = resident.newSession(ids.length);
        Model model = Model.open(pack, options);
        Session session = model.newSession(ids.length)) {
      float[] logits = session.append(ids);
      float[] same = whole.append(ids);
      boolean cut = prefill == Prefill.ACTIVE_ONLY || prefill == Prefill.CHUNKED;
      assertArrayEquals(same, logits, cut ? 1e-4f : 0);
      StreamStatistics statistics = model.streams().orElseThrow().statistics();
      long announced = statistics.hits() + statistics.misses();
      if (prefill == Prefill.CHUNKED) {
        int lastLayer = 32; // for the last chunk
        assertEquals(3 * 5 * 32 + lastLayer, announced, "every chunk reads every expert");
      } else {
        assertTrue(announced <= (cut ? 3 : 1) * 6 * 32, "announced: " + announced);
      }
    }
  }

  private static Stream<Prefill> prefills() {
    return Stream.of(Prefill.values());
  }

  @Test
  void aDamagedRecordEndsTheTokenAndNothingElse() throws IOException {
    Path damaged = copy(shared.resolve("damaged"));
    Path file = damaged.resolve(Pack.expertPath(3));
    int[] ids = prompts[0];
    Streaming streaming =
        new Case(CachePolicyKind.LRU, IoMode.DIRECT, Prediction.NEXT_ROUTER, false, 0.1, 1, 2)
            .streaming();
    try (Model model = Model.open(damaged, new ModelOptions(1).with(streaming));
        Session session = model.newSession(MAX_PROMPT + STEPS)) {
      byte[] sound = Files.readAllBytes(file);
      byte[] bad = sound.clone();
      Arrays.fill(bad, bad.length / 8, bad.length, (byte) 7);
      overwrite(file, bad);
      ExpertReadException failure =
          assertThrows(ExpertReadException.class, () -> session.append(ids));
      assertTrue(
          failure.getMessage().matches("layer-00003.qexp, expert \\d+: CRC32C: .*"),
          failure.getMessage());
      assertEquals(0, session.position());
      overwrite(file, sound);
      assertArrayEquals(expected[0], hashes(session, ids));
    }
  }

  /**
   * A real EIO from the kernel: the layer's file is a link, which is led to this process's memory,
   * where the first pages are no memory that could be read. An interrupted reader opens it anew.
   */
  @Test
  @EnabledOnOs(OS.LINUX)
  void aDiskErrorEndsTheTokenAndNothingElse() throws Exception {
    Path failing = copy(shared.resolve("failing"));
    Path file = failing.resolve(Pack.expertPath(3));
    Path sound = failing.resolve("sound.qexp");
    Files.move(file, sound);
    link(file, sound);
    int[] ids = prompts[0];
    Streaming streaming =
        new Case(CachePolicyKind.LRU, IoMode.BUFFERED, Prediction.NONE, false, 0.1, 1, 1)
            .streaming();
    try (Model model = Model.open(failing, new ModelOptions(1).with(streaming));
        Session session = model.newSession(MAX_PROMPT + STEPS)) {
      session.append(Arrays.copyOf(ids, 2));
      link(file, Path.of("/proc/self/mem"));
      interruptReaders();
      int[] rest = Arrays.copyOfRange(ids, 2, ids.length);
      ExpertReadException failure =
          assertThrows(ExpertReadException.class, () -> session.append(rest));
      assertTrue(
          failure
              .getMessage()
              .matches(
                  "layer-00003.qexp, expert \\d+: \\d+ bytes at byte \\d+ were not read: "
                      + "Input/output error. Are the disk and the file sound\\?"),
          failure.getMessage());
      assertEquals(2, session.position());
      link(file, sound);
      interruptReaders();
      session.truncate(0);
      assertArrayEquals(expected[0], hashes(session, ids));
    }
  }

  /** In one step: a reader must find one or the other. */
  private static void link(Path link, Path target) throws IOException {
    Path next = link.resolveSibling("next.link");
    Files.createSymbolicLink(next, target);
    Files.move(next, link, StandardCopyOption.ATOMIC_MOVE);
  }

  /** Their next read finds its channel closed. */
  private static void interruptReaders() {
    List<Thread> readers =
        Thread.getAllStackTraces().keySet().stream()
            .filter(thread -> thread.getName().startsWith("expert-reader"))
            .toList();
    assertEquals(1, readers.size());
    readers.forEach(Thread::interrupt);
  }

  /** Keeps the file's identity: a mapping or an open channel sees the new bytes. */
  private static void overwrite(Path file, byte[] bytes) throws IOException {
    try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
      out.write(bytes);
    }
  }

  private static Path copy(Path target) throws IOException {
    try (Stream<Path> paths = Files.walk(pack)) {
      for (Path path : (Iterable<Path>) paths.sorted()::iterator) {
        Path to = target.resolve(pack.relativize(path).toString());
        if (Files.isDirectory(path)) {
          Files.createDirectories(to);
        } else {
          Files.copy(path, to);
        }
      }
    }
    return target;
  }
}
