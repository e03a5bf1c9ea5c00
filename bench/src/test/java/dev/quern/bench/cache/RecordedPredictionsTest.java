package dev.quern.bench.cache;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.quern.experts.CachePolicyKind;
import dev.quern.experts.CacheShape;
import dev.quern.experts.ExpertPredictor;
import dev.quern.format.FormatException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RecordedPredictionsTest {
  private static final int EXPERTS = 16;

  /** Of a model in which layer 1 has no experts; knows layers to come, not the next token. */
  private static final class Teller implements ExpertPredictor {
    @Override
    public int maxDistance() {
      return 3;
    }

    @Override
    public boolean predictsNextToken() {
      return false;
    }

    @Override
    public boolean predict(int layer, int distance, float[] input, int id, float[] p) {
      Arrays.fill(p, 0);
      for (float told : input) {
        p[(int) told] = 1f / distance;
      }
      return layer + distance != 1;
    }

    @Override
    public boolean predictNextToken(int layer, float[] input, int tokenId, float[] p) {
      return false;
    }

    @Override
    public ExpertPredictor copy() {
      return this;
    }
  }

  @Test
  void distancesAreThoseAmongLayersWithExperts() throws FormatException {
    RecordedPredictions said = new RecordedPredictions(new Teller(), List.of(0, 2, 3), EXPERTS, 2);
    assertEquals(2, said.maxDistance());
    said.record(1, 0, new float[] {5}, 7);
    float[] expected = new float[EXPERTS];
    expected[5] = 0.5f; // model layer 2, two ahead of layer 0
    assertArrayEquals(expected, said.ahead(1, 0, 1));
    expected[5] = Float.float16ToFloat(Float.floatToFloat16(1f / 3));
    assertArrayEquals(expected, said.ahead(1, 0, 2));
    assertEquals(0, said.ahead(1, 1, 1).length, "nothing was said of the second layer");
    assertEquals(0, said.nextUse(1, 0).length);
  }

  @Test
  void tooManyAreRefused() {
    FormatException e =
        assertThrows(
            FormatException.class,
            () -> new RecordedPredictions(new Teller(), List.of(0, 2, 3), 384, 10_000_000));
    assertTrue(e.getMessage().endsWith("Take fewer with --max-tokens"), e.getMessage());
  }

  /** What layer 1 uses is told at layer 0: a cache that listens keeps it meanwhile. */
  @Test
  void theDefaultPolicyListensToWhatIsSaidOfComingLayers() throws FormatException {
    RoutingTrace trace = RoutingTrace.uniform(2, EXPERTS, 4, 4000, 3);
    RecordedPredictions said =
        new RecordedPredictions(new Teller(), List.of(2, 3), EXPERTS, trace.tokens());
    float[] told = new float[4];
    for (int t = 0; t < trace.tokens(); t++) {
      for (int k = 0; k < told.length; k++) {
        told[k] = trace.experts().get(1)[t * told.length + k];
      }
      said.record(t, 0, told, 0);
    }
    double deaf = hits(trace, Replay.Predictions.none());
    double listening = hits(trace, said);
    // Little, as the order of the layers' turns tells most already; 32,000 uses, the same for both.
    assertTrue(listening > deaf + 0.003, deaf + " " + listening);
  }

  private static double hits(RoutingTrace trace, Replay.Predictions predictions) {
    CacheShape shape = trace.shape(8);
    return Replay.run(
            trace, shape, CachePolicyKind.DEFAULT.create(shape, Optional.empty()), predictions)
        .hitRate();
  }
}
