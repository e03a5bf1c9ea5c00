package dev.quern.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.quern.kv.KvType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LastLayerTest {
  private static final int HIDDEN = 16;
  private static final int MLP_WEIGHTS = 3 * 24 * HIDDEN + HIDDEN; // with its norm
  private static final RopeConfig ROPE =
      new RopeConfig(10_000, 4, RopePairing.HALVES, new RopeScaling.None());

  @TempDir private Path folder;

  /** Two layers with dense MLPs of 24, of which the first has another mixer. */
  private static ModelConfig endingWith(TokenMixer mixer) {
    TokenMixer first =
        new TokenMixer.DeltaNet(1, 1, 1, 1, 1, TokenMixer.DeltaNet.HeadOrder.GROUPED);
    return new ModelConfig(
        "test",
        HIDDEN,
        10,
        4096,
        1e-6f,
        true,
        new Activation.SwiGlu(),
        List.of(
            new ModelConfig.Layer(first, new FeedForward.Dense(1000)),
            new ModelConfig.Layer(mixer, new FeedForward.Dense(24))));
  }

  @Test
  void keysAndValuesAreForAllTokens() {
    ModelConfig config =
        endingWith(
            new TokenMixer.GroupedQuery(
                4, 2, 8, QkNorm.PER_HEAD, true, true, true, false, 0, 1, Optional.of(ROPE)));
    int query = 32 * HIDDEN + 32 + 8; // with its bias and norm
    int output = HIDDEN * 32 + HIDDEN + 4; // with its bias and the sinks
    assertEquals(query + output + MLP_WEIGHTS, LastLayer.wholeWeights(config));
  }

  @Test
  void latentsAreForAllTokens() {
    ModelConfig config = endingWith(new TokenMixer.Latent(4, 12, 20, 8, 6, 1, ROPE));
    int query = 12 * HIDDEN + 12 + 4 * (8 + 4) * 12;
    int ofLatents = 4 * 20 * 8 + 4 * 6 * 20;
    int output = HIDDEN * 4 * 6;
    assertEquals(query + ofLatents + output + MLP_WEIGHTS, LastLayer.wholeWeights(config));
  }

  @Test
  void aRecurrentStateIsChangedByAllTokens() {
    ModelConfig config =
        endingWith(new TokenMixer.DeltaNet(2, 4, 8, 8, 4, TokenMixer.DeltaNet.HeadOrder.GROUPED));
    assertEquals(MLP_WEIGHTS, LastLayer.wholeWeights(config));
  }

  @Test
  void promptsPassTheLayerAsCounted() throws IOException {
    RandomFolder.write(folder, TestConfig.json().toString());
    try (Model model = Model.open(folder, new ModelOptions(1).with(KvType.F32));
        Session session = model.newSession(64)) {
      ModelConfig config = model.config();
      for (int tokens : new int[] {1, 2, 3, 4, 5, 40}) {
        session.truncate(0);
        long before = session.expertsChosen();
        int[] ids = new int[tokens];
        Arrays.fill(ids, 7);
        session.append(ids);
        long chosen = session.expertsChosen() - before; // of two layers, the last among them
        long whole = LastLayer.wholeTokens(config, tokens);
        assertEquals(config.topK() * (tokens + whole), chosen, tokens + " tokens");
      }
      assertEquals(2, LastLayer.wholeTokens(config, 40));
    }
  }

  @Test
  void onlyTheLastBatchOfAPromptHasTokensThatAreAskedFor() {
    ModelConfig dense = endingWith(new TokenMixer.Latent(4, 12, 20, 8, 6, 1, ROPE));
    assertEquals(512, Session.batchTokens(dense));
    assertEquals(2, LastLayer.wholeTokens(dense, 512));
    assertEquals(1, LastLayer.wholeTokens(dense, 513));
    assertEquals(3, LastLayer.wholeTokens(dense, 515));
    assertEquals(2, LastLayer.wholeTokens(dense, 516));
  }
}
