package dev.quern.converter;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.converter.plan.Chunk;
import dev.quern.converter.plan.ConversionPlan;
import dev.quern.converter.plan.OutputFile;
import dev.quern.converter.plan.Planner;
import dev.quern.converter.plan.Precision;
import dev.quern.converter.work.ChunkWriter;
import dev.quern.converter.work.FileAssembler;
import dev.quern.converter.work.OutputDirectory;
import dev.quern.converter.work.ProgressListener;
import dev.quern.experts.CachePolicyKind;
import dev.quern.experts.ExpertStore;
import dev.quern.experts.StreamedExperts;
import dev.quern.format.FormatException;
import dev.quern.format.Pack;
import dev.quern.format.PackManifest;
import dev.quern.format.PackVerifier;
import dev.quern.model.ExpertSelection;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import dev.quern.model.ModelSource;
import dev.quern.model.Session;
import dev.quern.model.Streaming;
import dev.quern.model.WeightSizes;
import dev.quern.system.IoMode;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Low-bit copies of experts, from the conversion to the token that one of them answered. */
class StandInTest {
  private static final int LAYERS = 6;
  private static final int TOP_K = 4;
  private static final Precision WITH_STAND_INS = TinyMoe.THREE_BITS.withStandIns(2);
  private static final ExpertSelection STAND_INS = new ExpertSelection(0, false, 0, false, 2);
  private static final ExpertSelection SKIP_MISSING = new ExpertSelection(0, false, 0, true);
  private static final int[] IDS = {11, 500, 42, 7, 1999, 300};

  @TempDir private static Path shared;
  @TempDir private Path folder;
  private static Path both;
  private static Path threeBits;
  private static Path twoBits;

  @BeforeAll
  static void convert() throws IOException {
    SharedSpark.start();
    both = convert("both", WITH_STAND_INS);
    threeBits = convert("three", TinyMoe.THREE_BITS);
    twoBits = convert("two", Precision.experts(Precision.Method.TURBO, 2));
  }

  private static Path convert(String name, Precision precision) throws IOException {
    Path pack = shared.resolve(name);
    Converter.convert(TinyMoe.to(pack, precision), ProgressListener.SILENT);
    return pack;
  }

  @Test
  void theyAreTheExpertsAtTheirBitsAndTheRestIsAsWithout() throws IOException {
    for (int layer = 0; layer < LAYERS; layer++) {
      String experts = Pack.expertPath(layer);
      assertEquals(-1, Files.mismatch(threeBits.resolve(experts), both.resolve(experts)));
      Path standIns = both.resolve(Pack.standInPath(layer));
      assertEquals(-1, Files.mismatch(twoBits.resolve(experts), standIns));
    }
    for (String same : List.of(Pack.DENSE_NAME, OutputDirectory.STATISTICS)) {
      assertEquals(-1, Files.mismatch(threeBits.resolve(same), both.resolve(same)), same);
    }
    PackManifest manifest = PackManifest.read(both);
    assertEquals(2, manifest.bits().get("stand-in"));
    assertEquals(
        LAYERS,
        manifest.files().keySet().stream()
            .filter(path -> path.startsWith(Pack.STAND_INS_FOLDER + "/"))
            .count());
    assertFalse(PackManifest.read(threeBits).bits().containsKey("stand-in"));
    assertFalse(Files.exists(threeBits.resolve(Pack.STAND_INS_FOLDER)));
  }

  @Test
  void sizesCountThemApart() throws IOException {
    ConversionPlan plan = Planner.plan(TinyMoe.MODEL, WITH_STAND_INS, TinyMoe.CHUNK_BYTES);
    ConversionPlan without = Planner.plan(TinyMoe.MODEL, TinyMoe.THREE_BITS, TinyMoe.CHUNK_BYTES);
    assertEquals(without.outputBytes(), plan.outputBytes());
    assertEquals(without.bitsPerWeight(), plan.bitsPerWeight());
    long written = 0;
    for (int layer = 0; layer < LAYERS; layer++) {
      written += Files.size(both.resolve(Pack.standInPath(layer)));
    }
    assertEquals(written, plan.standInBytes());
    assertEquals(8.0 * written / plan.expertParameters(), plan.standInBitsPerWeight());
    assertEquals(without.diskBytes(1) + written, plan.diskBytes(1));
    try (ModelSource source = ModelSource.open(both);
        ModelSource plain = ModelSource.open(threeBits)) {
      WeightSizes sizes = WeightSizes.of(source);
      assertEquals(written, sizes.standInBytes());
      assertEquals(WeightSizes.of(plain).bytes(), sizes.bytes());
      assertEquals(0, WeightSizes.of(plain).standInBytes());
    }
  }

  @Test
  void resumesAmongThem() throws IOException {
    Path pack = folder.resolve("pack");
    ConvertOptions options = TinyMoe.to(pack, WITH_STAND_INS);
    ConversionPlan plan = Planner.plan(TinyMoe.MODEL, WITH_STAND_INS, TinyMoe.CHUNK_BYTES);
    Files.createDirectories(pack);
    // As killed: the plan, some files, one of them damaged, and pieces of another.
    Files.copy(both.resolve("conversion.json"), pack.resolve("convert-plan.json"));
    Path work = pack.resolve(OutputDirectory.WORK_FOLDER);
    for (OutputFile.Layer layer : plan.standIns().subList(0, 3)) {
      for (Chunk chunk : layer.chunks()) {
        ChunkWriter.write(work, chunk);
      }
    }
    for (OutputFile.Layer layer : plan.standIns().subList(0, 2)) {
      new FileAssembler(pack, work).assemble(layer);
    }
    flip(pack.resolve(Pack.standInPath(1)));
    Files.write(pack.resolve(Pack.standInPath(4) + ".part"), new byte[99]);
    ConvertResult result = Converter.convert(options, ProgressListener.SILENT);
    assertEquals(ConvertResult.Outcome.RESUMED, result.outcome());
    assertEquals(PackManifest.read(both).files(), PackManifest.read(pack).files());

    // A pack made otherwise is replaced as a whole: what was its own goes.
    ConvertOptions forced =
        new ConvertOptions(
            TinyMoe.MODEL,
            pack,
            TinyMoe.THREE_BITS,
            SharedSpark.MASTER,
            true,
            true,
            TinyMoe.CHUNK_BYTES);
    Converter.convert(forced, ProgressListener.SILENT);
    assertFalse(Files.exists(pack.resolve(Pack.STAND_INS_FOLDER)));
  }

  @Test
  void verifyNamesADamagedOne() throws IOException {
    assertEquals(List.of(), problems(both));
    Path file = both.resolve(Pack.standInPath(3));
    flip(file);
    List<String> problems = problems(both);
    flip(file);
    assertEquals(1, problems.size());
    assertTrue(problems.getFirst().startsWith(Pack.standInPath(3) + ", expert "), "" + problems);
  }

  private static List<String> problems(Path pack) throws IOException {
    List<String> problems = new ArrayList<>();
    PackVerifier.verify(pack, (record, message) -> problems.add(record));
    return problems;
  }

  private static void flip(Path file) throws IOException {
    try (RandomAccessFile open = new RandomAccessFile(file.toFile(), "rw")) {
      long at = open.length() / 2;
      open.seek(at);
      int value = open.read();
      open.seek(at);
      open.write(value ^ 1);
    }
  }

  /** Nothing is in memory at first, and what layers before have fetched is not of this layer. */
  @Test
  void theFirstTokenIsThatOfTheLowBitPack() throws IOException {
    try (Model model = Model.open(both, cold(STAND_INS));
        Session session = model.newSession(8)) {
      assertArrayEquals(firstToken(twoBits, new ModelOptions(2)), session.append(first()));
      assertEquals(LAYERS * TOP_K, session.expertsReplaced());
      assertEquals(LAYERS * TOP_K, session.expertsChosen());
      assertEquals(0, session.expertsLeftOut());
    }
  }

  /** Prompts are read as they were meant: what is missing there is waited for. */
  @Test
  void aBatchIsExact() throws IOException {
    try (Model exact = Model.open(threeBits, new ModelOptions(2));
        Session expected = exact.newSession(8);
        Model model = Model.open(both, cold(STAND_INS));
        Session session = model.newSession(8)) {
      assertArrayEquals(expected.append(IDS), session.append(IDS));
      assertEquals(0, session.expertsReplaced());
    }
  }

  @Test
  void withEverythingInMemoryNothingIsReplacedOrLeftOut() throws IOException {
    for (ExpertSelection selection : List.of(STAND_INS, SKIP_MISSING)) {
      try (Model exact = Model.open(threeBits, new ModelOptions(2));
          Session expected = exact.newSession(16);
          Model model = Model.open(both, streamed(1 << 30).with(selection));
          Session session = model.newSession(16)) {
        everyExpertInMemory(model);
        for (int id : IDS) {
          assertArrayEquals(expected.append(new int[] {id}), session.append(new int[] {id}));
        }
        assertEquals(0, session.expertsReplaced() + session.expertsLeftOut());
      }
    }
  }

  private static void everyExpertInMemory(Model model) {
    StreamedExperts store = model.streams().orElseThrow().store();
    int[] all = new int[32];
    Arrays.setAll(all, i -> i);
    for (int layer = 0; layer < LAYERS; layer++) {
      store.begin(layer, all, all.length, ExpertStore.Order.ANNOUNCED);
      while (store.next(new int[32]) > 0) {}
      store.end();
    }
  }

  /** Cold, only the most heavily weighted expert of each layer is waited for. */
  @Test
  void skippingWhatIsMissingLeavesTheFirst() throws IOException {
    ModelOptions one = new ModelOptions(2).with(new ExpertSelection(1, false, 0, false));
    try (Model model = Model.open(both, cold(SKIP_MISSING));
        Session session = model.newSession(8)) {
      assertArrayEquals(firstToken(threeBits, one), session.append(first()));
      assertEquals(LAYERS * (TOP_K - 1), session.expertsLeftOut());
    }
  }

  @Test
  void askedForInVainIsOneLine() {
    FormatException none =
        assertThrows(FormatException.class, () -> Model.open(threeBits, cold(STAND_INS)).close());
    assertEquals(
        threeBits
            + ": stand-ins: expected copies of the experts at 2 bits, found none. Convert with"
            + " --stand-in-bits 2",
        none.getMessage());
    ExpertSelection three = new ExpertSelection(0, false, 0, false, 3);
    FormatException other =
        assertThrows(FormatException.class, () -> Model.open(both, cold(three)).close());
    assertTrue(other.getMessage().contains("found some at 2"), other.getMessage());
    assertThrows(
        IllegalArgumentException.class,
        () -> Model.open(both, new ModelOptions(2).with(STAND_INS)).close());
    assertThrows(IllegalArgumentException.class, () -> TinyMoe.THREE_BITS.withStandIns(8));
  }

  private static int[] first() {
    return new int[] {IDS[0]};
  }

  private static float[] firstToken(Path pack, ModelOptions options) throws IOException {
    try (Model model = Model.open(pack, options);
        Session session = model.newSession(8)) {
      return session.append(first()).clone();
    }
  }

  /** Room for one expert. */
  private static ModelOptions cold(ExpertSelection selection) throws IOException {
    try (Pack pack = Pack.open(both)) {
      return streamed(pack.expertFile(0).orElseThrow().recordStride() + 8192).with(selection);
    }
  }

  private static ModelOptions streamed(long bytes) {
    return new ModelOptions(2)
        .with(
            new Streaming(
                new Streaming.Experts(bytes),
                IoMode.BUFFERED,
                CachePolicyKind.LRU,
                Optional.empty(),
                true,
                2,
                Streaming.Prediction.NONE,
                false,
                false));
  }
}
