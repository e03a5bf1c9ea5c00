package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.quern.experts.CachePolicyKind;
import dev.quern.experts.RoutedTokens;
import dev.quern.experts.RoutingObserver;
import dev.quern.experts.StreamedExperts;
import dev.quern.format.Pack;
import dev.quern.kv.KvType;
import dev.quern.quant.QuantScheme;
import dev.quern.system.IoMode;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

class SessionTest {
  private static final int WARM_UP_TOKENS = 400;
  private static final int MEASURED_TOKENS = 100;

  /** Of logits, where batches are cut in another way. */
  private static final float ROUNDING = 1e-4f;

  @TempDir private static Path temp;
  private static Model model;

  @BeforeAll
  static void open() throws IOException {
    Path pack = Files.createDirectory(temp.resolve("pack"));
    Path folder = Files.createDirectory(temp.resolve("folder"));
    RandomPack.write(pack, folder, TestConfig.json().toString(), QuantScheme.turbo(3));
    model = Model.open(folder, new ModelOptions(1).with(KvType.F32));
  }

  @AfterAll
  static void close() {
    model.close();
  }

  private static String refusal(Session session, int... ids) {
    return assertThrows(IllegalArgumentException.class, () -> session.append(ids)).getMessage();
  }

  @Test
  void wrongTokensAreRefusedAndLeaveTheSessionAsItWas() {
    try (Session session = model.newSession(4)) {
      assertEquals("token id: expected 0 to 69, found 70", refusal(session, 1, 70));
      assertEquals("token id: expected 0 to 69, found -1", refusal(session, -1));
      assertEquals("no tokens: expected at least one", refusal(session));
      assertEquals("context: 5 tokens after 0 do not fit in 4", refusal(session, 1, 2, 3, 4, 5));
      session.append(new int[] {1, 2, 3});
      assertEquals("context: 2 tokens after 3 do not fit in 4", refusal(session, 1, 2));
      assertEquals(3, session.position());
      session.append(new int[] {4});
    }
    assertThrows(IllegalArgumentException.class, () -> model.newSession(601));
    assertThrows(IllegalArgumentException.class, () -> model.newSession(0));
  }

  @Test
  void aPromptLongerThanABatchAndABlockOfTheCacheGivesTheSameLogits() {
    int[] ids = new int[590];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = i * 31 % 70;
    }
    float[] all = Golden.allLogits(model, ids);
    try (Session session = model.newSession(600)) {
      session.append(Arrays.copyOf(ids, 300));
      float[] last = session.append(Arrays.copyOfRange(ids, 300, 590));
      float[] expected = Arrays.copyOfRange(all, 589 * 70, 590 * 70);
      // Sums over hundreds of positions in other groups of tokens.
      float difference = Golden.maxAbsDifference(expected, last);
      assertTrue(difference <= 1e-4f, "largest difference " + difference);
    }
  }

  /** Batches before the one that failed are forgotten with it. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aPassThatFailsInALaterBatchLeavesTheSessionWhereItWas(boolean recurrent) throws IOException {
    Path path = recurrent ? GoldenModel.folder("qwen3_next") : temp.resolve("folder");
    ModelOptions options = new ModelOptions(1).with(KvType.F32).with(Prefill.ACTIVE_ONLY, 2);
    int[] before = {3, 14};
    int[] ids = {15, 9, 26, 5};
    boolean[] fail = {true};
    try (Model chunked = Model.open(path, options);
        Session session = chunked.newSession(16);
        Session fresh = chunked.newSession(16)) {
      session.observe(routed -> {
        if (routed.start() >= 4 && fail[0]) {
          throw new IllegalStateException("on purpose");
        }
      });
      session.append(before);
      assertThrows(IllegalStateException.class, () -> session.append(ids));
      assertEquals(before.length, session.position());
      assertThrows(
          IllegalStateException.class,
          () -> session.appendAll(ids, (position, logits, offset) -> {}));
      assertEquals(before.length, session.position());
      fail[0] = false;
      fresh.append(before);
      assertArrayEquals(fresh.append(ids).clone(), session.append(ids).clone());
    }
  }

  @Test
  void theLastTokenOfAPromptIsNotDecodedWhereItIsABatchOfItsOwn() throws IOException {
    Path pack = temp.resolve("pack");
    long oneExpert;
    try (Pack files = Pack.open(pack)) {
      oneExpert = StreamedExperts.slotBytes(files.expertFile(0).orElseThrow());
    }
    Streaming streaming =
        new Streaming(
            new Streaming.Experts(oneExpert),
            IoMode.BUFFERED,
            CachePolicyKind.LRU,
            Optional.empty(),
            true,
            1,
            Streaming.Prediction.NONE,
            false,
            false);
    ModelOptions options =
        new ModelOptions(1)
            .with(streaming)
            .with(new ExpertSelection(0, false, 0, true))
            .with(Prefill.ACTIVE_ONLY, 2);
    try (Model cold = Model.open(pack, options);
        Session session = cold.newSession(4)) {
      session.append(new int[] {1, 2, 3});
      assertEquals(0, session.expertsLeftOut());
      session.append(new int[] {4});
      assertTrue(session.expertsLeftOut() > 0);
    }
  }

  @Test
  void whatIsNotInMemoryIsSkippedOnlyWhereExpertsAreStreamed() {
    ModelOptions skipping = new ModelOptions(1).with(new ExpertSelection(0, false, 0, true));
    assertThrows(
        IllegalArgumentException.class, () -> Model.open(temp.resolve("pack"), skipping).close());
  }

  /**
   * With scalar kernels: the vectors of the others are objects until they are compiled, which
   * depends on the machine's mood. All widths are powers of two: rotating others takes a buffer.
   */
  @Test
  void decodingAllocatesNothingPerToken() throws IOException {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    int[] one = {7};
    Path pack = Files.createDirectory(temp.resolve("pack-powers"));
    Path folder = Files.createDirectory(temp.resolve("folder-powers"));
    ObjectNode config = TestConfig.json().put("hidden_size", 64);
    config.put("moe_intermediate_size", 32).put("intermediate_size", 64);
    RandomPack.write(pack, folder, config.toString(), QuantScheme.turbo(3));
    String before = System.setProperty("quern.kernels", "scalar");
    try (Model scalar = Model.open(pack, new ModelOptions(1).with(KvType.F32));
        Session session = scalar.newSession(600)) {
      for (int i = 0; i < WARM_UP_TOKENS; i++) { // grows all buffers, compiles what boxes
        session.append(one);
      }
      long start = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < MEASURED_TOKENS; i++) {
        session.append(one);
      }
      long perToken = (threads.getCurrentThreadAllocatedBytes() - start) / MEASURED_TOKENS;
      assertTrue(perToken < 64, "bytes per token: " + perToken);
    } finally {
      if (before == null) {
        System.clearProperty("quern.kernels");
      } else {
        System.setProperty("quern.kernels", before);
      }
    }
  }

  @Test
  void routingWeightsOfATokenSumToOne() {
    int[] calls = new int[1];
    try (Session session = model.newSession(8)) {
      session.observe(routed -> {
        assertEquals(2, routed.topK());
        assertTrue(routed.layer() != 1, "layer 1 has no experts");
        float[] weights = routed.weights();
        for (int token = 0; token < routed.tokens(); token++) {
          assertEquals(1, weights[2 * token] + weights[2 * token + 1], 1e-6);
          assertTrue(weights[2 * token] >= weights[2 * token + 1], "most probable first");
          assertEquals(token + 1, routed.id(token));
          calls[0]++;
        }
      });
      session.append(new int[] {1, 2, 3});
    }
    assertEquals(3 * 2, calls[0]);
  }

  @Test
  void anObserverThatMustNotSeeEveryTokenSeesThoseAskedFor() {
    int[] ids = IntStream.rangeClosed(1, 20).toArray();
    List<String> seen = new ArrayList<>();
    float[] expected;
    try (Session session = model.newSession(ids.length)) {
      session.observe(routed -> {});
      expected = session.append(ids).clone();
    }
    try (Session session = model.newSession(ids.length)) {
      session.observe(
          new RoutingObserver() {
            @Override
            public void routed(RoutedTokens routed) {
              seen.add(routed.layer() + ": " + routed.tokens() + " from " + routed.start());
            }

            @Override
            public boolean everyToken() {
              return false;
            }
          });
      assertArrayEquals(expected, session.append(ids));
    }
    assertEquals(List.of("0: 20 from 0", "2: 2 from 18"), seen, "layer 1 has no experts");
  }

  @Test
  void aPassThatFailedLeavesNoTraceInRecurrentLayers() throws IOException {
    int[] ids = {3, 14, 15, 92, 65};
    boolean[] fail = {true};
    try (Model hybrid =
            Model.open(GoldenModel.folder("qwen3_next"), new ModelOptions(1).with(KvType.F32));
        Session session = hybrid.newSession(32);
        Session fresh = hybrid.newSession(32)) {
      session.append(ids);
      session.observe(routed -> {
        if (routed.layer() == 2 && fail[0]) {
          throw new IllegalStateException("on purpose");
        }
      });
      assertThrows(IllegalStateException.class, () -> session.append(ids));
      assertEquals(ids.length, session.position());
      assertThrows(IllegalStateException.class, () -> session.append(ids), "while it replays");
      assertEquals(ids.length, session.position());
      fail[0] = false;
      fresh.append(ids);
      assertArrayEquals(fresh.append(ids).clone(), session.append(ids).clone());
      fail[0] = true;
      assertThrows(IllegalStateException.class, () -> session.truncate(ids.length));
      fail[0] = false;
      float[] expected = fresh.append(ids).clone();
      assertArrayEquals(expected, session.append(ids), ROUNDING, "nothing is cut");
    }
  }
}
